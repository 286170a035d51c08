//! The request body.

use serde_json::{Map, Number, Value, json};

use crate::provider::wire::{Node, Object, ProviderOptions};
use crate::provider::{ChatRequest, ProviderFailure, ToolChoice, schema as schemas};

use super::capabilities::Capabilities;
use super::messages::{Betas, messages};
use super::{own_options, renamed, schema, snake_case};

/// How many tokens a model may think when nobody says.
const DEFAULT_THINKING_BUDGET: u64 = 1024;

/// The tool that a model answers with when it takes no schema.
pub(super) const JSON_TOOL: &str = "json";

/// A body, and what goes with it.
pub(super) struct Encoded<'a> {
    pub(super) body: Object<'a>,
    pub(super) betas: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Whether the answer to this call comes as a call of [`JSON_TOOL`].
pub(super) fn answers_with_a_tool(model: &str, request: &ChatRequest) -> bool {
    uses_json_tool(&Capabilities::of(model), request, own_options(request).take_text("structuredOutputMode").as_deref())
}

fn uses_json_tool(can: &Capabilities, request: &ChatRequest, mode: Option<&str>) -> bool {
    let has_schema = request.options.response_format.as_ref().is_some_and(|format| format.schema.is_some());
    has_schema && (mode == Some("jsonTool") || (mode != Some("outputFormat") && !can.structured_output))
}

pub(super) fn body<'a>(model: &'a str, request: &'a ChatRequest) -> Result<Encoded<'a>, ProviderFailure> {
    let can = Capabilities::of(model);
    let mut own = own_options(request);
    let mut warnings = Vec::new();
    let mut betas = Betas::default();
    let json_tool = uses_json_tool(&can, request, own.take_text("structuredOutputMode").as_deref());
    let send_reasoning = own.take_flag("sendReasoning").unwrap_or(true);
    let streams_tools = own.take_flag("toolStreaming").unwrap_or(true);
    let one_call_at_a_time = own.take_flag("disableParallelToolUse");
    let (system, conversation) = messages(request, send_reasoning, &mut betas, &mut warnings)?;

    let mut body = Object::new().with("model", model);
    let thinking = thinking(&mut own, &mut warnings);
    body.put("max_tokens", max_tokens(model, &can, request, thinking.budget, &mut warnings));
    sampling(&can, request, thinking.is_on, &mut body, &mut warnings);
    body.put_some("thinking", thinking.sent);
    output_config(model, &can, request, json_tool, thinking.is_off, &mut own, &mut body, &mut betas, &mut warnings);
    extras(&mut own, &mut body, &mut betas);
    body.put_some("system", system);
    body.put("messages", conversation);
    tools(&can, request, json_tool, streams_tools, one_call_at_a_time, &mut body, &mut betas);
    body.put("stream", true);
    warnings.extend(own.into_rest().into_iter().map(|(name, _)| format!("the option {name} is not known")));
    Ok(Encoded { body, betas: betas.into_list(), warnings })
}

struct Thinking {
    is_on: bool,
    is_off: bool,
    budget: u64,
    sent: Option<Value>,
}

fn thinking(own: &mut ProviderOptions, warnings: &mut Vec<String>) -> Thinking {
    let Some(Value::Object(mut given)) = own.take("thinking") else {
        return Thinking { is_on: false, is_off: false, budget: 0, sent: None };
    };
    let kind = given.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut budget = 0;
    let given_budget = given.shift_remove("budgetTokens");
    if kind == "enabled" {
        budget = given_budget.as_ref().and_then(Value::as_u64).unwrap_or_else(|| {
            warnings.push(format!("thinking has no budget; it gets {DEFAULT_THINKING_BUDGET} tokens"));
            DEFAULT_THINKING_BUDGET
        });
        given.insert("budget_tokens".to_owned(), budget.into());
    }
    Thinking {
        is_on: matches!(kind.as_str(), "enabled" | "adaptive"),
        is_off: kind == "disabled",
        budget,
        sent: Some(Value::Object(given)),
    }
}

