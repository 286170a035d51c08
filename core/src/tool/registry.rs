//! The tools of one turn.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::model::{Ask, Json, Repeat, WaitKind};

use super::deferred::load_tools;
use super::input::{InputCheck, read};
use super::{ApprovalPolicy, Idempotent, Tier, ToolCatalog, ToolDefinition, ToolEffect, ToolHandler, UnknownMembers};

/// A tool: its definition and its code.
#[derive(Clone)]
pub struct Tool {
    /// What the model is told.
    pub definition: ToolDefinition,
    /// What runs.
    pub handler: Arc<dyn ToolHandler>,
}

struct Entry {
    tool: Tool,
    input: Arc<InputCheck>,
    /// The inputs with which somebody has to allow the call.
    asks_when: Option<InputCheck>,
}

/// How many checks of inputs may run at the same time in a process, whether or not anybody still waits for them.
static CHECKS: Semaphore = Semaphore::const_new(8);
/// How long an input may be checked, unless it is said otherwise.
const CHECK_TIME: Duration = Duration::from_secs(2);
/// How many bytes of an output pages are shown, unless it is said otherwise.
pub const SHOWN_OUTPUT_BYTES: u64 = 256 * 1024;

/// The tools of a turn with their compiled schemas, in the order given.
pub struct ToolSet {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    default_timeout: Duration,
    unknown_members: UnknownMembers,
    check_time: Duration,
    shown_output_bytes: u64,
    /// Outcomes of checks that were made ahead, by tool and arguments.
    checked: Mutex<HashMap<(String, String), Result<Json, String>>>,
}

impl ToolSet {
    /// Checks and compiles. A later tool replaces an earlier one of the same name. `default_timeout` is for tools that
    /// do not set their own.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the tool's field.
    pub fn new(tools: Vec<Tool>, default_timeout: Duration) -> Result<Self> {
        let mut set = Self {
            entries: Vec::new(),
            by_name: HashMap::new(),
            default_timeout,
            unknown_members: UnknownMembers::default(),
            check_time: CHECK_TIME,
            shown_output_bytes: SHOWN_OUTPUT_BYTES,
            checked: Mutex::default(),
        };
        for (index, tool) in tools.into_iter().enumerate() {
            let field = |name: &str| format!("tools[{index}].{name}");
            if tool.definition.catalog_line.is_some() && tool.definition.tier != Tier::Deferred {
                return Err(Error::invalid(field("catalogLine"), "is for deferred tools"));
            }
            set.add(tool, field)?;
        }
        let definitions: Vec<&ToolDefinition> = set.entries.iter().map(|entry| &entry.tool.definition).collect();
        if let Some(tool) = load_tools(&definitions)? {
            set.add(tool, str::to_owned)?;
        }
        Ok(set)
    }

    fn add(&mut self, tool: Tool, field: impl Fn(&str) -> String + Copy) -> Result<()> {
        let name = tool.definition.name.clone();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
            return Err(Error::invalid(field("name"), "must be 1 to 64 letters, digits, _ or -"));
        }
        if tool.definition.shown_output_bytes == Some(0) {
            return Err(Error::invalid(field("shownOutputBytes"), "must be at least 1"));
        }
        let nothing = Json::empty_object();
        // A tool that checks its input itself may have a schema that only it understands.
        let checked = if tool.definition.validates_input { &nothing } else { &tool.definition.input_schema };
        if !tool.definition.input_schema.is_object() {
            return Err(Error::invalid(field("inputSchema"), "must be a JSON Schema object"));
        }
        let input = InputCheck::new(checked);
        let input = input.map(Arc::new).map_err(|problem| Error::invalid(field("inputSchema"), problem))?;
        let asks_when = checked_asks(&tool.definition, field)?;
        check_repeats(&tool.definition, field)?;
        let entry = Entry { tool, input, asks_when };
        if let Some(place) = self.by_name.get(&name).and_then(|place| self.entries.get_mut(*place)) {
            *place = entry;
        } else {
            self.by_name.insert(name, self.entries.len());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The same, for which this becomes of members that a schema does not allow, unless a tool says otherwise.
    #[must_use]
    pub fn with_unknown_members(self, unknown_members: UnknownMembers) -> Self {
        Self { unknown_members, ..self }
    }

    /// The same, whose inputs may be checked for so long.
    #[must_use]
    pub fn with_check_time(self, check_time: Duration) -> Self {
        Self { check_time, ..self }
    }

    /// The same, of whose outputs pages are shown so many bytes, unless a tool says otherwise.
    #[must_use]
    pub fn with_shown_output_bytes(self, shown_output_bytes: u64) -> Self {
        Self { shown_output_bytes, ..self }
    }

    /// Checks an input on a thread of its own, so that a schema which takes long keeps nobody else waiting; the next
    /// [`ToolCatalog::check`] of the same input knows what came of it. A check that takes too long is given up, and the
    /// input does not fit.
    pub async fn check_ahead(&self, name: &str, arguments: &str) {
        let Some(entry) = self.entry(name).filter(|entry| !entry.tool.definition.validates_input) else { return };
        let unknown = self.unknown_members(entry);
        let (input, text) = (Arc::clone(&entry.input), arguments.to_owned());
        let check = async {
            let permit = CHECKS.acquire().await.ok()?;
            let check = move || {
                let _permit = permit;
                input.of_text(&text, unknown)
            };
            tokio::task::spawn_blocking(check).await.ok()
        };
        let outcome = match tokio::time::timeout(self.check_time, check).await {
            Ok(Some(outcome)) => outcome,
            Ok(None) => return,
            Err(_) => Err(format!("the check took longer than {} ms.", self.check_time.as_millis())),
        };
        let outcome = outcome.map_err(|problem| invalid(name, &problem));
        self.checked().insert((name.to_owned(), arguments.to_owned()), outcome);
    }

    fn checked(&self) -> MutexGuard<'_, HashMap<(String, String), Result<Json, String>>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown_members(&self, entry: &Entry) -> UnknownMembers {
        entry.tool.definition.unknown_members.unwrap_or(self.unknown_members)
    }

