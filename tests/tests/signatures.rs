//! What a provider wants to see again reaches it again, byte for byte, out of the database of a process that is gone.

use serde_json::{Value, json};
use turnkeep::Engine;
use turnkeep::model::RunStatus;
use turnkeep_tests::chunks::event;
use turnkeep_tests::fault::{Act, Acts, FaultServer, head};
use turnkeep_tests::scenario::{options, request, store_in, weather_and_time};

/// Base64 with everything in it that a careless copy would change.
const SIGNATURE: &str = "Eo8BCq+/7/8AAAA\\u003d\u{e9}+/==";
const OF_THE_CALL: &str = "c2lnbmF0dXJlIG9mIHRoZSBjYWxs+/8=";

fn answer(events: &[String]) -> Acts {
    vec![Act::Send([head(200, &[("content-type", "text/event-stream")]), events.concat().into_bytes()].concat())]
}

fn sent(server: &FaultServer, number: usize) -> Value {
    let request = server.requests()[number].clone();
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// A turn with a tool, and another one by an engine that is opened anew; the body of the last request.
async fn asked_again(driver: &str, first: Acts, second: Acts) -> (Value, Value) {
    let server = FaultServer::start(vec![first, second.clone(), second]).await;
    let folder = tempfile::tempdir().unwrap();
    let provider =
        json!({"default": {"driver": driver, "model": "gemini-3-pro", "baseUrl": server.base_url(), "apiKey": "k"}});
    let mut chat = json!({});
    for _ in 0..2 {
        let options = options(&store_in(folder.path()), "", json!({"providers": provider}));
        let engine = Engine::open(options).await.unwrap();
        let turn = engine.start_turn(request("The weather in Oslo?", chat), weather_and_time()).await.unwrap();
        let outcome = turn.done().await.unwrap();
        assert_eq!(outcome.status, RunStatus::Succeeded, "{driver}: {outcome:?}");
        chat = json!({"chatId": turn.chat_id()});
        engine.close(None).await.unwrap();
    }
    (sent(&server, 1), sent(&server, 2))
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_sees_its_thoughts_signatures_again() {
    let candidate = |parts: Value, reason: Option<&str>| {
        event(&json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}]}))
    };
    let call = json!({"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": OF_THE_CALL});
    let first = answer(&[candidate(json!([{"text": "Hm.", "thought": true}, call]), Some("STOP"))]);
    let second = answer(&[
        candidate(json!([{"text": "It is 21 degrees."}]), None),
        candidate(json!([{"text": "", "thoughtSignature": SIGNATURE}]), Some("STOP")),
    ]);
    let (step, turn) = asked_again("gemini", first, second).await;
    for body in [&step, &turn] {
        let calls: Vec<&Value> = body["contents"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|content| content["parts"].as_array().unwrap())
            .filter(|part| part.get("functionCall").is_some())
            .collect();
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0]["thoughtSignature"], OF_THE_CALL);
    }
    assert!(!step.to_string().contains("21 degrees"));
    let signed: Vec<&Value> = turn["contents"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|content| content["parts"].as_array().unwrap())
        .filter(|part| part["text"] == "It is 21 degrees.")
        .collect();
    assert_eq!((signed.len(), &signed[0]["thoughtSignature"]), (1, &json!(SIGNATURE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn anthropic_sees_its_thinking_and_its_signatures_again() {
    let named = |kind: &str, mut value: Value| {
        value["type"] = json!(kind);
        format!("event: {kind}\ndata: {value}\n\n")
    };
    let start = || {
        named(
            "message_start",
            json!({"message": {"id": "i", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
        )
    };
    let end = |reason: &str| {
        named("message_delta", json!({"delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}}))
            + &named("message_stop", json!({}))
    };
    let block = |index: u32, block: Value, deltas: &[Value]| {
        let deltas = deltas.iter().map(|delta| named("content_block_delta", json!({"index": index, "delta": delta})));
        named("content_block_start", json!({"index": index, "content_block": block}))
            + &deltas.collect::<String>()
            + &named("content_block_stop", json!({"index": index}))
    };
    let first = answer(&[
        start(),
        block(
            0,
            json!({"type": "thinking", "thinking": ""}),
            &[
                json!({"type": "thinking_delta", "thinking": "Let me "}),
                json!({"type": "thinking_delta", "thinking": "look."}),
                json!({"type": "signature_delta", "signature": SIGNATURE}),
            ],
        ),
        block(1, json!({"type": "redacted_thinking", "data": OF_THE_CALL}), &[]),
        block(
            2,
            json!({"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}),
            &[json!({"type": "input_json_delta", "partial_json": "{\"city\":\"Oslo\"}"})],
        ),
        end("tool_use"),
    ]);
    let second = answer(&[
        start(),
        block(0, json!({"type": "text", "text": ""}), &[json!({"type": "text_delta", "text": "It is 21 degrees."})]),
        end("end_turn"),
    ]);
    let (step, turn) = asked_again("anthropic", first, second).await;
    for body in [&step, &turn] {
        let assistant =
            body["messages"].as_array().unwrap().iter().find(|message| message["role"] == "assistant").unwrap();
        let expected = [
            json!({"type": "thinking", "thinking": "Let me look.", "signature": SIGNATURE}),
            json!({"type": "redacted_thinking", "data": OF_THE_CALL}),
        ];
        assert_eq!(assistant["content"].as_array().unwrap()[..2], expected);
        assert_eq!(assistant["content"][2]["id"], "toolu_1");
    }
}
