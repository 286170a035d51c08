//! Histories of every shape, encoded for every driver and for services whose rules are stricter than the common form:
//! what is sent keeps each one's rules. The rules stand in `docs/providers.md`.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use turnkeep::clock::Timestamp;
use turnkeep::model::{Json, Message, MessageRole};
use turnkeep::project::messages_from_rows;
use turnkeep::provider::anthropic::Anthropic;
use turnkeep::provider::gemini::Gemini;
use turnkeep::provider::ollama::Ollama;
use turnkeep::provider::openai::OpenAi;
use turnkeep::provider::openai_compatible::OpenAiCompatible;
use turnkeep::provider::{ChatRequest, Driver};
use turnkeep::tool::ToolDefinition;

type Verdict = Result<(), String>;

fn sent(driver: &dyn Driver, request: &ChatRequest) -> Value {
    let fitted = driver.fitted(request);
    let wire = driver.encode(&fitted).expect("a request");
    serde_json::from_slice(&wire.body).expect("JSON")
}

fn want(holds: bool, rule: &str) -> Verdict {
    if holds { Ok(()) } else { Err(rule.to_owned()) }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

fn text_of<'v>(value: &'v Value, rule: &str) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("{rule}: {value}"))
}

/// What OpenAI's form asks of everybody.
fn common(body: &Value) -> Verdict {
    let messages = body["messages"].as_array().ok_or("messages")?;
    let mut waiting: Vec<String> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    for (place, message) in messages.iter().enumerate() {
        let role = text_of(&message["role"], "a role")?;
        want(waiting.is_empty() || role == "tool", "the outcomes of calls stand right behind them")?;
        match role {
            "system" | "developer" => want(place == 0, "the system prompt stands first")?,
            "user" => want(
                message["content"].as_str().map_or_else(
                    || message["content"].as_array().is_some_and(|parts| !parts.is_empty()),
                    |text| !text.is_empty(),
                ),
                "a user says something",
            )?,
            "assistant" => {
                let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
                let says = message["content"].as_str().is_some_and(|text| !text.is_empty());
                want(says || !calls.is_empty(), "an answer has text or calls")?;
                for call in calls {
                    want(is_name(text_of(&call["function"]["name"], "a name")?), "a name of a tool")?;
                    let arguments = text_of(&call["function"]["arguments"], "arguments")?;
                    let arguments: Value = serde_json::from_str(arguments).map_err(|_| "arguments are JSON")?;
                    want(arguments.is_object(), "arguments are an object")?;
                    let id = text_of(&call["id"], "an id")?.to_owned();
                    want(known.insert(id.clone()), "an id stands for one call")?;
                    waiting.push(id);
                }
            }
            "tool" => {
                let id = text_of(&message["tool_call_id"], "an id")?;
                want(waiting.first().is_some_and(|first| first == id), "outcomes come in the order of the calls")?;
                waiting.remove(0);
                want(message["content"].is_string(), "an outcome is a text")?;
            }
            _ => return Err(format!("the role {role}")),
        }
    }
    want(waiting.is_empty(), "every call has an outcome")
}