    /// Whether the tool checks its input itself.
    pub fn validates_input(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.tool.definition.validates_input)
    }

    /// All tools, in order.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.entries.iter().map(|entry| entry.tool.definition.clone()).collect()
    }

    /// What the model is told that has asked for these tools, in order: those come behind the others.
    pub fn callable(&self, loaded: &[String]) -> Vec<ToolDefinition> {
        let definitions = self.entries.iter().map(|entry| &entry.tool.definition);
        let core = definitions.filter(|definition| definition.tier == Tier::Core);
        let loaded = loaded.iter().filter_map(|name| self.entry(name)).map(|entry| &entry.tool.definition);
        core.chain(loaded.filter(|definition| definition.tier == Tier::Deferred)).cloned().collect()
    }

    /// What a call of this key is noted by, of a tool with effects; and what it is made again under, of one that is
    /// idempotent.
    pub(crate) fn repeating(&self, name: &str, key: &str, input: &Json) -> (Option<ToolEffect>, Option<String>) {
        let Some(entry) = self.entry(name) else { return (None, None) };
        let definition = &entry.tool.definition;
        let effect = definition.effects.then(|| ToolEffect { key: key.to_owned(), database: None });
        (effect, definition.idempotency_key(key, input))
    }

    /// Whether there is a tool of this name.
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The code of a tool.
    pub fn handler(&self, name: &str) -> Option<Arc<dyn ToolHandler>> {
        self.entry(name).map(|entry| Arc::clone(&entry.tool.handler))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(name)?)
    }
}

impl ToolCatalog for ToolSet {
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String> {
        let Some(entry) = self.entry(name) else {
            let names: Vec<&str> = self.entries.iter().map(|entry| entry.tool.definition.name.as_str()).collect();
            return Err(if names.is_empty() {
                format!("There is no tool named '{name}'. No tools are available.")
            } else {
                format!("There is no tool named '{name}'. Available tools: {}.", names.join(", "))
            });
        };
        if let Some(outcome) = self.checked().remove(&(name.to_owned(), arguments.to_owned())) {
            return outcome;
        }
        if entry.tool.definition.validates_input {
            return read(arguments).map_err(|problem| invalid(name, &problem));
        }
        entry.input.of_text(arguments, self.unknown_members(entry)).map_err(|problem| invalid(name, &problem))
    }

