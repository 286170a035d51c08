//! The recorded inputs and outputs of the functions that turnkeep replaces, by way of [`turnkeep::functions`].
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use serde::Deserialize;
use serde_json::{Value, json};
use turnkeep::functions::call;

/// A call: the function's name and the members of its argument. A member without a value is left out.
type Call = (&'static str, Vec<(&'static str, Option<String>)>);
/// Makes a call of a recorded input; nothing where the recording is of something else.
type Caller = fn(&Value) -> Option<Call>;
/// Brings our answer and theirs to what they have in common.
type Adapter = fn(&Value, String) -> String;

struct File {
    name: &'static str,
    caller: Caller,
    ours: Adapter,
    theirs: Adapter,
}

const FILES: &[File] = &[
    File { name: "flushAssistant", caller: flush, ours: same, theirs: same },
    File { name: "assistantParts", caller: parts, ours: same, theirs: same },
    File { name: "serializeSteps", caller: trace, ours: same, theirs: same },
    File { name: "compactToolOutput", caller: compact, ours: same, theirs: same },
    File { name: "rowToUiMessage", caller: ui_message, ours: same, theirs: same },
    File { name: "planFinalizeAssistant", caller: plan, ours: same, theirs: same },
    File { name: "accumulateStepUsage", caller: accumulate, ours: same, theirs: same },
    File { name: "normalizeStreamUsage", caller: normalize, ours: same, theirs: same },
    File { name: "chatStreamMetadata", caller: stream_metadata, ours: same, theirs: same },
    File { name: "buildChatMarkdown", caller: markdown, ours: same, theirs: same },
    File { name: "normalizeLang", caller: language, ours: same, theirs: same },
    File { name: "prepareAgentStep", caller: prepare, ours: prepared, theirs: same },
    File { name: "buildSystemPrompt", caller: prompt, ours: prompt_with_tokens, theirs: same },
    File { name: "buildMcpToolingBlock", caller: tooling, ours: tooling_block, theirs: same },
    File { name: "chatTitleClean", caller: title, ours: same, theirs: stored_title },
    File { name: "recursiveSplit", caller: split, ours: same, theirs: same },
    File { name: "selectAccessibleHits", caller: hits, ours: same, theirs: same },
    File { name: "snippet", caller: snippet, ours: first_snippet, theirs: same },
    File { name: "describeProviderError", caller: describe, ours: with_tokens, theirs: same },
    File { name: "isFatalProviderError", caller: fatal, ours: same, theirs: same },
    File { name: "resolveCurrentPageResult", caller: current_page, ours: same, theirs: same },
    File { name: "roleModelOverride", caller: role, ours: same, theirs: same },
    File { name: "resolveAudioFormat", caller: audio, ours: same, theirs: same },
    File { name: "isIpAllowed", caller: ip, ours: same, theirs: same },
    File { name: "validateResolvedAddresses", caller: resolved, ours: same, theirs: reason_for_host },
    File { name: "mcpNaming", caller: naming, ours: same, theirs: same },
    File { name: "mcpServersService", caller: view, ours: listed, theirs: same },
];

/// What all languages leave out, and why: see `tests/vectors.json`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lists {
    does_not_apply: BTreeMap<String, String>,
    intended: BTreeMap<String, BTreeMap<String, Value>>,
}

fn lists() -> Lists {
    serde_json::from_str(include_str!("../vectors.json")).expect("the lists")
}

