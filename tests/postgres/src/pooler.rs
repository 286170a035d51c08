//! pgbouncer before a cluster.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::{Cluster, USER, free_port, give_away, program, run, servant};

/// How long pgbouncer may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pooler in transaction mode: a connection to the server is anybody's, from one transaction to the next.
pub struct Pooler {
    port: u16,
    pid: PathBuf,
}

impl Pooler {
    /// The pooler before [`Cluster::shared`], with few connections, so that they are shared indeed.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pooler> = OnceLock::new();
        SHARED.get_or_init(|| Pooler::start(Cluster::shared(), 3))
    }

    /// Starts pgbouncer before the cluster, with at most `servers` connections to each of its databases.
    pub fn start(cluster: &Cluster, servers: usize) -> Self {
        let port = free_port();
        let folder = cluster.folder().join(format!("pgbouncer-{port}"));
        std::fs::create_dir(&folder).expect("a folder");
        give_away(&folder);
        let (users, pid) = (folder.join("users"), cluster.folder().join(format!("pgbouncer-{port}.pid")));
        std::fs::write(&users, format!("\"{USER}\" \"\"\n")).expect("a file");
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\nmax_client_conn = 500\n\
             default_pool_size = {servers}\nlogfile = {}\npidfile = {}\n",
            cluster.port(),
            users.display(),
            folder.join("log").display(),
            pid.display(),
        );
        let file = folder.join("settings.ini");
        std::fs::write(&file, settings).expect("a file");
        let mut command = Command::new("/usr/sbin/pgbouncer");
        if !std::path::Path::new("/usr/sbin/pgbouncer").exists() {
            command = Command::new(program("pgbouncer"));
        }
        if let Some(user) = servant() {
            let bouncer = command.get_program().to_owned();
            command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(bouncer);
        }
        run(command.arg("-d").arg(&file).current_dir("/"));
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < PATIENCE, "pgbouncer does not listen");
        }
        Self { port, pid }
    }

    /// The URL of a database behind the pooler.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(&self.pid) {
            let _ = Command::new("kill").args(["-QUIT", pid.trim()]).stderr(Stdio::null()).status();
        }
    }
}