fn max_tokens(model: &str, can: &Capabilities, request: &ChatRequest, budget: u64, warnings: &mut Vec<String>) -> u64 {
    let given = request.options.max_output_tokens;
    if given.is_none() && !can.known {
        warnings
            .push(format!("the model {model} is not known; its answer is limited to {} tokens", can.max_output_tokens));
    }
    let wanted = given.unwrap_or(can.max_output_tokens).saturating_add(budget);
    if can.known && wanted > can.max_output_tokens {
        if given.is_some() {
            warnings.push(format!("maxOutputTokens is limited to {} for this model", can.max_output_tokens));
        }
        return can.max_output_tokens;
    }
    wanted
}

fn sampling<'a>(
    can: &Capabilities,
    request: &'a ChatRequest,
    thinks: bool,
    body: &mut Object<'a>,
    warnings: &mut Vec<String>,
) {
    let options = &request.options;
    for (name, is_set) in [
        ("frequencyPenalty", options.frequency_penalty.is_some()),
        ("presencePenalty", options.presence_penalty.is_some()),
        ("seed", options.seed.is_some()),
    ] {
        if is_set {
            warnings.push(format!("{name} is not a setting of this provider"));
        }
    }
    let mut temperature = options.temperature.clone();
    if let Some(value) = temperature.as_ref().and_then(Number::as_f64)
        && !(0.0..=1.0).contains(&value)
    {
        warnings.push("temperature is limited to the range from 0 to 1".to_owned());
        temperature = Some(Number::from(u8::from(value > 1.0)));
    }
    let settings =
        [("temperature", temperature.as_ref()), ("top_k", options.top_k.as_ref()), ("top_p", options.top_p.as_ref())];
    for (name, value) in settings {
        let Some(value) = value else { continue };
        if thinks || can.rejects_sampling {
            warnings.push(format!("{name} is not supported by this model, or not while it thinks"));
        } else if name == "top_p" && can.known && temperature.is_some() {
            warnings.push("top_p is not sent together with temperature".to_owned());
        } else {
            body.put(name, value);
        }
    }
    if !options.stop_sequences.is_empty() {
        body.put("stop_sequences", json!(options.stop_sequences));
    }
}

#[allow(clippy::too_many_arguments, reason = "called once; a struct of the same fields would only repeat them")]
fn output_config(
    model: &str,
    can: &Capabilities,
    request: &ChatRequest,
    json_tool: bool,
    thinking_is_off: bool,
    own: &mut ProviderOptions,
    body: &mut Object<'_>,
    betas: &mut Betas,
    warnings: &mut Vec<String>,
) {
    let mut config = Map::new();
    if let Some(effort) = own.take_text("effort") {
        let too_high = thinking_is_off && !can.known && matches!(effort.as_str(), "max" | "xhigh");
        if too_high {
            warnings.push(format!("{model} takes no effort above high while thinking is off"));
        }
        config.insert("effort".to_owned(), if too_high { "high".into() } else { effort.into() });
    }
    if let Some(budget) = own.take("taskBudget") {
        config.insert("task_budget".to_owned(), budget);
        betas.add("task-budgets-2026-03-13");
    }
    let format = request.options.response_format.as_ref();
    if let Some(schema) = format.and_then(|format| format.schema.as_ref()).filter(|_| !json_tool) {
        let schema = schema.read::<Value>().map(schema::sanitized).unwrap_or_default();
        config.insert("format".to_owned(), json!({"type": "json_schema", "schema": schema}));
    } else if format.is_some_and(|format| format.schema.is_none()) {
        warnings.push("an answer in JSON needs a schema with this provider".to_owned());
    }
    if !config.is_empty() {
        body.put("output_config", Value::Object(config));
    }
}