fn main() {
    let arguments = Arguments::from_args();
    let folder = shared().join("vectors");
    let trials = FILES
        .iter()
        .map(|file| {
            let path = folder.join(format!("{}.json", file.name));
            let missing = !path.is_file();
            if missing {
                eprintln!("skipped: {} is not here (set TURNKEEP_SHARED)", path.display());
            }
            Trial::test(format!("vectors::{}", file.name), move || run_file(&path, file)).with_ignored_flag(missing)
        })
        .chain([Trial::test("vectors::every_file_is_run_or_listed", {
            let folder = folder.clone();
            move || every_file_is_run_or_listed(&folder)
        })
        .with_ignored_flag(!folder.is_dir())])
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn shared() -> PathBuf {
    std::env::var_os("TURNKEEP_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

fn every_file_is_run_or_listed(folder: &Path) -> Result<(), Failed> {
    let listed = lists().does_not_apply;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let known = FILES.iter().any(|file| file.name == name) || listed.contains_key(name.as_ref());
        if path.extension().is_some_and(|extension| extension == "json") && !known {
            return Err(format!("{name} is neither run nor listed in tests/vectors.json").into());
        }
    }
    Ok(())
}

fn run_file(path: &Path, file: &File) -> Result<(), Failed> {
    let intended = lists().intended.remove(file.name).unwrap_or_default();
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let (mut passed, mut on_purpose, mut skipped, mut wrong) = (0, 0, 0, Vec::new());
    for case in &cases {
        let input = &case["input"];
        if intended.contains_key(case["name"].as_str().unwrap_or_default()) {
            on_purpose += 1;
            continue;
        }
        let Some((function, members)) = (file.caller)(input) else {
            skipped += 1;
            continue;
        };
        let members: Vec<String> =
            members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?))).collect();
        let outcome = call(function, &format!("{{{}}}", members.join(",")));
        let problem = match (outcome, case.get("throws")) {
            (Err(error), Some(_)) if error.code() == turnkeep::ErrorCode::InvalidInput => None,
            (Err(error), _) => Some(format!("refused: {error}")),
            (Ok(answer), Some(_)) => Some(format!("answered {answer:?} where the original threw")),
            (Ok(answer), None) => {
                let ours = (file.ours)(input, answer.unwrap_or_else(|| "undefined".to_owned()));
                let (same, theirs) = compare(&ours, case, |text| (file.theirs)(input, text));
                (!same).then(|| differing(&ours, &theirs))
            }
        };
        match problem {
            None => passed += 1,
            Some(problem) => wrong.push(format!("{}: {problem}", case["name"].as_str().unwrap_or_default())),
        }
    }
    eprintln!("{}: {passed} of {} pass, {on_purpose} intended, {skipped} do not apply", file.name, cases.len());
    if passed == 0 {
        return Err("no case applies".into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} differ:\n{}", wrong.len(), wrong.join("\n")).into()) }
}

/// Byte for byte where the text is recorded, else by value.
fn compare(ours: &str, case: &Value, theirs: impl Fn(String) -> String) -> (bool, String) {
    match case.get("outputJson") {
        Some(Value::String(text)) => {
            let theirs = theirs(text.clone());
            (without_halves(ours) == without_halves(&theirs), theirs)
        }
        Some(_) => (ours == "undefined", "undefined".to_owned()),
        None => {
            let theirs = theirs(untag(&case["output"]).unwrap_or_else(|| "undefined".to_owned()));
            let value = |text: &str| {
                let text = without_halves_of_pairs(text);
                serde_json::from_str::<Value>(&text).ok().map(|value| without_unstorable(&value))
            };
            let same = ours == theirs || value(ours).is_some_and(|ours| Some(ours) == value(&theirs));
            (same, theirs)
        }
    }
}

/// Half a surrogate pair is dropped at a cut and becomes U+FFFD elsewhere.
fn without_halves(text: &str) -> String {
    without_halves_of_pairs(text).replace('\u{fffd}', "").replace("\\u0000", "")
}

