//! Tables, brought up to date at open: numbered migrations that only ever add, or let more be
//! stored than before, under a lock of the database's.
//!
//! They are our own and not refinery's: they have to adopt tables whose columns have other types, say beforehand what
//! they would add, and hold their lock within one transaction, which is what works behind every pooler.

use std::collections::HashSet;

use tokio_postgres::Row;

use crate::error::{Error, Result};

use super::failure::Failure;
use super::session::{Database, Session};
use super::value::values;

/// Every migration, in order: number, name, statements.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "tables", include_str!("../../../migrations/postgres/V1__tables.sql")),
    (2, "workers", include_str!("../../../migrations/postgres/V2__workers.sql")),
    (3, "outside_data", include_str!("../../../migrations/postgres/V3__outside_data.sql")),
    (4, "stop_notes", include_str!("../../../migrations/postgres/V4__stop_notes.sql")),
    (5, "chats", include_str!("../../../migrations/postgres/V5__chats.sql")),
    (6, "usage", include_str!("../../../migrations/postgres/V6__usage.sql")),
    (7, "search_index", include_str!("../../../migrations/postgres/V7__search_index.sql")),
    (8, "forks", include_str!("../../../migrations/postgres/V8__forks.sql")),
    (9, "waiting", include_str!("../../../migrations/postgres/V9__waiting.sql")),
    (10, "steering", include_str!("../../../migrations/postgres/V10__steering.sql")),
    (11, "effects", include_str!("../../../migrations/postgres/V11__effects.sql")),
];
/// Names the lock that those who migrate take: "turnkeep" as a number.
const LOCK: i64 = 0x7475_726e_6b65_6570;

/// A migration that has not been applied yet.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingMigration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// What it would add to the database as it is, such as `table ai_chat_runs` or `column ai_chats.page_id`.
    pub additions: Vec<String>,
}

/// The types of the host's columns, where its tables were there before ours.
#[derive(Clone, Debug)]
pub(super) struct HostTypes {
    workspace: String,
    user: String,
    page: String,
    json: String,
    /// Messages are entered into a search of the host's.
    searched: bool,
}

impl HostTypes {
    fn fill_in(&self, sql: &str) -> String {
        sql.replace("{workspace}", &self.workspace)
            .replace("{user}", &self.user)
            .replace("{page}", &self.page)
            .replace("{json}", &self.json)
            .replace("{unless_searched} ", if self.searched { "-- " } else { "" })
    }

    /// Whether the tables are a host's, whose own statements read and write them, too.
    fn are_adopted(&self) -> bool {
        let ours = Self::ours();
        [&self.workspace, &self.user, &self.page, &self.json] != [&ours.workspace, &ours.user, &ours.page, &ours.json]
    }

    pub(super) fn ids(&self) -> HostIds {
        let is_uuid = |name: &str| name == "uuid";
        HostIds { workspace: is_uuid(&self.workspace), user: is_uuid(&self.user), page: is_uuid(&self.page) }
    }
}

/// Which of the host's ids have to be UUIDs in this database.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostIds {
    pub(super) workspace: bool,
    pub(super) user: bool,
    pub(super) page: bool,
}

/// What there is: `table`, `table.column`, `index` and `function()` names of the schema that we are in.
type Objects = HashSet<String>;

/// Brings the tables up to date, unless they are.
pub(super) async fn migrate(database: &Database) -> Result<HostTypes> {
    if applied(database).await? < newest() {
        let session = database.session().await.map_err(Failure::into_error)?;
        match apply(&session).await {
            Ok(()) => session.give_back(),
            Err(failure) => {
                session.throw_away();
                let error = failure.into_error();
                let message = format!("the store's tables could not be created or brought up to date: {error}");
                return Err(
                    Error::new(crate::error::ErrorCode::StoreUnavailable, message).with_detail("field", "store")
                );
            }
        }
    }
    host_types(&database.query(HOST_TYPES, &[]).await?)
}

