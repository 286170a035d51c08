//! The request body.

use serde_json::{Value, json};

use crate::provider::chat_completions::{
    MessageStyle, Reasoning, messages, response_format, sampling, tool_choice, tools,
};
use crate::provider::wire::{Object, ProviderOptions};
use crate::provider::{ChatRequest, ProviderFailure};

const NAMES: &[&str] = &["openai"];

/// Options whose names differ only in spelling.
const RENAMED: &[(&str, &str)] = &[
    ("user", "user"),
    ("parallelToolCalls", "parallel_tool_calls"),
    ("maxCompletionTokens", "max_completion_tokens"),
    ("store", "store"),
    ("metadata", "metadata"),
    ("prediction", "prediction"),
    ("textVerbosity", "verbosity"),
    ("promptCacheKey", "prompt_cache_key"),
    ("promptCacheRetention", "prompt_cache_retention"),
    ("promptCacheOptions", "prompt_cache_options"),
    ("safetyIdentifier", "safety_identifier"),
];

/// What a model takes, judged by its id as OpenAI's model pages list it.
struct Capabilities {
    /// It reasons: it has a developer role and takes no sampling settings.
    reasons: bool,
    /// It takes them after all while its reasoning is off.
    samples_without_reasoning: bool,
    flex: bool,
    priority: bool,
    /// It searches the web and takes no temperature.
    searches: bool,
}

impl Capabilities {
    fn of(model: &str) -> Self {
        let version = model.strip_prefix("gpt-").map(leading_version);
        let is_chat = model.starts_with("gpt-5-chat");
        let gpt_5_on = version.is_some_and(|(major, _)| major >= 5) && !is_chat;
        let o_series =
            model.strip_prefix('o').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        let mini = model.starts_with("o4-mini");
        let o3_or_mini = model.starts_with("o3") || mini;
        Self {
            reasons: o_series || gpt_5_on,
            samples_without_reasoning: gpt_5_on && version.is_some_and(|version| version >= (5, 1)),
            flex: o3_or_mini || gpt_5_on,
            priority: o3_or_mini || model.starts_with("gpt-4") || (gpt_5_on && !model.starts_with("gpt-5-nano")),
            searches: model.starts_with("gpt-4o-search-preview") || model.starts_with("gpt-4o-mini-search-preview"),
        }
    }
}

/// `5.1-mini` is `(5, 1)`.
fn leading_version(text: &str) -> (u32, u32) {
    let number = |text: &str| {
        let digits = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
        text.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    (number(text), text.split_once('.').filter(|(major, _)| major.parse::<u32>().is_ok()).map_or(0, |(_, m)| number(m)))
}

pub(super) fn body<'a>(model: &'a str, request: &'a ChatRequest) -> Result<(Object<'a>, Vec<String>), ProviderFailure> {
    let options = &request.options;
    let mut own = ProviderOptions::of(options, NAMES);
    let mut warnings = Vec::new();
    let can = Capabilities::of(model);
    let reasons = can.reasons || own.take_flag("forceReasoning") == Some(true);
    let mut body = Object::new().with("model", model);
    sampling(options, &mut body);
    if options.top_k.is_some() {
        warnings.push("topK is not a setting of this provider".to_owned());
    }
    if let Some(format) = &options.response_format {
        let strict = own.take_flag("strictJsonSchema").unwrap_or(true);
        body.put("response_format", response_format(format, true, strict));
    }
    body.put_some("logit_bias", own.take("logitBias"));
    match own.take("logprobs") {
        Some(Value::Bool(true)) => {
            body.put("logprobs", true);
            body.put("top_logprobs", 0);
        }
        Some(Value::Number(count)) => {
            body.put("logprobs", true);
            body.put("top_logprobs", &count);
        }
        _ => {}
    }
    for (name, sent) in RENAMED {
        body.put_some(*sent, own.take(name));
    }
    let effort = own.take("reasoningEffort");
    let reasoning_is_off = effort.as_ref() == Some(&json!("none")) && can.samples_without_reasoning;
    body.put_some("reasoning_effort", effort);
    service_tier(&can, own.take("serviceTier"), &mut body, &mut warnings);
    let system_role = match own.take_text("systemMessageMode").as_deref() {
        Some("remove") => {
            warnings.push("the system prompt is left out".to_owned());
            None
        }
        Some("developer") => Some("developer"),
        Some("system") => Some("system"),
        _ if reasons => Some("developer"),
        _ => Some("system"),
    };
    let mut left_out = Vec::new();
    if reasons {
        left_out.extend(["frequency_penalty", "presence_penalty", "logit_bias"]);
        if !reasoning_is_off {
            left_out.extend(["temperature", "top_p", "logprobs", "top_logprobs"]);
        }
        if let Some(most) = options.max_output_tokens {
            body.remove("max_tokens");
            if !body.has("max_completion_tokens") {
                body.put("max_completion_tokens", most);
            }
        }
    } else if can.searches {
        left_out.push("temperature");
    }
    for name in left_out {
        if body.remove(name) {
            warnings.push(format!("{name} is not supported by this model"));
        }
    }
    warnings.extend(own.into_rest().into_iter().map(|(name, _)| format!("the option {name} is not known")));
    let style = MessageStyle {
        system_role,
        reasoning: Reasoning::Dropped,
        kept_members: false,
        lists: true,
        names: NAMES,
        spread: false,
        text_files: false,
        google: false,
    };
    body.put("messages", messages(request, &style)?);
    body.put_some("tools", tools(&request.tools));
    body.put_some("tool_choice", tool_choice(request));
    body.put("stream", true);
    body.put("stream_options", json!({"include_usage": true}));
    Ok((body, warnings))
}

