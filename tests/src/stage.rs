//! Where the programs that set processes upon each other do it: a file, or a server of PostgreSQL's.

use std::time::{Duration, Instant};

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tokio_postgres::SimpleQueryMessage;
use turnkeep_test_postgres::Cluster;

/// How long a look at the database may wait for others, or for a server that is being restarted.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server that is being restarted is left alone between two attempts.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// A database that is there as long as this.
pub struct Stage {
    /// Its URL.
    pub store: String,
    /// The server, where there is one.
    pub cluster: Option<Cluster>,
    folder: Option<tempfile::TempDir>,
}

impl Stage {
    /// A new one, `sqlite` or `postgres`. The server keeps what it has confirmed, as a real one does.
    ///
    /// # Errors
    /// For any other word, and when there is no place for it.
    pub fn new(kind: &str) -> Result<Self, String> {
        match kind {
            "" | "sqlite" => {
                let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
                let store = format!("sqlite:{}", folder.path().join("chats.db").display());
                Ok(Self { store, cluster: None, folder: Some(folder) })
            }
            "postgres" => {
                let cluster = Cluster::start(&[]);
                Ok(Self { store: cluster.database(), cluster: Some(cluster), folder: None })
            }
            other => Err(format!("store={other}: must be sqlite or postgres")),
        }
    }

    /// Keeps a file for whoever wants to look at it; says where.
    pub fn keep(self) -> String {
        self.folder.map_or(self.store, |folder| folder.keep().display().to_string())
    }
}

/// The value of `name=value` among a program's arguments.
pub fn argument<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
}

/// A row: the names of its columns, and their values as text.
pub type Row = Vec<(String, Option<String>)>;

/// The database as everybody else sees it, without the engine in between.
pub struct Observer {
    store: String,
    connection: Link,
}

enum Link {
    File(Connection),
    Server(Option<Box<(tokio::runtime::Runtime, tokio_postgres::Client)>>),
}

impl Observer {
    /// Looks at this store. For threads that run no tasks.
    ///
    /// # Errors
    /// When there is no such database.
    pub fn open(store: &str) -> Result<Self, String> {
        let connection = match store.strip_prefix("sqlite:") {
            None => Link::Server(None),
            Some(path) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let open = || {
                    let connection = Connection::open_with_flags(path, flags)?;
                    connection.busy_timeout(PATIENCE)?;
                    connection.execute_batch("PRAGMA query_only = ON")?;
                    Ok(connection)
                };
                Link::File(open().map_err(|error: rusqlite::Error| error.to_string())?)
            }
        };
        Ok(Self { store: store.to_owned(), connection })
    }

    /// Whether this is a file.
    pub fn file(&self) -> Option<&Connection> {
        match &self.connection {
            Link::File(connection) => Some(connection),
            Link::Server(_) => None,
        }
    }

    /// The rows of a statement in which `?1` stands for `id`.
    ///
    /// # Errors
    /// When the statement fails, or a server stays away for long.
    pub fn rows(&mut self, sql: &str, id: &str) -> Result<Vec<Row>, String> {
        let sql = sql.replace("?1", &format!("'{}'", id.replace('\'', "''")));
        match &mut self.connection {
            Link::File(connection) => file_rows(connection, &sql).map_err(|error| error.to_string()),
            Link::Server(link) => {
                let begun = Instant::now();
                loop {
                    match server_rows(link, &self.store, &sql) {
                        Ok(rows) => return Ok(rows),
                        Err(error) if begun.elapsed() > PATIENCE || error.code().is_some_and(is_ours) => {
                            return Err(format!("{sql}: {error}"));
                        }
                        Err(_) => {
                            *link = None;
                            std::thread::sleep(TRY_AGAIN);
                        }
                    }
                }
            }
        }
    }
}

/// Whether a statement is wrong; anything else may be a restart.
fn is_ours(state: &tokio_postgres::error::SqlState) -> bool {
    state.code().starts_with("42") || state.code().starts_with("22")
}

fn file_rows(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let value = |(place, name): (usize, &String)| {
            let text = match row.get::<_, Value>(place)? {
                Value::Null => None,
                Value::Integer(number) => Some(number.to_string()),
                Value::Real(number) => Some(number.to_string()),
                Value::Text(text) => Some(text),
                Value::Blob(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            };
            Ok((name.clone(), text))
        };
        names.iter().enumerate().map(value).collect()
    })?;
    rows.collect()
}

fn server_rows(
    link: &mut Option<Box<(tokio::runtime::Runtime, tokio_postgres::Client)>>,
    store: &str,
    sql: &str,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    if link.is_none() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(store, tokio_postgres::NoTls).await?;
            // Its end is noticed by whoever asks next.
            tokio::spawn(connection);
            Ok::<_, tokio_postgres::Error>(client)
        })?;
        *link = Some(Box::new((runtime, client)));
    }
    let (runtime, client) = &**link.as_ref().expect("just made");
    let messages = runtime.block_on(client.simple_query(sql))?;
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            let names = row.columns().iter().map(|column| column.name().to_owned());
            Some(names.enumerate().map(|(place, name)| (name, row.get(place).map(str::to_owned))).collect())
        }
        _ => None,
    };
    Ok(messages.into_iter().filter_map(row).collect())
}

/// A column of a row.
pub fn column(row: &Row, name: &str) -> Option<String> {
    row.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone())
}

/// The number of `name=number` among a program's arguments.
///
/// # Errors
/// When it is something else.
pub fn number(arguments: &[String], name: &str, default: u64) -> Result<u64, String> {
    match argument(arguments, name).filter(|value| !value.is_empty()) {
        None => Ok(default),
        Some(value) => value.parse().map_err(|_| format!("{name}={value}: must be a number")),
    }
}

/// Moments and choices that are drawn: the same again from the same seed.
pub struct Random(u64);

impl Random {
    /// What follows from this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    /// Whether it is the one of so many.
    pub fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// A time below `limit`.
    pub fn moment(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros))
    }
}

/// The time in seconds, as a seed for whoever names none.
pub fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}