/// Settings that only Anthropic knows.
fn extras(own: &mut ProviderOptions, body: &mut Object<'_>, betas: &mut Betas) {
    if let Some(speed) = own.take("speed") {
        if speed == "fast" {
            betas.add("fast-mode-2026-02-01");
        }
        body.put("speed", speed);
    }
    body.put_some("inference_geo", own.take("inferenceGeo"));
    body.put_some("cache_control", own.take("cacheControl"));
    body.put_some("metadata", own.take("metadata").map(|metadata| renamed(metadata, snake_case)));
    if let Some(servers) =
        own.take("mcpServers").filter(|servers| servers.as_array().is_some_and(|list| !list.is_empty()))
    {
        body.put("mcp_servers", renamed(servers, snake_case));
        betas.add("mcp-client-2025-04-04");
    }
    if let Some(container) = own.take("container") {
        let has_skills = container.get("skills").and_then(Value::as_array).is_some_and(|skills| !skills.is_empty());
        match (has_skills, container.get("id")) {
            (false, Some(id)) => body.put("container", id.clone()),
            _ => body.put("container", renamed(container, snake_case)),
        }
        if has_skills {
            betas.add("code-execution-2025-08-25");
            betas.add("skills-2025-10-02");
            betas.add("files-api-2025-04-14");
        }
    }
    if let Some(management) = own.take("contextManagement") {
        betas.add("context-management-2025-06-27");
        let edits = management.get("edits").and_then(Value::as_array);
        let kinds = edits.into_iter().flatten().filter_map(|edit| edit.get("type")?.as_str());
        if kinds.into_iter().any(|kind| kind == "compact_20260112") {
            betas.add("compact-2026-01-12");
        }
        body.put("context_management", renamed(management, snake_case));
    }
    let fallbacks = own.take("fallbacks");
    body.put_some("fallbacks", fallbacks.filter(|list| list.as_array().is_some_and(|list| !list.is_empty())));
    for beta in own.take("anthropicBeta").iter().filter_map(Value::as_array).flatten().filter_map(Value::as_str) {
        betas.add(beta);
    }
}

fn tools<'a>(
    can: &Capabilities,
    request: &'a ChatRequest,
    json_tool: bool,
    streams: bool,
    one_call_at_a_time: Option<bool>,
    body: &mut Object<'a>,
    betas: &mut Betas,
) {
    let mut sent: Vec<Node<'a>> = Vec::new();
    // A model that may call nothing must not know of any tool: the API's own word for it came late.
    if request.tool_choice != ToolChoice::None || json_tool {
        for tool in &request.tools {
            let description = Some(tool.description.as_str()).filter(|text| !text.is_empty());
            let tool = Object::new()
                .with("name", tool.name.as_str())
                .with_some("description", description)
                .with("input_schema", schemas::of_input(&tool.input_schema))
                .with_some("eager_input_streaming", streams.then_some(true));
            sent.push(tool.into());
        }
    }
    if let Some(schema) = request.options.response_format.as_ref().and_then(|format| format.schema.as_ref())
        && json_tool
    {
        let tool = Object::new()
            .with("name", JSON_TOOL)
            .with("description", "Respond with a JSON object.")
            .with("input_schema", schema)
            .with_some("eager_input_streaming", streams.then_some(true));
        sent.push(tool.into());
        body.put("tools", sent);
        body.put("tool_choice", json!({"type": "any", "disable_parallel_tool_use": true}));
        return;
    }
    if sent.is_empty() {
        return;
    }
    if can.structured_output {
        betas.add("structured-outputs-2025-11-13");
    }
    body.put("tools", sent);
    let choice = match &request.tool_choice {
        ToolChoice::Auto | ToolChoice::None => Object::new().with("type", "auto"),
        ToolChoice::Required => Object::new().with("type", "any"),
        ToolChoice::Tool(name) => Object::new().with("type", "tool").with("name", name.as_str()),
    };
    body.put("tool_choice", choice.with_some("disable_parallel_tool_use", one_call_at_a_time));
}
