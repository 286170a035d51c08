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
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => roots = Some(value),
                Some(("schema", value)) => schema = Some(value.to_owned()),
                Some(("pool_size", value)) => {
                    pool_size = value
                        .parse()
                        .ok()
                        .filter(|size| (1..=1000).contains(size))
                        .ok_or_else(|| refused("pool_size must be a number from 1 to 1000"))?;
                }
                _ => kept.push(pair),
            }
        }
        let plain = if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
        let mut config = Config::from_str(&plain)
            .map_err(|_| refused("is not a PostgreSQL URL, or has a parameter that is not known"))?;
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
