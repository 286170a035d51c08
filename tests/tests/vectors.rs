//! The recorded inputs and outputs of the functions that turnkeep replaces.
//!
//! Not all of them are here yet: `compactToolOutput`, `serializeSteps` and `flushAssistant` still differ in values nested
//! over 128 levels and in rows that hold what only JavaScript can, `buildChatMarkdown` in rows of other writers with parts
//! that have neither of the shapes of ours.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use turnkeep::model::Usage;
use turnkeep::project::{
    Language, McpGuidance, OpenPage, PromptLayers, Step, assistant_parts, build_system_prompt, prepare_agent_step,
};

/// What a case comes to: its JSON, or `Skip` when Rust's types cannot hold its input.
enum Outcome {
    Json(String),
    Skip,
}

/// Cases that come out otherwise on purpose.
const INTENDED: &[(&str, &str)] =
    &[("page {\"id\":\"p1\",\"title\":\"a\\\"b\\nc\"}", "a title cannot end its quotes or its line")];

type Runner = fn(&Value) -> Outcome;

const FILES: &[(&str, Runner)] = &[
    ("assistantParts", parts),
    ("accumulateStepUsage", accumulate),
    ("prepareAgentStep", prepare),
    ("normalizeLang", language),
    ("buildSystemPrompt", prompt),
];