fn ids(body: &Value, fits: impl Fn(&str) -> bool) -> Verdict {
    let mut calls = body["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|m| m["tool_calls"].as_array().into_iter().flatten());
    calls.try_for_each(|call| want(call["id"].as_str().is_some_and(&fits), "an id in the service's form"))
}

fn words(most: usize) -> impl Fn(&str) -> bool {
    move |id| (1..=most).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Question, calls, outcomes, answer, and nothing else.
fn alternates(body: &Value) -> Verdict {
    let messages = body["messages"].as_array().into_iter().flatten().filter(|message| message["role"] != "system");
    let roles: Vec<&str> = messages.filter_map(|message| message["role"].as_str()).collect();
    want(roles.first() == Some(&"user"), "a user begins")?;
    for pair in roles.windows(2) {
        let is_wrong = matches!((pair[0], pair[1]), ("user" | "tool", "user") | ("user", "tool"));
        want(!is_wrong, "roles take turns")?;
    }
    Ok(())
}

fn members(body: &Value, allowed: &[&str]) -> Verdict {
    for message in body["messages"].as_array().into_iter().flatten() {
        for name in message.as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
            want(allowed.contains(&name), &format!("no member {name}"))?;
        }
    }
    Ok(())
}

fn no_blank_text(body: &Value) -> Verdict {
    for message in body["messages"].as_array().into_iter().flatten() {
        if let Some(text) = message["content"].as_str() {
            want(!text.trim().is_empty(), "no blank text")?;
        }
        for part in message["content"].as_array().into_iter().flatten() {
            want(part["text"].as_str().is_none_or(|text| !text.trim().is_empty()), "no blank text")?;
        }
    }
    Ok(())
}

fn texts_only(body: &Value) -> Verdict {
    body["messages"]
        .as_array()
        .into_iter()
        .flatten()
        .try_for_each(|m| want(!m["content"].is_array(), "content is a text"))
}

const STRICT: &[&str] = &["role", "content", "tool_calls", "tool_call_id", "name"];

fn strict(body: &Value) -> Verdict {
    common(body)?;
    members(body, STRICT)?;
    alternates(body)?;
    no_blank_text(body)?;
    ids(body, words(40))
}

type Rule = fn(&Value) -> Verdict;

/// Services by their addresses, a model of each, and what each refuses.
const GATEWAYS: &[(&str, &str, Rule)] = &[
    ("https://api.mistral.ai/v1", "mistral-large-latest", |body| {
        common(body)?;
        members(body, STRICT)?;
        alternates(body)?;
        want(body.get("stream_options").is_none(), "no stream_options")?;
        ids(body, |id| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()))
    }),
    ("https://api.groq.com/openai/v1", "openai/gpt-oss-120b", strict),
    ("https://api.cerebras.ai/v1", "gpt-oss-120b", |body| {
        strict(body)?;
        texts_only(body)
    }),
    ("https://api.deepseek.com", "deepseek-reasoner", |body| {
        common(body)?;
        texts_only(body)?;
        let messages = body["messages"].as_array().expect("messages");
        let newest = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
        let early = messages.iter().take(newest).any(|message| message.get("reasoning_content").is_some());
        want(!early, "no reasoning of earlier turns")
    }),
    ("https://house.openai.azure.com/openai/v1", "gpt-4.1", strict),
    ("https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1", "anthropic.claude", strict),
    ("https://openrouter.ai/api/v1", "anthropic/claude-sonnet-4.5", |body| {
        common(body)?;
        no_blank_text(body)?;
        ids(body, words(64))
    }),
    ("https://api.perplexity.ai", "sonar-pro", |body| {
        strict(body)?;
        texts_only(body)
    }),
    ("https://api.githubcopilot.com", "gemini-3-pro", |body| {
        common(body)?;
        ids(body, words(64))
    }),
    ("http://127.0.0.1:8000/v1", "mistralai/Mistral-Small", |body| {
        common(body)?;
        alternates(body)?;
        ids(body, |id| id.len() == 9 && id.chars().all(|c| c.is_ascii_alphanumeric()))
    }),
    ("http://127.0.0.1:8080/v1", "local", |body| {
        common(body)?;
        alternates(body)
    }),
];

fn openai(body: &Value) -> Verdict {
    common(body)?;
    ids(body, |id| (1..=40).contains(&id.len()))
}