/// What opening this database would add to it; changes nothing.
pub(super) async fn pending(database: &Database) -> Result<Vec<PendingMigration>> {
    let applied = applied(database).await?;
    let objects = objects(&database.query(OBJECTS, &[]).await?);
    let types = host_types(&database.query(HOST_TYPES, &[]).await?)?;
    Ok(MIGRATIONS
        .iter()
        .filter(|(version, ..)| *version > applied)
        .map(|(version, name, sql)| PendingMigration {
            version: *version,
            name: (*name).to_owned(),
            additions: additions(&types.fill_in(sql), &objects),
        })
        .collect())
}

fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// The newest migration that has been applied. One that is newer than ours is another replica's, and did but add.
async fn applied(database: &Database) -> Result<i64> {
    let there = database.query_one("SELECT to_regclass('turnkeep_migrations') IS NOT NULL", &[]).await?;
    if !there.try_get::<_, bool>(0).unwrap_or(false) {
        return Ok(0);
    }
    let row = database.query_one("SELECT COALESCE(MAX(version), 0)::bigint FROM turnkeep_migrations", &[]).await?;
    Ok(row.try_get(0).unwrap_or(0))
}

async fn apply(session: &Session) -> Result<(), Failure> {
    // Others who migrate are waited for, however long that takes; those who only use the tables for a minute.
    session
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK}); SET LOCAL lock_timeout = '60s'; \
             CREATE TABLE IF NOT EXISTS turnkeep_migrations (version bigint NOT NULL PRIMARY KEY, name text NOT NULL, \
             applied_at timestamptz NOT NULL DEFAULT now())"
        ))
        .await?;
    let done = session.rows("SELECT COALESCE(MAX(version), 0)::bigint FROM turnkeep_migrations", &[]).await?;
    let done: i64 = done.first().and_then(|row| row.try_get(0).ok()).unwrap_or(0);
    for (version, name, sql) in MIGRATIONS.iter().filter(|(version, ..)| *version > done) {
        let types = session.rows(HOST_TYPES, &[]).await?;
        let types = host_types(&types).unwrap_or_else(|_| HostTypes::ours());
        session.batch(&types.fill_in(sql)).await?;
        let noted = values![*version, *name];
        session.rows("INSERT INTO turnkeep_migrations (version, name) VALUES ($1, $2)", &noted).await?;
    }
    session.batch("COMMIT").await
}

const HOST_TYPES: &str = "SELECT relname::text || '.' || attname::text, format_type(atttypid, NULL)::text \
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
     WHERE attrelid IN (to_regclass('ai_chats'), to_regclass('ai_chat_messages')) AND attnum > 0 AND NOT attisdropped";

/// The host's pages, as far as chats are listed with their titles; and whether messages are searched in a column of ours.
const EXTRAS: &str = "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('ai_chat_messages') \
         AND attname = 'tsv' AND attgenerated = 's') AS own_search, EXISTS (SELECT FROM pg_cast WHERE castsource = 'real[]'::regtype \
         AND casttarget = to_regtype('vector')) AS vectors, COALESCE(has_table_privilege(to_regclass('pages'), 'SELECT'), false) AND \
     (SELECT COUNT(*) = 3 FROM pg_attribute AS page WHERE page.attrelid = to_regclass('pages') AND NOT page.attisdropped \
         AND (page.attname = 'title' OR EXISTS (SELECT FROM pg_attribute AS chat \
             WHERE chat.attrelid = to_regclass('ai_chats') AND chat.atttypid = page.atttypid \
             AND (page.attname, chat.attname) IN (('id', 'page_id'), ('workspace_id', 'workspace_id'))))) AS pages";

/// What there is in this database besides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extras {
    /// The host's pages are in it, and may be read.
    pub(super) pages: bool,
    /// The column that messages are found by is ours, and knows Russian words in their forms.
    pub(super) own_search: bool,
    /// The extension `vector` is there.
    pub(super) vectors: bool,
    /// The tables are a host's, which reads them by statements of its own.
    pub(super) adopted: bool,
}

/// What there is in this database besides.
pub(super) async fn extras(database: &Database, types: &HostTypes) -> Result<Extras> {
    let row = database.query_one(EXTRAS, &[]).await?;
    let is_there = |column| super::rows::get(&row, column);
    let own_search = is_there("own_search")?;
    Ok(Extras {
        pages: is_there("pages")?,
        own_search,
        vectors: is_there("vectors")?,
        adopted: types.are_adopted() || !own_search,
    })
}

