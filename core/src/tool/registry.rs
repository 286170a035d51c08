//! The tools of one turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::machine::ToolCatalog;
use crate::model::Json;

use super::{ToolDefinition, ToolHandler};

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
    /// `None` for a tool that checks its input itself.
    schema: Option<jsonschema::Validator>,
}

/// The tools of a turn with their compiled schemas, in the order given.
pub struct ToolSet {
    entries: Vec<Entry>,
    by_name: HashMap<String, usize>,
    default_timeout: Duration,
}

impl ToolSet {
    /// Checks and compiles. A later tool replaces an earlier one of the same name. `default_timeout` is for tools that
    /// do not set their own.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the tool's field.
    pub fn new(tools: Vec<Tool>, default_timeout: Duration) -> Result<Self> {
        let mut set = Self { entries: Vec::new(), by_name: HashMap::new(), default_timeout };
        for (index, tool) in tools.into_iter().enumerate() {
            let field = |name: &str| format!("tools[{index}].{name}");
            let name = tool.definition.name.clone();
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if name.is_empty() || name.len() > 64 || !name.chars().all(valid) {
                return Err(Error::invalid(field("name"), "must be 1 to 64 letters, digits, _ or -"));
            }
            let schema = tool
                .definition
                .input_schema
                .read::<serde_json::Value>()
                .ok()
                .filter(serde_json::Value::is_object)
                .ok_or_else(|| Error::invalid(field("inputSchema"), "must be a JSON Schema object"))?;
            let schema = if tool.definition.validates_input {
                None
            } else {
                let compiled = jsonschema::validator_for(&schema);
                Some(compiled.map_err(|_| Error::invalid(field("inputSchema"), "is not a valid JSON Schema"))?)
            };
            let entry = Entry { tool, schema };
            if let Some(place) = set.by_name.get(&name).and_then(|place| set.entries.get_mut(*place)) {
                *place = entry;
            } else {
                set.by_name.insert(name, set.entries.len());
                set.entries.push(entry);
            }
        }
        Ok(set)
    }

    /// What the model is told, in order.
    pub fn definitions(&self) -> Vec<ToolDefinition> {
        self.entries.iter().map(|entry| entry.tool.definition.clone()).collect()
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
        // A model that has nothing to say sends nothing instead of an empty object.
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let invalid = |problem: String| format!("Invalid input for tool {name}: {problem}");
        let input = Json::parse(arguments).map_err(|error| invalid(format!("not valid JSON ({error}).")))?;
        let Some(schema) = &entry.schema else { return Ok(input) };
        let value = input.read().map_err(|error| invalid(format!("not readable ({error}).")))?;
        let problems: Vec<String> = schema
            .iter_errors(&value)
            .take(5)
            .map(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                path => format!("{path}: {error}"),
            })
            .collect();
        if problems.is_empty() { Ok(input) } else { Err(invalid(problems.join("; "))) }
    }

    fn is_read_only(&self, name: &str) -> bool {
        self.entry(name).is_some_and(|entry| entry.tool.definition.read_only)
    }

    fn timeout(&self, name: &str) -> Duration {
        self.entry(name)
            .and_then(|entry| entry.tool.definition.timeout_ms)
            .map_or(self.default_timeout, Duration::from_millis)
    }
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
            (r#"{"name":"a","inputSchema":{"type":"nonsense"}}"#, "tools[0].inputSchema"),
        ] {
            let error = ToolSet::new(vec![tool(json)], Duration::MAX).err().unwrap();
            assert_eq!(error.details()["field"], field);
        }
    }
}
