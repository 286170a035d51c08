//! Cases that every language plays: operations with their parameters and what they answer, as JSON (`tests/roles.json`
//! says how they are written).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use turnkeep::{Engine, Error};

#[derive(Deserialize)]
struct Table {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    operation: String,
    params: Value,
    #[serde(default)]
    answer: Value,
    error: Option<Expected>,
    keep: Option<Keep>,
    #[serde(default)]
    not_in: Vec<String>,
}

/// The id of an answer, or members of it by their paths.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keep {
    Id(String),
    Members(BTreeMap<String, String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    code: String,
    field: Option<String>,
    says: Option<String>,
}

/// Plays a table on an engine; how many cases it had, and what was wrong.
pub async fn play(engine: &Engine, table: &str) -> (usize, Vec<String>) {
    let table: Table = serde_json::from_str(table).expect("a table");
    let (mut kept, mut wrong) = (BTreeMap::new(), Vec::new());
    let mut played = 0;
    for case in table.cases.iter().filter(|case| !case.not_in.iter().any(|language| language == "rust")) {
        played += 1;
        let params = filled(&case.params, &kept);
        let answer = engine.call(&case.operation, &params.to_string()).await;
        let answer = answer.map(|text| serde_json::from_str::<Value>(&text).expect("JSON"));
        match (&case.keep, &answer) {
            (Some(Keep::Id(name)), Ok(answer)) => drop(kept.insert(format!("${name}"), answer["id"].clone())),
            (Some(Keep::Members(members)), Ok(answer)) => {
                kept.extend(members.iter().map(|(name, path)| (format!("${name}"), member(answer, path))));
            }
            _ => {}
        }
        let problem = match (&answer, &case.error) {
            (Ok(answer), None) => differs(&filled(&case.answer, &kept), answer, "the answer"),
            (Err(error), Some(expected)) => refusal(error, expected),
            (outcome, _) => Some(format!("{outcome:?}")),
        };
        wrong.extend(problem.map(|problem| format!("{}: {problem}", case.name)));
    }
    (played, wrong)
}

fn refusal(error: &Error, expected: &Expected) -> Option<String> {
    let told = error.code().as_str() == expected.code
        && error.details().get("field").and_then(Value::as_str) == expected.field.as_deref()
        && expected.says.as_ref().is_none_or(|says| error.message().contains(says));
    (!told).then(|| error.to_json())
}

/// The member of a value that a path such as `items.0.id` leads to.
fn member(value: &Value, path: &str) -> Value {
    let found = path.split('.').try_fold(value, |value, name| match name.parse::<usize>() {
        Ok(index) => value.get(index),
        Err(_) => value.get(name),
    });
    found.cloned().unwrap_or(Value::Null)
}

/// The value with what its names stand for.
fn filled(value: &Value, kept: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => kept.get(text).cloned().unwrap_or_else(|| value.clone()),
        Value::Array(items) => items.iter().map(|item| filled(item, kept)).collect(),
        Value::Object(members) => match members.get("<repeat>") {
            Some(repeated) => {
                let count = usize::try_from(repeated[1].as_u64().expect("a count")).expect("a count");
                let before = members.get("before").and_then(Value::as_str).unwrap_or_default();
                Value::String(format!("{before}{}", repeated[0].as_str().expect("a text").repeat(count)))
            }
            None => members.iter().map(|(name, member)| (name.clone(), filled(member, kept))).collect(),
        },
        other => other.clone(),
    }
}

/// Where the answer is not what is expected.
fn differs(expected: &Value, answer: &Value, place: &str) -> Option<String> {
    match (expected, answer) {
        (Value::String(any), Value::String(text)) if any == "<text>" && !text.is_empty() => None,
        (Value::Array(items), Value::Array(found)) if items.len() == found.len() => {
            let pairs = items.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(at, (item, found))| differs(item, found, &format!("{place}[{at}]")))
        }
        (Value::Object(members), Value::Object(found)) if members.keys().eq(found.keys()) => {
            members.iter().find_map(|(name, member)| differs(member, &found[name], &format!("{place}.{name}")))
        }
        // As in the other languages: 0 is 0.0.
        (Value::Number(expected), Value::Number(number)) if expected.as_f64() == number.as_f64() => None,
        _ if expected == answer => None,
        _ => Some(format!("{place} is {answer}, and not {expected}")),
    }
}