    fn is_read_only(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.tool.definition.read_only)
    }

    fn ask(&self, name: &str, input: &Json) -> Option<Ask> {
        let entry = self.entry(name)?;
        let definition = &entry.tool.definition;
        let asks = match (&definition.approval, &entry.asks_when) {
            (ApprovalPolicy::Always, _) => true,
            // What cannot be told is asked.
            (ApprovalPolicy::When(_), when) => when.as_ref().is_none_or(|when| when.fits(input)),
            (ApprovalPolicy::Never, _) => false,
        };
        let (kind, schema) = match (&definition.answer_schema, definition.client_side) {
            (Some(schema), _) => (WaitKind::Question, Some(schema.clone())),
            (None, true) => (WaitKind::ClientTool, None),
            (None, false) if asks => return Some(self.approval(name)),
            (None, false) => return None,
        };
        Some(Ask {
            kind,
            schema,
            editable: definition.editable_input,
            answerers: definition.answerers.clone(),
            expires_after_ms: definition.expires_after_ms,
        })
    }

    fn approval(&self, name: &str) -> Ask {
        let definition = self.entry(name).map(|entry| &entry.tool.definition);
        let editable = definition.is_some_and(|definition| definition.editable_input);
        Ask {
            kind: WaitKind::Approval,
            schema: definition.filter(|_| editable).map(|definition| definition.input_schema.clone()),
            editable,
            answerers: definition.map(|definition| definition.answerers.clone()).unwrap_or_default(),
            expires_after_ms: definition.and_then(|definition| definition.expires_after_ms),
        }
    }

    fn untrusted(&self, name: &str) -> Option<String> {
        self.entry(name)?.tool.definition.origin()
    }

    fn is_deferred(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.tool.definition.tier == Tier::Deferred)
    }

    fn repeats(&self, name: &str) -> Option<Repeat> {
        self.entry(name)?.tool.definition.repeats()
    }

    fn timeout(&self, name: &str) -> Duration {
        self.entry(name)
            .and_then(|entry| entry.tool.definition.timeout_ms)
            .map_or(self.default_timeout, Duration::from_millis)
    }

    fn shown_bytes(&self, name: &str) -> u64 {
        let own = self.entry(name).and_then(|entry| entry.tool.definition.shown_output_bytes);
        own.unwrap_or(self.shown_output_bytes)
    }
}

/// What a definition says of calls that wait, checked; the inputs that somebody has to allow.
fn checked_asks(definition: &ToolDefinition, field: impl Fn(&str) -> String) -> Result<Option<InputCheck>> {
    let asks = definition.approval != ApprovalPolicy::Never;
    if definition.answer_schema.is_some() && definition.client_side {
        return Err(Error::invalid(field("clientSide"), "must not be given beside answerSchema"));
    }
    if asks && (definition.answer_schema.is_some() || definition.client_side) {
        return Err(Error::invalid(
            field("approval"),
            "is not for questions and tools of the client, which run nothing",
        ));
    }
    if definition.editable_input && !asks {
        return Err(Error::invalid(field("editableInput"), "needs an approval"));
    }
    if !definition.answerers.is_empty() && !definition.may_wait() {
        return Err(Error::invalid(field("answerers"), "is for tools whose calls wait"));
    }
    if definition.expires_after_ms == Some(0) || (definition.expires_after_ms.is_some() && !definition.may_wait()) {
        return Err(Error::invalid(field("expiresAfterMs"), "must be at least 1, of a tool whose calls wait"));
    }
    if let Some(schema) = &definition.answer_schema {
        InputCheck::new(schema).map_err(|problem| Error::invalid(field("answerSchema"), problem))?;
    }
    match &definition.approval {
        ApprovalPolicy::When(schema) => {
            InputCheck::new(schema).map(Some).map_err(|problem| Error::invalid(field("approval.when"), problem))
        }
        ApprovalPolicy::Never | ApprovalPolicy::Always => Ok(None),
    }
}

/// Checks what a definition says of calls that may be made again.
fn check_repeats(definition: &ToolDefinition, field: impl Fn(&str) -> String) -> Result<()> {
    let Some(repeat) = definition.repeats() else { return Ok(()) };
    let name = repeat.as_str();
    if definition.effects && definition.idempotent != Idempotent::No {
        return Err(Error::invalid(field("idempotent"), "must not be given beside effects"));
    }
    if definition.read_only {
        return Err(Error::invalid(field(name), "is for tools that change something"));
    }
    if definition.answer_schema.is_some() || definition.client_side {
        return Err(Error::invalid(field(name), "is not for questions and tools of the client, which run nothing"));
    }
    if definition.idempotent == Idempotent::By(String::new()) {
        return Err(Error::invalid(field("idempotent.key"), "must be the name of a member of the input"));
    }
    Ok(())
}

