//! `same-turn DATABASE BASE_URL`: Rust's part in the comparison of languages; see `tests/languages/README.md`.

use serde_json::{Value, json};
use turnkeep_tests::scenario::{FnTool, all_chunks, options, request, tool};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, database, base_url] = arguments.as_slice() else { panic!("usage: same-turn DATABASE BASE_URL") };
    let options = options(&format!("sqlite:{database}"), base_url, json!({}));
    let engine = turnkeep::Engine::open(options).await.expect("an engine");
    let weather = |input: Value| Ok(json!({"city": input["city"], "tempC": 21.5, "note": "Grüße 😀"}));
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = vec![
        tool(json!({"name": "weather", "description": "Tells the weather", "inputSchema": schema}), FnTool(weather)),
        tool(json!({"name": "broken"}), FnTool(|_| Err("it broke".to_owned()))),
        tool(json!({"name": "nothing", "readOnly": true}), FnTool(|_| Ok(Value::Null))),
        tool(json!({"name": "long"}), FnTool(|_| Ok(json!("x".repeat(5000))))),
    ];
    let turn = engine.start_turn(request("Grüße 😀", json!({})), tools).await.expect("a turn");
    for chunk in all_chunks(&turn).await {
        println!("{chunk}");
    }
    turn.done().await.expect("an outcome");
    engine.close(None).await.expect("a clean close");
}
