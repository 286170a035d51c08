//! From the store's URL to connections.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::Connect;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::{Error, Result};

/// How long the way to one address and the handshake there may take together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server works on one statement before it gives up: as long as callers wait for it. Only the server knows
/// that nobody waits any more.
const STATEMENT_TIMEOUT: Duration = super::OPERATION_DEADLINE;
/// How long what was sent may stay unconfirmed before the connection counts as lost.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a silent connection is left unasked; middleboxes forget connections after some minutes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Connections of a process unless the URL says otherwise: PostgreSQL gives out 100 in all by default, and one does some
/// thousand steps a second.
const POOL_SIZE: usize = 10;

/// What a URL says.
pub(super) struct Target {
    config: Config,
    tls: MakeRustlsConnect,
    /// Sent at the beginning of a session, and found again only where the session is ours alone.
    marker: String,
    schema: Option<String>,
    own_options: Option<String>,
    pub(super) pool_size: usize,
}

/// Parameters of other libraries and services that do not change where and how to connect: Prisma's and Supabase's of
/// their pools, libpq's of authentication that is not used here and of what is set anyway.
const PASSED_OVER: &[&str] = &[
    "pgbouncer",
    "pool_timeout",
    "pool_mode",
    "socket_timeout",
    "statement_cache_size",
    "prepared_statements",
    "prepareThreshold",
    "preparedStatementCacheQueries",
    "uselibpqcompat",
    "gssencmode",
    "gsslib",
    "gssdelegation",
    "krbsrvname",
    "sslcompression",
    "sslsni",
    "fallback_application_name",
    "client_encoding",
    "passfile",
    "requirepeer",
    "require_auth",
    "ApplicationName",
    "tcpKeepAlive",
    "reWriteBatchedInserts",
    "supa",
    "workaround",
];
/// Where the sockets of this machine's server lie.
#[cfg(unix)]
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What the parameter `ssl` of JavaScript's libraries means.
fn ssl_of_node(value: &str) -> Option<&'static str> {
    match value {
        "true" | "1" | "require" | "" => Some("require"),
        "no-verify" => Some("no-verify"),
        "false" | "0" | "disable" => Some("disable"),
        "prefer" => Some("prefer"),
        _ => None,
    }
}

/// Says which parameter is in the way; what stands there may be no name but a secret.
fn unusable(name: &str) -> String {
    let is_name = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let name = if is_name && !name.is_empty() { format!("the parameter {name}") } else { "a parameter".to_owned() };
    format!("{name} of the URL is not known, or has a value that cannot be used; take it out")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verification {
    Nothing,
    Everything,
}

impl Target {
    /// Reads `postgres://user:password@host:port/database?sslmode=…`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        // Nothing of the text goes into an error: it may hold the password in places where none is expected.
        let refused = |problem: &str| Error::invalid("store", problem);
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut kept, mut mode, mut roots, mut schema, mut pool_size) = (Vec::new(), None, None, None, POOL_SIZE);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let size = || value.parse().ok().filter(|size| (1..=1000).contains(size));
            match name {
                "sslmode" => mode = Some(value),
                "ssl" if mode.is_some() => {}
                "ssl" => {
                    mode = Some(ssl_of_node(value).ok_or_else(|| refused("ssl must be true, false or no-verify"))?)
                }
                "sslrootcert" => roots = Some(value),
                "schema" | "currentSchema" => schema = Some(value.to_owned()),
                "pool_size" | "connection_limit" => {
                    pool_size = size().ok_or_else(|| refused(&format!("{name} must be a number from 1 to 1000")))?;
                }
                _ if PASSED_OVER.contains(&name) => {}
                _ => {
                    // Each by itself, so that the one that is in the way can be named.
                    Config::from_str(&format!("postgres://host/?{pair}")).map_err(|_| refused(&unusable(name)))?;
                    kept.push(pair);
                }
            }
        }
        let plain = if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
        let mut config = Config::from_str(&plain).map_err(|_| refused("is not a PostgreSQL URL"))?;
        #[cfg(unix)]
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            // As libpq does: the socket of this machine, where the distribution puts it.
            let folder = SOCKET_FOLDERS.iter().find(|folder| std::path::Path::new(folder).is_dir());
            config.host_path(folder.unwrap_or(&SOCKET_FOLDERS[0]));
        }
        let (ssl_mode, verification) = match mode {
            Some("disable") => (SslMode::Disable, Verification::Nothing),
            // A server that says that it has no TLS is believed, so there is no use in doubting its certificate.
            None | Some("prefer" | "allow") => (SslMode::Prefer, Verification::Nothing),
            Some("no-verify") => (SslMode::Require, Verification::Nothing),
            Some("require" | "verify-ca" | "verify-full") => (SslMode::Require, Verification::Everything),
            Some(_) => {
                return Err(refused("sslmode must be disable, prefer, require, verify-ca, verify-full or no-verify"));
            }
        };
        if schema.as_deref().is_some_and(|name| !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')) {
            return Err(refused("schema may have letters, digits and underscores"));
        }
        let own_options = config.get_options().map(str::to_owned);
        let patience = config.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT).min(CONNECT_TIMEOUT);
        config
            .ssl_mode(ssl_mode)
            .connect_timeout(patience)
            .tcp_user_timeout(TCP_USER_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE);
        if config.get_application_name().is_none() {
            config.application_name("turnkeep");
        }
        let marker = uuid::Uuid::now_v7().simple().to_string();
        Ok(Self { config, tls: tls(verification, roots)?, marker, schema, own_options, pool_size })
    }

    /// Opens the first connection, which tells what is on the other side.
    pub(super) async fn explore(self) -> Result<Connector, tokio_postgres::Error> {
        let mut options =
            format!("-c statement_timeout={} -c turnkeep.session={}", STATEMENT_TIMEOUT.as_millis(), self.marker);
        if let Some(schema) = &self.schema {
            options = format!("{options} -c search_path={schema}");
        }
        if let Some(own) = &self.own_options {
            options = format!("{own} {options}");
        }
        let mut config = self.config.clone();
        config.options(options);
        let mut connector =
            Connector { config, tls: self.tls, marker: self.marker, shared_sessions: Arc::new(AtomicBool::new(false)) };
        match connector.open().await {
            Ok(_) => {}
            // Poolers refuse options of a session: theirs are shared.
            Err(error) if error.code().is_some_and(refuses_options) && self.schema.is_none() => {
                connector.config = self.config;
                connector.shared_sessions.store(true, Ordering::SeqCst);
                connector.open().await?;
            }
            Err(error) => return Err(error),
        }
        Ok(connector)
    }
}

