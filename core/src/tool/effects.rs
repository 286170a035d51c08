//! The statement by which a tool notes, in the transaction in which it changes something, that its call has been done.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Json;

/// The database that the store and the tool have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EffectDatabase {
    /// A file of SQLite's.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// What a call of a tool with effects is noted by. Its JSON form is `{key, database?}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ToolEffect {
    /// The call's name over all runs; the same whenever the call is made.
    pub key: String,
    /// The store's database; none where nothing is stored of the turn, and nobody could go on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<EffectDatabase>,
}

/// How a client library wants the places of parameters to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Placeholders {
    /// `?`, as for SQLite.
    Question,
    /// `$1`, as for PostgreSQL and most of its clients.
    Dollar,
    /// `%s`, as for psycopg.
    Format,
}

/// How the statement is to be written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EffectStyle {
    /// The placeholders; those of the database unless given.
    pub placeholders: Option<Placeholders>,
    /// The schema of PostgreSQL in which turnkeep's tables are; the connection's own unless given.
    pub schema: Option<String>,
}

/// A statement with its parameters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectStatement {
    /// The statement.
    pub sql: String,
    /// Its parameters: texts, and null.
    pub params: Vec<Option<String>>,
}

/// What has to be carried out in the transaction in which the call of this key changes something: once, and before the
/// transaction is committed. It fails where the call has been done, was given up, or its run has ended; then the transaction
/// has to be rolled back. `result` is what the model is told if the process ends before it can tell. Where there is no
/// database it is a statement that does nothing.
///
/// # Errors
/// `INVALID_INPUT` naming `effect.key` or `schema`.
pub fn effect_statement(effect: &ToolEffect, result: Option<&Json>, style: &EffectStyle) -> Result<EffectStatement> {
    let key = effect.key.as_str();
    let run_id = key.split_once('/').map(|(run_id, _)| run_id).filter(|run_id| uuid::Uuid::parse_str(run_id).is_ok());
    let run_id = run_id.ok_or_else(|| Error::invalid("effect.key", "is no key of a call"))?;
    let schema = match &style.schema {
        None => String::new(),
        Some(schema) if schema.is_empty() || schema.contains('\0') => {
            return Err(Error::invalid("schema", "must be the name of a schema"));
        }
        Some(schema) => format!("\"{}\".", schema.replace('"', "\"\"")),
    };
    let Some(database) = effect.database else {
        return Ok(EffectStatement { sql: "SELECT 1".to_owned(), params: Vec::new() });
    };
    let default = match database {
        EffectDatabase::Sqlite => Placeholders::Question,
        EffectDatabase::Postgres => Placeholders::Dollar,
    };
    let placeholders = style.placeholders.unwrap_or(default);
    // What a client library reads as text of the statement is doubled where it has a meaning for it.
    let schema = if placeholders == Placeholders::Format { schema.replace('%', "%%") } else { schema };
    let place = |number: usize| match placeholders {
        Placeholders::Question => "?".to_owned(),
        Placeholders::Dollar => format!("${number}"),
        Placeholders::Format => "%s".to_owned(),
    };
    let typed = |number: usize, kind: &str| match database {
        EffectDatabase::Sqlite => place(number),
        EffectDatabase::Postgres => format!("CAST({} AS {kind})", place(number)),
    };
    let (key_place, run_place, result_place) = (typed(1, "text"), typed(2, "text"), typed(3, "text"));
    // As text first: some client libraries would want a value of their own type for a UUID.
    let run_place = match database {
        EffectDatabase::Sqlite => run_place,
        EffectDatabase::Postgres => format!("CAST({run_place} AS uuid)"),
    };
    // No value for the run, which must have one, where nobody drives it: also once nothing else is known of the call.
    let sql = format!(
        "INSERT INTO {schema}turnkeep_effects (call_id, run_id, result) VALUES ({key_place}, \
         (SELECT id FROM {schema}ai_chat_runs WHERE id = {run_place} AND status IN ('pending', 'running')), {result_place})"
    );
    let result = result.map(|result| result.get().to_owned());
    Ok(EffectStatement { sql, params: vec![Some(key.to_owned()), Some(run_id.to_owned()), result] })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0197f3d0-0000-7000-8000-000000000000/2/call_1";

    fn effect(database: Option<EffectDatabase>) -> ToolEffect {
        ToolEffect { key: KEY.to_owned(), database }
    }

    #[test]
    fn every_client_library_has_its_placeholders() {
        let (sqlite, postgres) = (effect(Some(EffectDatabase::Sqlite)), effect(Some(EffectDatabase::Postgres)));
        let result = Json::string("x");
        let statement = effect_statement(&sqlite, Some(&result), &EffectStyle::default()).unwrap();
        assert_eq!(statement.sql.matches('?').count(), 3);
        let run_id = KEY.split('/').next().unwrap();
        assert_eq!(statement.params, [Some(KEY.to_owned()), Some(run_id.to_owned()), Some("\"x\"".to_owned())]);
        let statement = effect_statement(&postgres, None, &EffectStyle::default()).unwrap();
        assert!(statement.sql.contains("CAST($1 AS text)") && statement.sql.contains("CAST(CAST($2 AS text) AS uuid)"));
        assert_eq!(statement.params[2], None);
        let style = EffectStyle { placeholders: Some(Placeholders::Format), schema: Some("a\"%".to_owned()) };
        let statement = effect_statement(&postgres, None, &style).unwrap();
        assert_eq!(statement.sql.matches("%s").count(), 3);
        assert_eq!(statement.sql.matches("\"a\"\"%%\".").count(), 2);
    }

    #[test]
    fn where_nothing_is_stored_nothing_is_noted() {
        let statement = effect_statement(&effect(None), None, &EffectStyle::default()).unwrap();
        assert_eq!((statement.sql.as_str(), statement.params.len()), ("SELECT 1", 0));
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let bad = ToolEffect { key: "call_1".to_owned(), database: Some(EffectDatabase::Sqlite) };
        let error = effect_statement(&bad, None, &EffectStyle::default()).unwrap_err();
        assert_eq!(error.details()["field"], "effect.key");
        let style = EffectStyle { schema: Some(String::new()), ..EffectStyle::default() };
        let error = effect_statement(&effect(Some(EffectDatabase::Postgres)), None, &style).unwrap_err();
        assert_eq!(error.details()["field"], "schema");
    }
}