fn anthropic(body: &Value) -> Verdict {
    let messages = body["messages"].as_array().ok_or("messages")?;
    let mut waiting: Vec<String> = Vec::new();
    let mut last = "assistant";
    for (place, message) in messages.iter().enumerate() {
        let role = text_of(&message["role"], "a role")?;
        want(role != last, "roles take turns, and a user begins")?;
        last = if role == "user" { "user" } else { "assistant" };
        let content = message["content"].as_array().ok_or("content")?;
        want(!content.is_empty(), "content is not empty")?;
        let mut answered: Vec<String> = Vec::new();
        for block in content {
            match text_of(&block["type"], "a type")? {
                "text" => want(block["text"].as_str().is_some_and(|text| !text.trim().is_empty()), "no blank text")?,
                "tool_use" => {
                    want(is_name(text_of(&block["name"], "a name")?), "a name of a tool")?;
                    want(block["input"].is_object(), "an input is an object")?;
                    let id = text_of(&block["id"], "an id")?;
                    want(words(64)(id), "an id in Anthropic's form")?;
                    waiting.push(id.to_owned());
                }
                "tool_result" => {
                    answered.push(text_of(&block["tool_use_id"], "an id")?.to_owned());
                    let is_blank = block["content"].as_str().is_some_and(|text| text.trim().is_empty());
                    want(!(block["is_error"] == true && is_blank), "an error says something")?;
                }
                "thinking" => want(block["signature"].is_string(), "thinking is signed")?,
                "image" | "document" => {}
                "server_tool_use" => {
                    let id = &block["id"];
                    let has_result = content.iter().any(|other| other["tool_use_id"] == *id);
                    want(has_result || place + 1 == messages.len(), "a call at Anthropic has its result")?;
                }
                "web_search_tool_result" => want(role == "assistant", "a result stands with its call")?,
                other => return Err(format!("the block {other}")),
            }
        }
        if role == "user" {
            want(answered == waiting, "all outcomes stand in the next message")?;
            waiting.clear();
        } else {
            want(answered.is_empty(), "a model gives no outcomes")?;
            let ends = content.last().and_then(|block| block["text"].as_str()).unwrap_or_default();
            want(place + 1 < messages.len() || ends == ends.trim_end(), "no white space at the end")?;
        }
    }
    want(waiting.is_empty(), "every call has an outcome")
}

fn gemini(body: &Value) -> Verdict {
    let contents = body["contents"].as_array().ok_or("contents")?;
    want(contents.first().is_none_or(|content| content["role"] == "user"), "a user begins")?;
    let mut waiting: Vec<String> = Vec::new();
    for content in contents {
        let parts = content["parts"].as_array().ok_or("parts")?;
        want(!parts.is_empty(), "parts are not empty")?;
        let mut answered: Vec<String> = Vec::new();
        let mut called: Vec<String> = Vec::new();
        for part in parts {
            if let Some(text) = part.get("text") {
                let is_signed = part.get("thoughtSignature").is_some();
                want(is_signed || text.as_str().is_some_and(|text| !text.is_empty()), "no empty text")?;
            }
            let name = |of: &Value| -> Result<String, String> {
                let name = text_of(&of["name"], "a name")?;
                let first = name.chars().next().unwrap_or('-');
                want(is_name(name) && (first.is_ascii_alphabetic() || first == '_'), "a name of a function")?;
                Ok(name.to_owned())
            };
            if let Some(call) = part.get("functionCall") {
                want(call["args"].is_object(), "arguments are an object")?;
                called.push(name(call)?);
            }
            if let Some(response) = part.get("functionResponse") {
                want(response["response"].is_object(), "a response is an object")?;
                answered.push(name(response)?);
            }
        }
        want(answered == waiting, "as many responses as calls, right behind them")?;
        waiting = called;
    }
    want(waiting.is_empty(), "every call has a response")
}

fn ollama(body: &Value) -> Verdict {
    alternates(body)?;
    let mut waiting = 0;
    for message in body["messages"].as_array().ok_or("messages")? {
        match text_of(&message["role"], "a role")? {
            "tool" => {
                want(waiting > 0, "an outcome has a call")?;
                waiting -= 1;
                want(message["content"].is_string(), "an outcome is a text")?;
            }
            _ => want(waiting == 0, "outcomes stand right behind the calls")?,
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            want(is_name(text_of(&call["function"]["name"], "a name")?), "a name of a tool")?;
            want(call["function"]["arguments"].is_object(), "arguments are an object")?;
            waiting += 1;
        }
    }
    want(waiting == 0, "every call has an outcome")
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" \n".to_owned()),
        Just("words".to_owned()),
        Just("ends in blanks \n".to_owned()),
        "\\PC{0,12}",
    ]
}

