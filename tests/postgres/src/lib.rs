//! Throwaway PostgreSQL servers for tests: Debian's programs, never as root, on loopback only, and gone with the process
//! that has started them, however it ends. Whatever cannot be had fails the test.

mod pooler;

use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

pub use pooler::Pooler;

/// The name of the superuser of every cluster.
const USER: &str = "turnkeep";
/// How often a start is attempted: between finding a free port and taking it, somebody else may have taken it.
const STARTS: usize = 5;
/// Of every server. Before PostgreSQL 18 a server that is being stopped waits for whoever has connected meanwhile and has
/// not said yet what for, which a frozen process never does: for a minute, unless told otherwise.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 200
shared_buffers = '64MB'
authentication_timeout = '1s'
";

/// A running server with a data folder of its own.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    databases: AtomicUsize,
    // Its end of the pipe closes when this process ends.
    watchdog: Child,
}

impl Cluster {
    /// The server of all tests of this process, which writes nothing through: only its contents matter.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(&["fsync=off", "synchronous_commit=off"]))
    }

    /// A server with these settings.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("turnkeep-postgres-").tempdir().expect("a folder").keep();
        give_away(&folder);
        let data = folder.join("data");
        let mut init = unprivileged("initdb");
        init.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", USER, "-D"]).arg(&data);
        run(&mut init);
        let mut more = SETTINGS.to_owned();
        more.push_str(&format!("unix_socket_directories = '{}'\n", folder.display()));
        settings.iter().for_each(|setting| more.push_str(&format!("{setting}\n")));
        let mut file = std::fs::OpenOptions::new().append(true).open(data.join("postgresql.conf")).expect("settings");
        file.write_all(more.as_bytes()).expect("settings");
        if settings.contains(&"ssl=on") {
            certify(&folder);
        }
        let watchdog = watchdog(&folder);
        let mut cluster = Self { folder, port: 0, databases: AtomicUsize::new(0), watchdog };
        for _ in 0..STARTS {
            cluster.port = free_port();
            if cluster.control(&["start"]) {
                return cluster;
            }
        }
        let log = std::fs::read_to_string(cluster.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {log}");
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the cluster, for files of tests.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new, empty database; returns its URL.
    pub fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::SeqCst));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// What a statement returns: rows in lines, columns separated by `|`.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        query(&self.url(database), sql)
    }

    /// Stops the server at once, as if the power had failed, and starts it again.
    pub fn crash_and_restart(&self) {
        assert!(self.control(&["restart", "-m", "immediate"]), "PostgreSQL does not start again");
    }

    /// Stops the server; connections are cut.
    pub fn stop(&self) {
        assert!(self.control(&["stop", "-m", "fast"]), "PostgreSQL does not stop");
    }

    /// Starts the server that was stopped.
    pub fn resume(&self) {
        assert!(self.control(&["start"]), "PostgreSQL does not start again");
    }

    fn control(&self, action: &[&str]) -> bool {
        let mut control = unprivileged("pg_ctl");
        control.args(action).arg("-w").arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("log"));
        control.args(["-o", &format!("-p {}", self.port)]);
        // A group of its own: Ctrl-C is for the tests, and the server ends after them.
        control.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        control.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The watchdog does it, and is waited for.
        self.watchdog.stdin = None;
        let _ = self.watchdog.wait();
    }
}

/// What a statement in the database of this URL returns: rows in lines, columns separated by `|`.
pub fn query(url: &str, sql: &str) -> String {
    let mut psql = Command::new(program("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]);
    let output = psql.stdin(Stdio::null()).output().expect("psql");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A certificate for `localhost`, `certificate.pem` in the folder, and its key.
fn certify(folder: &Path) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]);
    openssl.args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]);
    run(openssl.arg("-out").arg(&certificate).arg("-keyout").arg(&key));
    for (file, name) in [(&certificate, "server.crt"), (&key, "server.key")] {
        let to = folder.join("data").join(name);
        std::fs::copy(file, &to).expect("a file");
        give_away(&to);
        run(Command::new("chmod").arg("600").arg(&to));
    }
}

/// A port of loopback that nobody has taken. None of those that the system gives to clients: while a server is away, one
/// of its clients could be given the server's port, and reach itself.
fn free_port() -> u16 {
    const PORTS: std::ops::Range<u16> = 16_000..32_000;
    let many = u32::from(PORTS.end - PORTS.start);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_micros());
    (0..many)
        .filter_map(|step| u16::try_from((now + step) % many).ok())
        .map(|place| PORTS.start + place)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Where a program of PostgreSQL's is: Debian keeps them out of the way, by version.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(_, path)| path.exists())
        .collect();
    found.sort();
    if let Some((_, path)) = found.pop() {
        return path;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let elsewhere = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.exists());
    elsewhere.unwrap_or_else(|| panic!("{name} is missing: run scripts/need.sh postgres pgbouncer"))
}

/// Whom servers run as, when we are root: they refuse that.
fn servant() -> Option<&'static str> {
    static SERVANT: OnceLock<Option<&str>> = OnceLock::new();
    *SERVANT.get_or_init(|| {
        let id = Command::new("id").arg("-u").output().expect("id");
        if String::from_utf8_lossy(&id.stdout).trim() != "0" {
            return None;
        }
        let exists = |name: &&str| Command::new("id").arg(name).output().is_ok_and(|output| output.status.success());
        ["postgres", "nobody"].into_iter().find(exists)
    })
}

/// A command that is not run as root.
fn unprivileged(name: &str) -> Command {
    let program = program(name);
    let Some(user) = servant() else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
    // Somewhere that this user may be in.
    command.current_dir("/");
    command
}

/// Lets the servers' user have the folder.
fn give_away(folder: &Path) {
    if let Some(user) = servant() {
        run(Command::new("chown").arg(user).arg(folder));
        run(Command::new("chmod").arg("755").arg(folder));
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A process that stops whatever runs in the folder and removes it, as soon as this process has ended.
fn watchdog(folder: &Path) -> Child {
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        # One that nobody waits for stays as a zombie.
        lives() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
        read -r _
        for file in "$1"/data/postmaster.pid "$1"/pgbouncer*.pid; do
            if [ -f "$file" ]; then
                pid=$(head -n 1 "$file")
                # Each by the signal that ends it at once; poolers pass QUIT over.
                case "$file" in */postmaster.pid) signal=QUIT ;; *) signal=TERM ;; esac
                kill -"$signal" "$pid" 2>/dev/null
                while lives "$pid"; do sleep 0.02; done
            fi
        done
        rm -rf "$1"
    "#;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT, "watchdog"]).arg(folder).stdin(Stdio::piped());
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a shell")
}