fn main() {
    let arguments = Arguments::from_args();
    let folder = shared().join("vectors");
    let trials = FILES
        .iter()
        .map(|(name, runner)| {
            let path = folder.join(format!("{name}.json"));
            let missing = !path.is_file();
            if missing {
                eprintln!("skipped: {} is not here (set TURNKEEP_SHARED)", path.display());
            }
            Trial::test(format!("vectors::{name}"), move || run_file(&path, *runner)).with_ignored_flag(missing)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn shared() -> PathBuf {
    std::env::var_os("TURNKEEP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

fn run_file(path: &Path, runner: Runner) -> Result<(), Failed> {
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let (mut passed, mut skipped, mut wrong) = (0, 0, Vec::new());
    for case in &cases {
        let name = case["name"].as_str().unwrap_or_default();
        if INTENDED.iter().any(|(intended, _)| *intended == name) {
            skipped += 1;
            continue;
        }
        let Some(input) = untag(&case["input"]) else {
            skipped += 1;
            continue;
        };
        match runner(&input) {
            Outcome::Skip => skipped += 1,
            Outcome::Json(ours) => {
                let theirs = match &case["outputJson"] {
                    Value::String(text) => text.clone(),
                    _ => untag(&case["output"]).unwrap_or(Value::Null).to_string(),
                };
                if comparable(&ours) == comparable(&theirs) {
                    passed += 1;
                } else {
                    wrong.push(format!("{name}\n     ours: {}\n   theirs: {}", head(&ours), head(&theirs)));
                }
            }
        }
    }
    eprintln!("{}: {passed} of {} pass, {skipped} do not apply", path.display(), cases.len());
    if passed == 0 {
        return Err("no case applies".into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} differ:\n{}", wrong.len(), wrong.join("\n")).into()) }
}

fn head(text: &str) -> String {
    text.chars().take(300).collect()
}

/// Key order counts, number spelling does not: ours keeps the spelling that came in.
fn comparable(text: &str) -> Value {
    fn plain_numbers(value: &mut Value) {
        match value {
            Value::Number(number) => *value = json!(number.as_f64()),
            // What no database column can hold becomes U+FFFD with us.
            Value::String(text) => *text = text.replace('\0', "\u{fffd}"),
            Value::Array(items) => items.iter_mut().for_each(plain_numbers),
            Value::Object(fields) => {
                // As text, so that the order of the keys is part of the comparison.
                let mut entries = Vec::new();
                for (key, field) in std::mem::take(fields) {
                    let mut field = field;
                    plain_numbers(&mut field);
                    entries.push(json!([key, field]));
                }
                *value = json!({ "entries": entries });
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    plain_numbers(&mut value);
    value
}

/// The plain JSON behind the tags; `None` for what JSON cannot hold.
fn untag(value: &Value) -> Option<Value> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| if is_undefined(item) { Some(Value::Null) } else { untag(item) })
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
        Value::Object(fields) => {
            if let Some(entries) = fields.get("$entries").and_then(Value::as_array) {
                let pairs = entries.iter().map(|pair| Some((pair[0].as_str()?.to_owned(), untag(&pair[1])?)));
                return pairs.collect::<Option<Map<_, _>>>().map(Value::Object);
            }
            if let Some(date) = fields.get("$date") {
                return date.as_str().map(|text| json!(text));
            }
            if fields.keys().any(|key| key.starts_with('$')) {
                return None;
            }
            let kept = fields.iter().filter(|(_, field)| !is_undefined(field));
            kept.map(|(key, field)| Some((key.clone(), untag(field)?)))
                .collect::<Option<Map<_, _>>>()
                .map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

fn is_undefined(value: &Value) -> bool {
    value.get("$undef").is_some()
}

fn outcome<T: serde::Serialize>(value: &T) -> Outcome {
    Outcome::Json(serde_json::to_string(value).expect("plain data"))
}

fn steps_of(value: &Value) -> Option<Vec<Step>> {
    match value {
        Value::Null => Some(Vec::new()),
        steps => serde_json::from_str(&steps.to_string()).ok(),
    }
}

fn parts(input: &Value) -> Outcome {
    match (steps_of(&input["steps"]), input["fallbackText"].as_str()) {
        (Some(steps), Some(fallback)) => outcome(&assistant_parts(&steps, fallback)),
        _ => Outcome::Skip,
    }
}

fn accumulate(input: &Value) -> Outcome {
    let usage = |field: &str| match input.get(field) {
        None => Some(None),
        Some(value) => Option::<Usage>::deserialize(value.clone()).ok(),
    };
    match (usage("acc"), usage("step")) {
        (Some(sum), Some(step)) => outcome(&Usage::accumulate(sum, step)),
        _ => Outcome::Skip,
    }
}

fn prepare(input: &Value) -> Outcome {
    let (Some(step), Some(system)) = (input["stepNumber"].as_u64(), input["system"].as_str()) else {
        return Outcome::Skip;
    };
    match prepare_agent_step(step.try_into().unwrap_or(u32::MAX), system, 20) {
        None => Outcome::Json("null".to_owned()),
        Some(prepared) => {
            let rest = prepared.system.strip_prefix(&format!("{system}\n\n")).expect("the original first");
            assert!(!rest.trim().is_empty());
            outcome(&json!({"toolChoice": "none", "system": format!("{system}\n\n«FINAL_STEP_INSTRUCTION»")}))
        }
    }
}

fn language(input: &Value) -> Outcome {
    outcome(&Language::from_tag(input["lang"].as_str()).as_str())
}

/// Our own prose is replaced by the recording's tokens: structure and position are compared.
fn prompt(input: &Value) -> Outcome {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let guidance = |server: &Value| McpGuidance {
        server_name: text(&server["serverName"]).unwrap_or_default(),
        tool_prefix: text(&server["toolPrefix"]).unwrap_or_default(),
        instructions: text(&server["instructions"]),
    };
    let page = &input["openedPage"];
    let layers = PromptLayers {
        workspace_name: text(&input["workspace"]["name"]),
        admin_prompt: text(&input["adminPrompt"]),
        role_instructions: text(&input["roleInstructions"]),
        opened_page: page.is_object().then(|| OpenPage { id: text(&page["id"]), title: text(&page["title"]) }),
        mcp_instructions: input["mcpInstructions"].as_array().into_iter().flatten().map(guidance).collect(),
        extra_rules: Vec::new(),
    };
    let bare = build_system_prompt(&PromptLayers::default());
    let open = bare.find("<role_persona").expect("a persona");
    let safety = bare[..open].strip_suffix('\n').expect("a line").to_owned();
    let persona = bare[open..].split('\n').nth(1).expect("a persona").to_owned();
    let mut prompt = build_system_prompt(&layers).replace(&safety, "«SAFETY»").replace(&persona, "«DEFAULT_PERSONA»");
    for (tag, token) in [("<role_persona note=", "«PERSONA_OPEN»"), ("<mcp_tooling note=", "«MCP_OPEN»\n«MCP_INTRO»")]
    {
        if let Some(start) = prompt.find(tag) {
            let line = prompt[start..].find('\n').map_or(prompt.len(), |end| start + end);
            let end = if tag.starts_with("<mcp") {
                prompt[line + 1..].find('\n').map_or(prompt.len(), |end| line + 1 + end)
            } else {
                line
            };
            prompt.replace_range(start..end, token);
        }
    }
    if let Some(start) = prompt.find("The person has the page \"") {
        let end = prompt[start..].find('\n').map_or(prompt.len(), |end| start + end);
        let line = prompt[start..end].to_owned();
        let (title, rest) =
            line["The person has the page \"".len()..].split_once("\" open (pageId: ").expect("the sentence");
        let id = rest.trim_end_matches(").");
        prompt.replace_range(start..end, &format!("«OPEN_PAGE title={title} id={id}»"));
    }
    outcome(&prompt)
}
