//! Tools that a model is told of in a line each until it asks for them, and the tool that it asks with.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use crate::error::{Error, Result};
use crate::model::{Json, Part, StepRecord, ToolState};

use super::{Tier, Tool, ToolDefinition, ToolHandler, ToolInvocation};

/// The tool that makes others callable.
pub const LOAD_TOOLS: &str = "loadTools";

/// How many characters of a description stand for a tool that says no line of its own.
const LINE_CHARACTERS: usize = 120;

/// The tool with which a model asks for those of these that are deferred; nothing where none is.
///
/// # Errors
/// `INVALID_INPUT`, where a tool of the host's has its name.
pub(super) fn load_tools(tools: &[&ToolDefinition]) -> Result<Option<Tool>> {
    let deferred: Vec<&ToolDefinition> = tools.iter().copied().filter(|tool| tool.tier == Tier::Deferred).collect();
    if deferred.is_empty() {
        return Ok(None);
    }
    if let Some(index) = tools.iter().position(|tool| tool.name == LOAD_TOOLS) {
        let problem = "is turnkeep's own where tools are deferred";
        return Err(Error::invalid(format!("tools[{index}].name"), problem));
    }
    let names: Vec<String> = deferred.iter().map(|tool| tool.name.clone()).collect();
    let schema = json!({
        "type": "object",
        "properties": {"names": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
        "required": ["names"],
        "additionalProperties": false,
    });
    let input_schema = Json::from_value(&schema).map_err(|_| Error::internal("a schema could not be encoded"))?;
    let definition = ToolDefinition {
        description: catalogue(&deferred),
        input_schema,
        read_only: true,
        ..ToolDefinition::new(LOAD_TOOLS)
    };
    Ok(Some(Tool { definition, handler: Arc::new(LoadTools(names)) }))
}

fn catalogue(deferred: &[&ToolDefinition]) -> String {
    let mut text =
        "Makes more tools callable from your next step on. Give the names of those that you need. There are:"
            .to_owned();
    for tool in deferred {
        text.push_str("\n- ");
        text.push_str(&tool.name);
        let line = line_of(tool);
        if !line.is_empty() {
            text.push_str(": ");
            text.push_str(&line);
        }
    }
    text
}

/// One line, whatever stands in a description.
fn line_of(tool: &ToolDefinition) -> String {
    let (text, longest) = match &tool.catalog_line {
        Some(line) => (line.as_str(), usize::MAX),
        None => (tool.description.trim().lines().next().unwrap_or_default(), LINE_CHARACTERS),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// What a model is told that calls a tool which it has not asked for.
pub(crate) fn not_loaded(name: &str) -> String {
    format!(
        "The tool '{name}' cannot be called yet. Call {LOAD_TOOLS} with its name first; it can be called in the step after that."
    )
}

/// The names that this step has asked for and was given.
pub(crate) fn loaded_in(step: &StepRecord) -> Vec<String> {
    #[derive(Deserialize)]
    struct Loaded {
        loaded: Vec<String>,
    }
    let outputs = step.parts.iter().filter_map(|part| match part {
        Part::Tool(tool) if tool.name == LOAD_TOOLS && !tool.provider_executed => match &tool.state {
            ToolState::OutputAvailable(Some(output)) => output.read::<Loaded>().ok(),
            _ => None,
        },
        _ => None,
    });
    outputs.flat_map(|output| output.loaded).collect()
}

struct LoadTools(Vec<String>);

#[async_trait]
impl ToolHandler for LoadTools {
    async fn call(&self, invocation: ToolInvocation) -> std::result::Result<Json, String> {
        #[derive(Deserialize)]
        struct Input {
            names: Vec<String>,
        }
        let Input { names } = invocation.input.read().map_err(|error| error.to_string())?;
        let (loaded, unknown): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| self.0.contains(name));
        let output = match unknown.is_empty() {
            true => json!({"loaded": loaded}),
            false => json!({"loaded": loaded, "unknown": unknown}),
        };
        Json::from_value(&output).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ToolPart;

    fn definition(json: &str) -> ToolDefinition {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_catalogue_has_a_line_for_each_deferred_tool() {
        let long = "word ".repeat(50);
        let tools = [
            definition(r#"{"name":"core"}"#),
            definition(r#"{"name":"a","tier":"deferred","catalogLine":" Sends\n mail\u0000 ","description":"no"}"#),
            definition(&format!(r#"{{"name":"b","tier":"deferred","description":"{long}"}}"#)),
            definition(r#"{"name":"c","tier":"deferred"}"#),
        ];
        let tool = load_tools(&tools.iter().collect::<Vec<_>>()).unwrap().unwrap();
        let lines: Vec<&str> = tool.definition.description.lines().skip(1).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("- a: Sends mail") && lines[2] == "- c");
        assert!(lines[1].starts_with("- b: word word") && lines[1].ends_with('…') && lines[1].chars().count() < 130);
        assert!(load_tools(&[&tools[0]]).unwrap().is_none());
        let own = definition(r#"{"name":"loadTools"}"#);
        let error = load_tools(&[&own, &tools[1]]).err().unwrap();
        assert_eq!(error.details()["field"], "tools[0].name");
    }

    #[test]
    fn what_a_step_has_loaded_is_in_its_outputs() {
        let call = |name: &str, state| Part::Tool(ToolPart::new(name, "c", None, state));
        let output = |json: &str| ToolState::OutputAvailable(Some(Json::parse(json).unwrap()));
        let parts = vec![
            call(LOAD_TOOLS, output(r#"{"loaded":["a","b"],"unknown":["x"]}"#)),
            call(LOAD_TOOLS, output(r#"["c"]"#)),
            call(LOAD_TOOLS, ToolState::OutputError("no".to_owned())),
            call("other", output(r#"{"loaded":["d"]}"#)),
        ];
        let step = StepRecord { number: 0, parts, finish_reason: None, usage: None };
        assert_eq!(loaded_in(&step), ["a", "b"]);
    }
}
