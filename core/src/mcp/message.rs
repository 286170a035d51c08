//! Messages of JSON-RPC, as they are written and read.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::words;

/// How much of a server's own words is told.
const TOLD_UNITS: usize = 500;

/// A request that waits for an answer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) id: u64,
    pub(super) method: &'static str,
    pub(super) params: Map<String, Value>,
    /// Arguments of a call that a server wants to see in headers, too.
    pub(super) headers: Vec<(String, String)>,
}

impl Request {
    pub(super) fn new(id: u64, method: &'static str, params: Map<String, Value>) -> Self {
        Self { id, method, params, headers: Vec::new() }
    }

    pub(super) fn to_text(&self) -> String {
        json!({"jsonrpc": "2.0", "id": self.id, "method": self.method, "params": self.params}).to_string()
    }

    /// What of it tells whom it is for: the tool of a call.
    pub(super) fn name(&self) -> Option<&str> {
        self.params.get("name")?.as_str()
    }
}

/// A message that nobody answers.
pub(super) fn notice(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params}).to_string()
}

/// What a server says instead of a result.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct RpcError {
    #[serde(default)]
    pub(super) code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    pub(super) data: Value,
}

impl RpcError {
    /// Whether it says that the session is not known, as some servers do instead of the status for that.
    pub(super) fn is_about_session(&self) -> bool {
        self.message.to_ascii_lowercase().contains("session")
    }

    pub(super) fn told(&self) -> String {
        match words::line(&self.message, TOLD_UNITS) {
            message if message.is_empty() => format!("the server refuses (code {})", self.code),
            message => message,
        }
    }
}

/// What comes from a server.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The answer to a request of ours; an error may come without its id.
    Answer { id: Option<u64>, outcome: Result<Value, RpcError> },
    /// It wants something of us.
    Request { id: Value, method: String },
    /// It tells something.
    Notice { method: String, params: Value },
}

/// The messages of a text: one, or several at once.
pub(super) fn read(text: &str) -> Vec<Incoming> {
    match serde_json::from_str(text) {
        Ok(Value::Array(list)) => list.into_iter().filter_map(one).collect(),
        Ok(value) => one(value).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

fn one(mut value: Value) -> Option<Incoming> {
    let map = value.as_object_mut()?;
    let id = map.remove("id").filter(|id| !id.is_null());
    if let Some(Value::String(method)) = map.remove("method") {
        let params = map.remove("params").unwrap_or_default();
        return Some(match id {
            Some(id) => Incoming::Request { id, method },
            None => Incoming::Notice { method, params },
        });
    }
    // Ours are numbers; some servers give them back as text.
    let id = id.and_then(|id| id.as_u64().or_else(|| id.as_str()?.parse().ok()));
    if let Some(error) = map.remove("error") {
        let error = serde_json::from_value(error);
        let error = error.unwrap_or(RpcError { code: 0, message: String::new(), data: Value::Null });
        return Some(Incoming::Answer { id, outcome: Err(error) });
    }
    Some(Incoming::Answer { id, outcome: Ok(map.remove("result")?) })
}

/// What is answered to a server that wants something: it is alive, or it cannot have it.
pub(super) fn answer_to(id: &Value, method: &str) -> String {
    match method {
        "ping" => json!({"jsonrpc": "2.0", "id": id, "result": {}}),
        _ => {
            let error = json!({"code": -32601, "message": "this client has nothing of the kind"});
            json!({"jsonrpc": "2.0", "id": id, "error": error})
        }
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_says_is_one_of_three_or_nothing() {
        assert!(matches!(&read(r#"{"id":"7","result":{}}"#)[..], [Incoming::Answer { id: Some(7), outcome: Ok(_) }]));
        assert!(matches!(&read(r#"{"id":null,"error":5}"#)[..], [Incoming::Answer { id: None, outcome: Err(_) }]));
        assert!(matches!(&read(r#"{"id":"x","method":"ping"}"#)[..], [Incoming::Request { .. }]));
        assert!(matches!(&read(r#"[{"method":"a"},5,{"id":1,"result":null}]"#)[..], [Incoming::Notice { .. }, _]));
        for nothing in ["", "5", "{}", "[[]]", r#"{"id":1}"#, "{"] {
            assert!(read(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_server_s_words_are_one_line_of_bounded_length() {
        let error = json!({"error": {"code": -1, "message": format!("a\nb\u{7}{}", "x".repeat(5000))}}).to_string();
        let [Incoming::Answer { outcome: Err(error), .. }] = &read(&error)[..] else { panic!() };
        assert!(error.told().starts_with("a b") && error.told().len() <= TOLD_UNITS, "{}", error.told());
    }
}