fn invalid(name: &str, problem: &str) -> String {
    format!("Invalid input for tool {name}: {problem}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::ToolInvocation;

    struct Nothing;

    #[async_trait::async_trait]
    impl ToolHandler for Nothing {
        async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
            Ok(Json::null())
        }
    }

    fn tool(json: &str) -> Tool {
        Tool { definition: serde_json::from_str(json).unwrap(), handler: Arc::new(Nothing) }
    }

    #[test]
    fn input_is_checked_against_the_schema() {
        let set = ToolSet::new(vec![tool(
            r#"{"name":"get","inputSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}"#,
        )], Duration::MAX)
        .unwrap();
        assert_eq!(set.check("get", r#"{ "city": "Oslo" }"#).unwrap().get(), r#"{"city":"Oslo"}"#);
        for (name, arguments) in [("get", ""), ("get", "{"), ("get", r#"{"city":5}"#), ("put", "{}")] {
            let error = set.check(name, arguments).unwrap_err();
            assert!(error.contains(name), "{error}");
        }
    }

    #[tokio::test]
    async fn a_check_that_takes_too_long_keeps_nobody_waiting() {
        // Each level asks the one below it twice.
        let levels: Vec<String> = (1..60)
            .map(|n| format!(r##""a{n}":{{"anyOf":[{{"$ref":"#/$defs/a{0}"}},{{"$ref":"#/$defs/a{0}"}}]}}"##, n - 1))
            .collect();
        let definition = format!(
            r##"{{"name":"get","inputSchema":{{"type":"object","properties":{{"a":{{"$ref":"#/$defs/a14"}}}},
                "$defs":{{"a0":{{"type":"string"}},{}}}}}}}"##,
            levels.join(",")
        );
        let set = ToolSet::new(vec![tool(&definition)], Duration::MAX).unwrap();
        let set = set.with_check_time(Duration::from_millis(1));
        set.check_ahead("get", r#"{"a":1}"#).await;
        let problem = set.check("get", r#"{"a":1}"#).unwrap_err();
        assert!(problem.starts_with("Invalid input for tool get:") && problem.len() < 4000, "{problem}");
        set.check_ahead("get", r#"{"b":1}"#).await;
        assert!(set.check("get", r#"{"b":1}"#).is_ok() || set.check("get", r#"{"b":1}"#).is_ok());
    }

    #[test]
    fn a_tool_that_checks_its_input_itself_is_given_all_that_is_json() {
        let schema = r#"{"type":"object","properties":{"city":{"type":"string","pattern":"(?<=a)b"}}}"#;
        let given = format!(r#"{{"name":"get","validatesInput":true,"inputSchema":{schema}}}"#);
        let set = ToolSet::new(vec![tool(&given)], Duration::MAX).unwrap();
        assert_eq!(set.check("get", r#"{"city":5}"#).unwrap().get(), r#"{"city":5}"#);
        assert!(set.check("get", "{").is_err());
        assert_eq!(set.definitions()[0].input_schema.get(), schema);
    }

    #[test]
    fn bad_definitions_name_their_field() {
        for (json, field) in [
            (r#"{"name":"a b"}"#, "tools[0].name"),
            (r#"{"name":"a","inputSchema":[]}"#, "tools[0].inputSchema"),
            (r#"{"name":"a","shownOutputBytes":0}"#, "tools[0].shownOutputBytes"),
            (r#"{"name":"a","inputSchema":{"type":"nonsense"}}"#, "tools[0].inputSchema"),
            (r#"{"name":"a","catalogLine":"x"}"#, "tools[0].catalogLine"),
        ] {
            let error = ToolSet::new(vec![tool(json)], Duration::MAX).err().unwrap();
            assert_eq!(error.details()["field"], field);
        }
    }

    #[test]
    fn a_tool_that_checks_its_input_itself_gets_any_json() {
        let definition = r#"{"name":"get","validatesInput":true,"inputSchema":{"type":"object","required":["a"]}}"#;
        let set = ToolSet::new(vec![tool(definition)], Duration::MAX).unwrap();
        assert_eq!(set.check("get", "[1]").unwrap().get(), "[1]");
        assert!(set.check("get", "{").is_err());
        assert!(set.validates_input("get") && !set.validates_input("put"));
    }

    #[test]
    fn what_a_tool_says_of_unknown_members_comes_before_what_all_do() {
        let closed = r#""inputSchema":{"type":"object","additionalProperties":false}"#;
        let set = |more: &str| {
            let tools = vec![tool(&format!(r#"{{"name":"get"{more},{closed}}}"#))];
            ToolSet::new(tools, Duration::MAX).unwrap()
        };
        assert_eq!(set("").check("get", r#"{"x":1}"#).unwrap().get(), "{}");
        let strict = set("").with_unknown_members(UnknownMembers::Refuse);
        assert!(strict.check("get", r#"{"x":1}"#).is_err());
        let own = set(r#","unknownMembers":"refuse""#);
        assert!(own.check("get", r#"{"x":1}"#).is_err());
    }
}