fn service_tier(can: &Capabilities, tier: Option<Value>, body: &mut Object<'_>, warnings: &mut Vec<String>) {
    let Some(tier) = tier else { return };
    let taken = match tier.as_str() {
        Some("flex") => can.flex,
        Some("priority" | "fast") => can.priority,
        _ => true,
    };
    if taken {
        body.put("service_tier", tier);
    } else {
        warnings.push("this service tier is not available for this model".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(model: &str, options: &str) -> (Value, Vec<String>) {
        let options = serde_json::from_str(options).unwrap();
        let request = ChatRequest { system: "S".into(), options, ..ChatRequest::default() };
        let (body, warnings) = body(model, &request).unwrap();
        (serde_json::from_slice(&body.into_bytes()).unwrap(), warnings)
    }

    #[test]
    fn models_that_reason() {
        let reasons = |model: &str| Capabilities::of(model).reasons;
        for model in ["o1", "o3-mini", "o4-mini", "gpt-5", "gpt-5.1-codex-max", "gpt-6", "gpt-10-nano"] {
            assert!(reasons(model), "{model}");
        }
        for model in ["gpt-4o", "gpt-4.1", "gpt-3.5-turbo", "gpt-5-chat-latest", "omni", "chatgpt-4o-latest"] {
            assert!(!reasons(model), "{model}");
        }
    }

    #[test]
    fn reasoning_models_take_no_sampling_settings() {
        let (body, warnings) = encoded("o4-mini", r#"{"temperature":0.50,"maxOutputTokens":7,"presencePenalty":1}"#);
        assert_eq!(body["messages"][0]["role"], "developer");
        assert_eq!((&body["max_completion_tokens"], &body["max_tokens"]), (&json!(7), &Value::Null));
        assert_eq!((body.get("temperature"), warnings.len()), (None, 2));
        let off = r#"{"temperature":0.5,"providerOptions":{"openai":{"reasoningEffort":"none"}}}"#;
        assert_eq!(encoded("gpt-5.1", off).0["temperature"], json!(0.5));
        assert_eq!(encoded("gpt-5", off).0.get("temperature"), None);
    }

    #[test]
    fn what_is_not_known_is_said() {
        let (_, warnings) = encoded("gpt-4o", r#"{"topK":3,"providerOptions":{"openai":{"odd":1},"other":{"x":1}}}"#);
        assert_eq!(warnings, ["topK is not a setting of this provider", "the option odd is not known"]);
    }
}
