//! The process that is killed, or closes: it drives what others have begun.

use serde_json::json;
use turnkeep::Engine;
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::options;

use crate::race::look;

pub(crate) fn run(store: &str, base_url: &str, lease: &str) -> Result<(), String> {
    let lease: u64 = lease.parse().map_err(|_| "the lease must be milliseconds")?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let limits = json!({"runs": {"leaseMs": lease, "stopPollMs": 100}});
        let engine = Engine::open(options(store, base_url, limits)).await.map_err(|error| error.to_string())?;
        engine.offer_tools(vec![look()]).map_err(|error| error.to_string())?;
        tell("offers");
        let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
        let _ = ended.await;
        // At once: what is under way is handed over within its step.
        engine.close(Some(std::time::Duration::ZERO)).await.map_err(|error| error.to_string())
    })
}