fn tool_name() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("get".to_owned()),
        Just("wiki.pages.read".to_owned()),
        Just("get<|channel|>analysis".to_owned()),
        Just(format!("curl {}", "y".repeat(230))),
        Just("1st".to_owned()),
        Just("…".to_owned()),
        Just("-".to_owned()),
        "\\PC{1,80}",
    ]
}

fn call_id() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("call_0".to_owned()),
        Just("toolu_01A09q90qw90lq917835lq9".to_owned()),
        Just("functions.get:0".to_owned()),
        Just("D681PevKs".to_owned()),
        Just("x".repeat(200)),
        Just("é".to_owned()),
        "\\PC{1,50}",
    ]
}

fn metadata() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some(json!({"anthropic": {"signature": "S"}}))),
        1 => Just(Some(json!({"google": {"thoughtSignature": "T"}}))),
        1 => Just(Some(json!({"openaiCompatible": {"reasoningField": "reasoning"}}))),
        1 => Just(Some(json!({"gateway": {"reasoning_details": [{"type": "reasoning.encrypted", "data": "D"}]}}))),
    ]
}

fn with(mut part: Value, key: &str, metadata: Option<Value>) -> Value {
    if let Some(metadata) = metadata {
        part[key] = metadata;
    }
    part
}

fn part() -> impl Strategy<Value = Value> {
    let said = (text(), metadata(), any::<bool>()).prop_map(|(text, metadata, reasons)| {
        let kind = if reasons { "reasoning" } else { "text" };
        with(json!({"type": kind, "text": text, "state": "done"}), "providerMetadata", metadata)
    });
    let input =
        prop_oneof![Just(json!({})), Just(json!({"a": 1.5})), Just(json!("{bro")), Just(json!([1])), Just(Value::Null)];
    let output = prop_oneof![
        Just(json!("")),
        Just(json!(" ")),
        Just(Value::Null),
        Just(json!({"a": [1, 2]})),
        Just(json!("text")),
        Just(
            json!({"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}, {"type": "text", "text": " "}]})
        ),
    ];
    let state =
        prop_oneof![Just("output-available"), Just("output-error"), Just("input-available"), Just("input-streaming")];
    let call = (tool_name(), call_id(), input, state, output, text(), metadata()).prop_map(
        |(name, id, input, state, output, error, metadata)| {
            let mut part = json!({"type": format!("tool-{name}"), "toolCallId": id, "state": state, "input": input});
            match state {
                "output-available" => part["output"] = output,
                "output-error" => part["errorText"] = json!(error),
                _ => {}
            }
            with(part, "callProviderMetadata", metadata)
        },
    );
    prop_oneof![
        2 => Just(json!({"type": "step-start"})),
        3 => said,
        3 => call,
        1 => Just(json!({"type": "source-url", "sourceId": "s", "url": "https://example.com"})),
        1 => Just(json!({"type": "data-x", "data": 1})),
        1 => Just(json!({"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"})),
        1 => Just(json!({"type": "tool-web_search", "toolCallId": "srvtoolu_1", "state": "output-available", "input": {},
            "output": [], "providerExecuted": true})),
        1 => Just(json!({"type": "tool-web_search", "toolCallId": "srvtoolu_2", "state": "input-available", "input": {},
            "providerExecuted": true})),
    ]
}

fn user_part() -> impl Strategy<Value = Value> {
    let image = json!({"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"});
    prop_oneof![4 => text().prop_map(|text| json!({"type": "text", "text": text})), 1 => Just(image)]
}

fn row(role: MessageRole, parts: &[Value]) -> Message {
    Message {
        id: turnkeep::MessageId::generate(),
        chat_id: turnkeep::ChatId::generate(),
        workspace_id: "w".into(),
        user_id: None,
        role,
        content: String::new(),
        tool_calls: None,
        metadata: Json::from_value(&json!({"parts": parts})).ok(),
        status: None,
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
    }
}

fn history(images: bool) -> impl Strategy<Value = ChatRequest> {
    let said = prop::collection::vec(user_part(), 0..3).prop_map(move |mut parts| {
        parts.retain(|part| images || part["type"] == "text");
        row(MessageRole::User, &parts)
    });
    let answered = prop::collection::vec(part(), 0..7).prop_map(|parts| row(MessageRole::Assistant, &parts));
    let rows = prop::collection::vec(prop_oneof![said, answered], 0..8);
    (rows, any::<bool>()).prop_map(|(mut rows, in_a_step)| {
        // A user has begun, and may have said something since.
        if in_a_step {
            rows.insert(0, row(MessageRole::User, &[json!({"type": "text", "text": "Go on."})]));
        } else {
            rows.push(row(MessageRole::User, &[json!({"type": "text", "text": "And now?"})]));
        }
        ChatRequest {
            system: "S".into(),
            messages: messages_from_rows(&rows),
            tools: vec![ToolDefinition::new("get"), ToolDefinition::new("1st")],
            ..ChatRequest::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_gateway_takes_every_history(request in history(false)) {
        for (url, model, rule) in GATEWAYS {
            let body = sent(&OpenAiCompatible::new(url, model), &request);
            let verdict = rule(&body);
            prop_assert!(verdict.is_ok(), "{url}: {verdict:?} in {}", body["messages"]);
        }
    }

    #[test]
    fn every_driver_takes_every_history(request in history(true)) {
        let drivers: [(&str, Box<dyn Driver>, Rule); 6] = [
            ("openai", Box::new(OpenAi::new(None, "gpt-5")), openai),
            ("anthropic", Box::new(Anthropic::new(None, "claude-sonnet-4-5")), anthropic),
            ("gemini", Box::new(Gemini::new(None, "gemini-3-pro")), gemini),
            ("gemini 2", Box::new(Gemini::new(None, "gemini-2.5-flash")), gemini),
            ("ollama", Box::new(Ollama::new(None, "m")), ollama),
            ("openai-compatible", Box::new(OpenAiCompatible::new("http://127.0.0.1/v1", "m")), |body| {
                common(body)?;
                alternates(body)
            }),
        ];
        for (name, driver, rule) in drivers {
            let body = sent(driver.as_ref(), &request);
            let verdict = rule(&body);
            prop_assert!(verdict.is_ok(), "{name}: {verdict:?} in {body}");
        }
    }

    /// A provider's cache knows the beginning of what it was sent before.
    #[test]
    fn what_was_sent_before_is_the_beginning_of_what_is_sent_next(request in history(false)) {
        let mut longer = request.clone();
        longer.messages.extend(messages_from_rows(&[
            row(MessageRole::Assistant, &[json!({"type": "text", "text": "So."})]),
            row(MessageRole::User, &[json!({"type": "text", "text": "Next."})]),
        ]));
        if !matches!(request.messages.last(), Some(turnkeep::project::ModelMessage::User(_))) {
            return Ok(());
        }
        for driver in [
            Box::new(OpenAiCompatible::new("https://api.mistral.ai/v1", "mistral-large")) as Box<dyn Driver>,
            Box::new(Anthropic::new(None, "claude-sonnet-4-5")),
        ] {
            let (before, after) = (sent(driver.as_ref(), &request), sent(driver.as_ref(), &longer));
            let (before, after) = (before["messages"].as_array().unwrap().clone(), after["messages"].as_array().unwrap().clone());
            prop_assert_eq!(&after[..before.len()], &before[..]);
        }
    }
}