/// The value without what becomes U+FFFD.
fn without_unstorable(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace(['\0', '\u{fffd}'], "")),
        Value::Array(items) => items.iter().map(without_unstorable).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, field)| (key.clone(), without_unstorable(field)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

fn without_halves_of_pairs(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\ud") {
        out.push_str(&rest[..at]);
        rest = rest[at..].get(6..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

/// The first place where they part, with a little of what stands around it.
fn differing(ours: &str, theirs: &str) -> String {
    let same = ours.chars().zip(theirs.chars()).take_while(|(left, right)| left == right).count();
    let around = |text: &str| text.chars().skip(same.saturating_sub(60)).take(200).collect::<String>();
    format!("\n     ours: {}\n   theirs: {}", around(ours), around(theirs))
}

/// The JSON text that `JSON.stringify` makes of a tagged value; `None` for undefined and what has none.
fn untag(value: &Value) -> Option<String> {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    match value {
        Value::Array(items) => {
            let items: Vec<String> =
                items.iter().map(|item| untag(item).unwrap_or_else(|| "null".to_owned())).collect();
            Some(format!("[{}]", items.join(",")))
        }
        Value::Object(fields) => {
            let member = |name: &str, field: &Value| Some(format!("{}:{}", quoted(name), untag(field)?));
            let object = |members: Vec<String>| Some(format!("{{{}}}", members.join(",")));
            match fields.iter().next() {
                Some((tag, _)) if tag == "$undef" || tag == "$special" => None,
                Some((tag, number)) if tag == "$num" => Some(if number == "-0" { "0" } else { "null" }.to_owned()),
                // An invalid date is `null` to JSON.stringify.
                Some((tag, date)) if tag == "$date" => Some(date.to_string()),
                Some((tag, units)) if tag == "$utf16" => Some(utf16(units)),
                Some((tag, Value::Array(pairs))) if tag == "$entries" => {
                    object(pairs.iter().filter_map(|pair| member(pair[0].as_str()?, &pair[1])).collect())
                }
                Some((tag, error)) if tag == "$error" => {
                    let mut members: Vec<String> =
                        ["name", "message"].iter().filter_map(|name| member(name, &error[*name])).collect();
                    let own = error["own"].as_object().into_iter().flatten();
                    members.extend(
                        own.filter(|(name, _)| *name != "name").filter_map(|(name, field)| member(name, field)),
                    );
                    object(members)
                }
                _ => object(fields.iter().filter_map(|(name, field)| member(name, field)).collect()),
            }
        }
        other => Some(other.to_string()),
    }
}

/// With half a pair escaped, as `JSON.stringify` does.
fn utf16(units: &Value) -> String {
    let units: Vec<u16> =
        units.as_array().into_iter().flatten().filter_map(|unit| unit.as_u64()?.try_into().ok()).collect();
    let mut text = String::from("\"");
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(character) => {
                text.push_str(json!(character).to_string().trim_matches('"').replace("\\\"", "\"").as_str());
                if character == '"' {
                    text.pop();
                    text.push_str("\\\"");
                }
            }
            Err(half) => text.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
        }
    }
    text.push('"');
    text
}

fn same(_: &Value, text: String) -> String {
    text
}

/// Whether a value is there that only JavaScript can pass.
fn is_beyond_json(value: &Value) -> bool {
    let tag = |tag: &str| value.get(tag).is_some();
    tag("$special") || value.get("$num").is_some_and(|number| number != "-0")
}

/// A member's JSON; `None` when it is undefined or not there.
fn member(input: &Value, name: &str) -> Option<String> {
    input.get(name).and_then(untag)
}

fn flush(input: &Value) -> Option<Call> {
    let members = vec![
        ("steps", member(input, "capturedSteps")),
        ("inProgressText", member(input, "inProgressText")),
        ("status", member(input, "status")),
        ("extra", member(input, "extra")),
    ];
    Some(("flushAssistant", members))
}

fn parts(input: &Value) -> Option<Call> {
    Some(("assistantParts", vec![("steps", member(input, "steps")), ("fallbackText", member(input, "fallbackText"))]))
}

fn trace(input: &Value) -> Option<Call> {
    Some(("serializeSteps", vec![("steps", member(input, "steps"))]))
}

fn compact(input: &Value) -> Option<Call> {
    let value = match input["outputFromJson"].as_str() {
        Some(text) => Some(text.to_owned()),
        None => {
            // The walk sees dates and functions, which have no JSON of their own.
            let text = input.to_string();
            if text.contains("$date") || text.contains("$special") {
                return None;
            }
            member(input, "output")
        }
    };
    Some(("compactToolOutput", vec![("value", value)]))
}

fn ui_message(input: &Value) -> Option<Call> {
    Some(("rowToUiMessage", vec![("row", member(input, "row"))]))
}

fn plan(input: &Value) -> Option<Call> {
    Some(("planFinalizeAssistant", vec![("assistantId", member(input, "assistantId"))]))
}

fn accumulate(input: &Value) -> Option<Call> {
    if input.to_string().contains("NaN") {
        return None;
    }
    Some(("accumulateStepUsage", vec![("acc", member(input, "acc")), ("step", member(input, "step"))]))
}

fn normalize(input: &Value) -> Option<Call> {
    Some(("normalizeUsage", vec![("usage", member(input, "usage"))]))
}

fn stream_metadata(input: &Value) -> Option<Call> {
    // The folded cases are the sums of accumulateStepUsage.
    let members = vec![
        ("part", Some(untag(input.get("part")?)?)),
        ("chatId", member(input, "chatId")),
        ("cumulativeUsage", member(input, "cumulativeStepUsage")),
    ];
    Some(("chatStreamMetadata", members))
}

fn markdown(input: &Value) -> Option<Call> {
    let mut members = vec![("exportedAt", member(input, "clock"))];
    for name in ["title", "chatId", "rows", "lang", "labels"] {
        members.push((name, member(input, name)));
    }
    Some(("buildChatMarkdown", members))
}

fn language(input: &Value) -> Option<Call> {
    Some(("normalizeLang", vec![("tag", member(input, "lang"))]))
}

fn prepare(input: &Value) -> Option<Call> {
    if is_beyond_json(&input["stepNumber"]) {
        return None;
    }
    let members = vec![("stepNumber", member(input, "stepNumber")), ("system", member(input, "system"))];
    Some(("prepareAgentStep", members))
}

fn prepared(input: &Value, text: String) -> String {
    if text == "undefined" {
        return text;
    }
    let mut answer: Value = serde_json::from_str(&text).unwrap_or_default();
    let start = format!("{}\n\n", input["system"].as_str().unwrap_or_default());
    let system = answer["system"].as_str().unwrap_or_default().to_owned();
    let ours = system.strip_prefix(&start).filter(|ours| !ours.trim().is_empty());
    answer["system"] = json!(ours.map(|_| format!("{start}«FINAL_STEP_INSTRUCTION»")));
    answer.to_string()
}

fn prompt(input: &Value) -> Option<Call> {
    let members = vec![
        ("workspaceName", input["workspace"].get("name").and_then(untag)),
        ("adminPrompt", member(input, "adminPrompt")),
        ("roleInstructions", member(input, "roleInstructions")),
        ("openedPage", member(input, "openedPage")),
        ("mcpInstructions", member(input, "mcpInstructions")),
    ];
    Some(("buildSystemPrompt", members))
}

fn tooling(input: &Value) -> Option<Call> {
    Some(("buildSystemPrompt", vec![("mcpInstructions", member(input, "mcpInstructions"))]))
}

fn system_prompt(arguments: &str) -> String {
    let answer = call("buildSystemPrompt", arguments).ok().flatten().unwrap_or_default();
    serde_json::from_str(&answer).unwrap_or_default()
}

/// Our own prose is replaced by the recording's tokens: structure and position are compared.
fn prompt_with_tokens(_: &Value, text: String) -> String {
    let bare = system_prompt("{}");
    let open = bare.find("<role_persona").expect("a persona");
    let safety = bare[..open].strip_suffix('\n').expect("a line").to_owned();
    let persona = bare[open..].split('\n').nth(1).expect("a persona").to_owned();
    let prompt: String = serde_json::from_str(&text).unwrap_or_default();
    let mut prompt = prompt.replace(&safety, "«SAFETY»").replace(&persona, "«DEFAULT_PERSONA»");
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
    json!(prompt).to_string()
}

/// The block alone: what a prompt with guidance has more than one without.
fn tooling_block(input: &Value, text: String) -> String {
    let prompt: String = serde_json::from_str(&prompt_with_tokens(input, text)).unwrap_or_default();
    let bare = "«SAFETY»\n«PERSONA_OPEN»\n«DEFAULT_PERSONA»\n</role_persona>\n";
    let inside = prompt.strip_prefix(bare).and_then(|rest| rest.strip_suffix("«SAFETY»")).expect("the frame");
    json!(inside.strip_suffix('\n').unwrap_or(inside)).to_string()
}

fn title(input: &Value) -> Option<Call> {
    Some(("cleanChatTitle", vec![("text", untag(&input["modelText"]))]))
}

fn stored_title(_: &Value, text: String) -> String {
    let stored: Value = serde_json::from_str(&text.replace("\\ud", "\\\\ud")).unwrap_or_default();
    stored["storedTitle"].to_string().replace("\\\\ud", "\\ud")
}

fn split(input: &Value) -> Option<Call> {
    // The one case without a text records the defaults.
    input.get("text")?;
    Some(("splitText", vec![("text", untag(&input["text"]))]))
}

fn hits(input: &Value) -> Option<Call> {
    let members = vec![
        ("hits", untag(&input["hits"])),
        ("accessiblePageIds", untag(&input["accessibleSet"])),
        ("cap", untag(&input["cap"])),
    ];
    Some(("selectAccessibleHits", members))
}

fn snippet(input: &Value) -> Option<Call> {
    let content = untag(&input["text"]).map_or_else(String::new, |text| format!(r#","content":{text}"#));
    let members = vec![
        ("hits", Some(format!(r#"[{{"pageId":"a"{content}}}]"#))),
        ("accessiblePageIds", Some(r#"["a"]"#.to_owned())),
    ];
    Some(("selectAccessibleHits", members))
}

fn first_snippet(_: &Value, text: String) -> String {
    serde_json::from_str::<Value>(&text).unwrap_or_default()[0]["snippet"].to_string()
}

fn describe(input: &Value) -> Option<Call> {
    let err = &input["err"];
    // Not a number any more once it is JSON, so that it counts as no status at all.
    if is_beyond_json(&err["statusCode"]) {
        return None;
    }
    Some(("describeProviderError", vec![("err", untag(err)), ("fallback", input.get("fallback").and_then(untag))]))
}

fn with_tokens(_: &Value, text: String) -> String {
    let labels = [
        ("«LABEL auth»", "Authentication failed"),
        ("«LABEL billing»", "The provider account has no credits left"),
        ("«LABEL rate»", "Rate limit reached"),
    ];
    for (token, start) in labels {
        let start = format!("\"{start}");
        if let Some((label, rest)) = text.split_once(" — ")
            && label.starts_with(&start)
        {
            return format!("\"{token} — {rest}");
        }
    }
    text
}

fn fatal(input: &Value) -> Option<Call> {
    Some(("isFatalProviderError", vec![("err", untag(&input["err"]))]))
}

fn current_page(input: &Value) -> Option<Call> {
    Some(("resolveCurrentPageResult", vec![("openedPage", member(input, "openedPage"))]))
}

fn role(input: &Value) -> Option<Call> {
    Some(("roleModelOverride", vec![("role", untag(&input["role"]))]))
}

fn audio(input: &Value) -> Option<Call> {
    Some(("resolveAudioFormat", vec![("mime", untag(&input["mimetype"]))]))
}

fn ip(input: &Value) -> Option<Call> {
    Some(("isIpAllowed", vec![("ip", untag(&input["ip"]))]))
}

fn resolved(input: &Value) -> Option<Call> {
    Some(("validateResolvedAddresses", vec![("addresses", untag(&input["addrs"]))]))
}

/// The original told its log which address it was; ours gives the reason, and no address.
fn reason_for_host(_: &Value, text: String) -> String {
    let mut recorded: Value = serde_json::from_str(&text).unwrap_or_default();
    let host = recorded.as_object_mut().and_then(|recorded| recorded.shift_remove("blockedHost"));
    if let Some(host) = host {
        let verdict = call("isIpAllowed", &json!({ "ip": host }).to_string()).ok().flatten().unwrap_or_default();
        recorded["reason"] = serde_json::from_str::<Value>(&verdict).unwrap_or_default()["reason"].clone();
    }
    recorded.to_string()
}

fn naming(input: &Value) -> Option<Call> {
    let value = |name: &str| untag(&input[name]);
    Some(match input["helper"].as_str()? {
        "sanitizeName" => ("sanitizeToolName", vec![("value", value("value"))]),
        "namespacePrefix" => ("toolNamePrefix", vec![("serverName", value("serverName"))]),
        "capName" => ("capToolName", vec![("value", value("value"))]),
        "disambiguate" => (
            "disambiguateToolName",
            vec![("name", value("name")), ("serverId", value("serverId")), ("taken", value("taken"))],
        ),
        // The reason why a server could not be reached is no name.
        _ => return None,
    })
}

fn view(input: &Value) -> Option<Call> {
    let row = input.get("row").filter(|_| input["op"] == "list")?;
    Some(("toView", vec![("server", untag(row))]))
}

/// As the list of the original's, which has no names of headers.
fn listed(_: &Value, text: String) -> String {
    format!("[{}]", text.replace(r#","headerNames":[]"#, ""))
}
