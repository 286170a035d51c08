//! `worker-child STORE BASE_URL LEASE_MS [INSTANCE]`: offers the tools `weather` and `time` until its input ends, and then closes in
//! order. It is there to be killed.

use serde_json::json;
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::{options, weather_and_time};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, store, base_url, lease, instance @ ..] = arguments.as_slice() else {
        panic!("usage: worker-child STORE URL LEASE_MS [INSTANCE]")
    };
    let lease: u64 = lease.parse().expect("milliseconds");
    let mut limits = json!({"runs": {"leaseMs": lease}});
    if let Some(instance) = instance.first() {
        limits["instanceId"] = json!(instance);
    }
    let options = options(store, base_url, limits);
    let engine = turnkeep::Engine::open(options).await.expect("an engine");
    engine.offer_tools(weather_and_time()).expect("tools");
    tell("offers");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await.expect("a thread").expect("an input");
    engine.close(None).await.expect("an end");
    tell("closed");
}
