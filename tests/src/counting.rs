//! Tools that count in the store's own database, in a transaction of their own.

use std::time::Duration;

use turnkeep::model::Json;
use turnkeep::tool::{EffectStatement, EffectStyle, ToolInvocation, effect_statement};

const TABLE: &str = "CREATE TABLE counted (call TEXT NOT NULL)";
const COUNT: &str = "INSERT INTO counted (call) VALUES ";

/// Makes the table that is counted in.
///
/// # Errors
/// When it cannot be made.
pub fn prepare(store: &str) -> Result<(), String> {
    match store.strip_prefix("sqlite:") {
        None => drop(turnkeep_test_postgres::query(store, TABLE)),
        Some(path) => {
            let made = rusqlite::Connection::open(path).and_then(|file| file.execute_batch(TABLE));
            made.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// What a call is counted as.
pub fn name(call: &ToolInvocation) -> String {
    format!("{}/{}", call.run_id, call.call_id)
}

/// Counts the call, and notes its effect if its tool has any; `before` comes between the two and the commit.
///
/// # Errors
/// What the database says.
pub async fn count(
    store: &str,
    call: &ToolInvocation,
    output: &Json,
    before: impl AsyncFnOnce(),
) -> Result<(), String> {
    count_as(name(call), store, call, output, before).await
}

/// The same under another name.
///
/// # Errors
/// What the database says.
pub async fn count_as(
    name: String,
    store: &str,
    call: &ToolInvocation,
    output: &Json,
    before: impl AsyncFnOnce(),
) -> Result<(), String> {
    let note = |effect| effect_statement(effect, Some(output), &EffectStyle::default());
    let note = call.effect.as_ref().map(note).transpose().map_err(|error| error.to_string())?;
    match store.strip_prefix("sqlite:") {
        Some(path) => {
            let path = path.to_owned();
            // A file's transaction keeps everybody waiting: it is short.
            before().await;
            let counted = tokio::task::spawn_blocking(move || in_file(&path, &name, note)).await;
            counted.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        }
        None => on_server(store, &name, note, before).await.map_err(|error| error.to_string()),
    }
}

fn in_file(path: &str, name: &str, note: Option<EffectStatement>) -> rusqlite::Result<()> {
    let mut file = rusqlite::Connection::open(path)?;
    file.busy_timeout(Duration::from_secs(20))?;
    let transaction = file.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute(&format!("{COUNT}(?)"), [name])?;
    if let Some(note) = note {
        transaction.execute(&note.sql, rusqlite::params_from_iter(note.params))?;
    }
    transaction.commit()
}

async fn on_server(
    store: &str,
    name: &str,
    note: Option<EffectStatement>,
    before: impl AsyncFnOnce(),
) -> Result<(), tokio_postgres::Error> {
    let (mut client, connection) = tokio_postgres::connect(store, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let transaction = client.transaction().await?;
    transaction.execute(&format!("{COUNT}($1)"), &[&name]).await?;
    if let Some(note) = note {
        let text = |place: usize| note.params.get(place).cloned().flatten();
        transaction.execute(&note.sql, &[&text(0), &text(1), &text(2)]).await?;
    }
    before().await;
    transaction.commit().await?;
    drop(client);
    connection.await.ok();
    Ok(())
}