/// Whether the same may be accepted without options: not when it is the user, the database, or the server's state.
fn refuses_options(state: &SqlState) -> bool {
    !matches!(state.code().get(..2), Some("28" | "3D" | "53" | "57"))
}

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    marker: String,
    /// Somewhere between us and the server, sessions are given to whoever needs one. Statements that were prepared in
    /// one may then be missing in the next, or be another process's of the same name.
    pub(super) shared_sessions: Arc<AtomicBool>,
}

type OpenConnection = Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

impl Connector {
    pub(super) fn config(&self) -> Config {
        self.config.clone()
    }

    pub(super) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// A connection that somebody else polls.
    pub(super) async fn raw(&self) -> Result<(Client, OpenConnection), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }

    async fn open(&self) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let (client, connection) = self.raw().await?;
        // It ends when the client is dropped, after having said so to the server; the pool would cut it off. Whoever
        // uses the connection is told what became of it.
        tokio::spawn(connection);
        let task = tokio::spawn(async {});
        let found = client
            .query_typed("SELECT current_setting('turnkeep.session', true)", &[])
            .await?
            .first()
            .and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten());
        if found.as_deref() != Some(self.marker.as_str()) {
            self.shared_sessions.store(true, Ordering::SeqCst);
        }
        Ok((client, task))
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        _: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + '_>> {
        Box::pin(self.open())
    }
}

fn tls(verification: Verification, roots: Option<&str>) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |problem: &str| Error::invalid("store", problem);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::internal("the TLS library has no protocol version"))?;
    let config = match (verification, roots) {
        (Verification::Nothing, _) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(provider))).with_no_client_auth()
        }
        (Verification::Everything, Some(file)) => {
            let mut store = RootCertStore::empty();
            let certificates =
                CertificateDer::pem_file_iter(file).map_err(|_| unusable("the file of sslrootcert cannot be read"))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|_| unusable("the file of sslrootcert is not PEM"))?;
                store.add(certificate).map_err(|_| unusable("the file of sslrootcert has no usable certificate"))?;
            }
            builder.with_root_certificates(store).with_no_client_auth()
        }
        (Verification::Everything, None) => builder
            .with_platform_verifier()
            .map_err(|_| unusable("this machine has no usable TLS root certificates; name some in sslrootcert"))?
            .with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// Takes any certificate, where the URL says so.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(url: &str) -> Option<String> {
        Target::parse(url).err().map(|error| error.to_string())
    }

    #[test]
    fn urls_are_taken_as_services_and_libraries_hand_them_out() {
        for query in [
            "sslmode=require&channel_binding=require",
            "schema=public&connection_limit=5&pool_timeout=20&pgbouncer=true",
            "ssl=true",
            "ssl=no-verify&uselibpqcompat=true",
            "gssencmode=disable&keepalives_idle=30&connect_timeout=5&target_session_attrs=read-write",
            "options=endpoint%3Dep-cool-1",
            "host=/nowhere",
        ] {
            assert_eq!(problem(&format!("postgres://u:p@127.0.0.1:1/db?{query}")), None, "{query}");
        }
        assert_eq!(problem("postgresql:///db"), None);
        assert_eq!(Target::parse("postgres://h/d?connection_limit=3").unwrap().pool_size, 3);
        assert_eq!(Target::parse("postgres://h/d?currentSchema=chats").unwrap().schema.as_deref(), Some("chats"));
    }

    #[test]
    fn a_parameter_in_the_way_is_named_and_nothing_else_is_said() {
        let told = |query: &str| problem(&format!("postgres://u:hunter2@h/db?{query}")).unwrap();
        assert!(told("sslcert=/c.pem").contains("the parameter sslcert"));
        assert!(told("keepalives_idle=secret").contains("keepalives_idle"));
        for query in ["sslcert=hunter2", "hunter2 hunter2=1", "sslmode=hunter2", "ssl=hunter2", "pool_size=hunter2"] {
            assert!(!told(query).contains("hunter2"), "{query}");
        }
    }
}