impl HostTypes {
    fn ours() -> Self {
        // Of the two JSON types the one that keeps what it is given to the letter.
        Self {
            workspace: "text".into(),
            user: "text".into(),
            page: "text".into(),
            json: "json".into(),
            searched: false,
        }
    }
}

fn host_types(rows: &[Row]) -> Result<HostTypes> {
    let malformed = || Error::internal("the types of the tables cannot be read");
    let mut types = HostTypes::ours();
    for row in rows {
        let column: String = row.try_get(0).map_err(|_| malformed())?;
        let kind: String = row.try_get(1).map_err(|_| malformed())?;
        match column.as_str() {
            "ai_chats.workspace_id" => types.workspace = kind,
            "ai_chats.creator_id" => types.user = kind,
            "ai_chats.page_id" => types.page = kind,
            "ai_chat_messages.metadata" => types.json = kind,
            "ai_chat_messages.tsv" => types.searched = true,
            _ => {}
        }
    }
    Ok(types)
}

const OBJECTS: &str = "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace \
     UNION ALL SELECT relname::text || '.' || attname::text FROM pg_attribute \
     JOIN pg_class ON pg_class.oid = attrelid \
     WHERE relnamespace = current_schema()::regnamespace AND attnum > 0 AND NOT attisdropped \
     UNION ALL SELECT proname::text || '()' FROM pg_proc WHERE pronamespace = current_schema()::regnamespace";

fn objects(rows: &[Row]) -> Objects {
    rows.iter().filter_map(|row| row.try_get(0).ok()).collect()
}

/// What these statements add to what there is.
fn additions(sql: &str, there: &Objects) -> Vec<String> {
    let mut added = Vec::new();
    let mut new_tables = HashSet::new();
    for line in sql.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["CREATE", "TABLE", "IF", "NOT", "EXISTS", name, ..] if !there.contains(*name) => {
                new_tables.insert(*name);
                added.push(format!("table {name}"));
            }
            ["ALTER", "TABLE", table, "ADD", "COLUMN", "IF", "NOT", "EXISTS", column, ..]
                if !new_tables.contains(table) && !there.contains(&format!("{table}.{column}")) =>
            {
                added.push(format!("column {table}.{column}"));
            }
            ["CREATE", "INDEX", "IF", "NOT", "EXISTS", name, ..]
            | ["CREATE", "UNIQUE", "INDEX", "IF", "NOT", "EXISTS", name, ..]
                if !there.contains(*name) =>
            {
                added.push(format!("index {name}"));
            }
            ["CREATE", "OR", "REPLACE", "FUNCTION", name, ..] if !there.contains(*name) => {
                added.push(format!("function {name}"));
            }
            _ => {}
        }
    }
    added
}

/// Ids of the host's that cannot be in this database are refused by their name.
pub(super) fn check_id(field: &str, id: &str, must_be_uuid: bool) -> Result<()> {
    if must_be_uuid && uuid::Uuid::parse_str(id).is_err() {
        return Err(Error::invalid(field, "must be a UUID in this database"));
    }
    if id.contains('\0') {
        return Err(Error::invalid(field, "must not contain U+0000"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_added() {
        let (_, _, sql) = MIGRATIONS[0];
        let all = additions(sql, &Objects::new());
        assert!(
            all.contains(&"table ai_chats".to_owned()) && all.iter().all(|addition| !addition.starts_with("column"))
        );
        let there: Objects = ["ai_chats", "ai_chats.page_id", "turnkeep_now()"].map(str::to_owned).into();
        let some = additions(sql, &there);
        assert!(some.contains(&"column ai_chats.role_id".to_owned()));
        for known in ["table ai_chats", "column ai_chats.page_id", "function turnkeep_now()"] {
            assert!(!some.contains(&known.to_owned()));
        }
    }

    #[test]
    fn ids_are_checked_where_columns_are_uuids() {
        assert!(check_id("userId", "u", false).is_ok());
        assert!(check_id("userId", "u", true).is_err());
        assert!(check_id("userId", "0197f3d0-0000-7000-8000-000000000000", true).is_ok());
        assert!(check_id("userId", "a\0b", false).is_err());
    }
}
