//! A run that an engine has let wait, and as many copies of it in the same file as are wanted: what the engine would have
//! written, under other ids. Their words are not entered for searches.

use rusqlite::Connection;
use rusqlite::types::Value;

/// How many copies are written in one transaction.
const AT_ONCE: u64 = 50_000;

/// The chat, the run and its two messages.
pub(crate) struct Template {
    pub(crate) ids: Vec<String>,
}

/// The same id with the number of a copy at its beginning, where ids have their time.
pub(crate) fn id_of(id: &str, copy: u64) -> String {
    format!("{copy:08x}{}", id.get(8..).unwrap_or_default())
}

/// One table's rows, as a statement that writes those of the copies `?1` to `?2`.
fn statement(database: &Connection, table: &str, template: &Template) -> rusqlite::Result<Option<String>> {
    let mut columns = Vec::new();
    let mut info = database.prepare(&format!("PRAGMA table_info({table})"))?;
    let mut rows = info.query([])?;
    while let Some(row) = rows.next()? {
        let (name, kind, key): (String, String, i64) = (row.get("name")?, row.get("type")?, row.get("pk")?);
        // A number that the table gives itself.
        if !(kind == "INTEGER" && key == 1) {
            columns.push(name);
        }
    }
    let (mut values, mut named) = (Vec::new(), Vec::new());
    for column in &columns {
        let mut value = format!("row.{column}");
        for id in &template.ids {
            let holds = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE instr({column}, '{id}') > 0)");
            if database.query_row(&holds, [], |row| row.get::<_, bool>(0))? {
                let rest = id.get(8..).unwrap_or_default();
                value = format!("replace({value}, '{id}', printf('%08x', copy) || '{rest}')");
                named.push(format!("instr(row.{column}, '{id}') > 0"));
            }
        }
        values.push(value);
    }
    if named.is_empty() {
        return Ok(None);
    }
    let (columns, values, named) = (columns.join(", "), values.join(", "), named.join(" OR "));
    Ok(Some(format!(
        "WITH RECURSIVE copies(copy) AS (SELECT ?1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < ?2), \
         template AS MATERIALIZED (SELECT * FROM {table} AS row WHERE {named}) \
         INSERT INTO {table} ({columns}) SELECT {values} FROM copies, template AS row"
    )))
}

fn names(database: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    database.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// Writes the copies 1 to `copies`.
pub(crate) fn multiply(path: &str, template: &Template, copies: u64) -> rusqlite::Result<()> {
    const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' \
         AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '%_search%' ORDER BY rowid";
    let mut database = Connection::open(path)?;
    // Nobody else has the file, and what is lost is made again.
    database.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA foreign_keys = OFF")?;
    let triggers = names(&database, "SELECT sql FROM sqlite_master WHERE type = 'trigger'")?;
    for trigger in names(&database, "SELECT name FROM sqlite_master WHERE type = 'trigger'")? {
        database.execute_batch(&format!("DROP TRIGGER {trigger}"))?;
    }
    let mut statements = Vec::new();
    for table in names(&database, TABLES)? {
        statements.extend(statement(&database, &table, template)?);
    }
    let mut from = 1;
    while from <= copies {
        let to = (from + AT_ONCE - 1).min(copies);
        let transaction = database.transaction()?;
        for statement in &statements {
            transaction
                .execute(statement, [from, to].map(|place| Value::Integer(i64::try_from(place).unwrap_or(0))))?;
        }
        transaction.commit()?;
        from = to + 1;
    }
    for trigger in triggers {
        database.execute_batch(&trigger)?;
    }
    // As whoever closes the file last leaves it.
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE")?;
    Ok(())
}
