//! Whom we trust: the machine's certificates, those that the host adds, and bundled ones where the machine has none.

use std::process::Command;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto::aws_lc_rs};
use turnkeep::model::{RunOutcome, RunStatus};
use turnkeep::{ChatId, Engine};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{options, request, store_in};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// Serves one answer after another over TLS; returns the base URL and the certificate as PEM.
async fn tls_provider() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/v1", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 64 * 1024];
                if stream.read(&mut request).await.is_err() {
                    return;
                }
                let events = [vec![text("secure")], finish("stop", 1, 1)].concat().concat();
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(format!("{head}{events}").as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (url, certificate.pem())
}

async fn outcome(base_url: &str, http: Value) -> RunOutcome {
    let engine = Engine::open(options("sqlite::memory:", base_url, json!({"http": http}))).await.unwrap();
    let turn = engine.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    let outcome = turn.done().await.unwrap();
    engine.close(None).await.unwrap();
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused_unless_the_host_does() {
    let (base_url, pem) = tls_provider().await;
    // A wait before another try would make the test hang: what is not trusted is not tried again.
    let refused = outcome(&base_url, json!({"retryWaitMs": 1_000_000_000})).await;
    assert_eq!(refused.status, RunStatus::Failed);
    let error = refused.error.unwrap();
    assert!(error.contains("could not be reached") && error.to_lowercase().contains("certificate"), "{error}");
    let bundled = outcome(&base_url, json!({"bundledRoots": true, "retryWaitMs": 1_000_000_000})).await;
    assert_eq!(bundled.status, RunStatus::Failed);
    assert_eq!(outcome(&base_url, json!({"caPem": pem})).await.status, RunStatus::Succeeded);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &pem).unwrap();
    assert_eq!(outcome(&base_url, json!({"caFile": file})).await.status, RunStatus::Succeeded);
    // They come on top of the machine's, and of the bundled ones.
    assert_eq!(outcome(&base_url, json!({"caPem": pem, "bundledRoots": true})).await.status, RunStatus::Succeeded);
}

/// In slim images there is no certificate at all; the HTTP library then builds no client, not even for plain HTTP.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_certificates_gets_the_bundled_ones() {
    let answer = Response::stream([vec![text("fine")], finish("stop", 1, 1)].concat());
    let provider = ScriptedProvider::start(Script { responses: vec![answer], ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("none");
    let mut command = Command::new(env!("CARGO_BIN_EXE_turn-child"));
    command.args([store_in(folder.path()), provider.base_url(), ChatId::generate().to_string()]);
    command.env("SSL_CERT_FILE", &nothing).env("SSL_CERT_DIR", &nothing);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("step\n") && said.ends_with("done\n"), "{said} {}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_used_only_when_it_is_asked_for() {
    let answer = || Response::stream([vec![text("fine")], finish("stop", 1, 1)].concat());
    let proxy = ScriptedProvider::start(Script { responses: vec![answer()], ..Script::default() }).await;
    let url = format!("http://127.0.0.1:{}", proxy.port());
    // Nobody is at this address; a proxy answers in its place.
    let through = outcome("http://127.0.0.9:9/v1", json!({"proxy": url})).await;
    assert_eq!((through.status, proxy.requests().len()), (RunStatus::Succeeded, 1));

    let provider = ScriptedProvider::start(Script { responses: vec![answer()], ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_turn-child"));
    command.args([store_in(folder.path()), provider.base_url(), ChatId::generate().to_string()]);
    command.env("HTTP_PROXY", &url).env("http_proxy", &url).env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("done\n"));
    assert_eq!((provider.requests().len(), proxy.requests().len()), (1, 1));
}
