//! The request body.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::model::Json;
use crate::project::{AssistantPart, ContentPart, ModelMessage, ToolOutput, ToolResult, UserPart};
use crate::provider::wire::{Node, Object, ProviderOptions, data_url, text_in};
use crate::provider::{ChatRequest, ProviderFailure, ToolChoice};

use super::schema;

/// Under these names parts carry thought signatures: the API is Google's also where Vertex AI serves it.
const SIGNERS: &[&str] = &["google", "googleVertex", "vertex"];

/// What a call gets whose signature is not known, so that Gemini 3 takes it all the same.
/// <https://ai.google.dev/gemini-api/docs/thought-signatures>
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The categories that a single `threshold` applies to.
const HARMS: &[&str] = &[
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
];

pub(super) fn body<'a>(model: &'a str, request: &'a ChatRequest) -> Result<(Object<'a>, Vec<String>), ProviderFailure> {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let mut own = ProviderOptions::of(&request.options, &["google"]);
    let mut warnings = Vec::new();
    for vertex in ["streamFunctionCallArguments", "sharedRequestType", "requestType"] {
        if own.take(vertex).is_some() {
            warnings.push(format!("{vertex} is an option of Vertex AI"));
        }
    }
    let mut body = Object::new().with("generationConfig", generation_config(request, &mut own));
    let mut system = Some(request.system.as_str()).filter(|system| !system.is_empty());
    // Gemma has no system prompt; its instructions stand before what the user says first.
    let preamble = if name.starts_with("gemma-") { system.take() } else { None };
    body.put("contents", contents(request, preamble, is_gemini_3(&name), &mut warnings));
    if let Some(system) = system {
        let part: Node<'_> = Object::new().with("text", system).into();
        body.put("systemInstruction", Object::new().with("parts", vec![part]));
    }
    let threshold = own.take("threshold").map(|threshold| {
        HARMS.iter().map(|category| json!({"category": category, "threshold": threshold})).collect::<Value>()
    });
    body.put_some("safetySettings", own.take("safetySettings").or(threshold));
    let mut tool_config = tools(request, &mut body);
    tool_config.put_some("retrievalConfig", own.take("retrievalConfig"));
    if !tool_config.is_empty() {
        body.put("toolConfig", tool_config);
    }
    for key in ["cachedContent", "labels", "serviceTier"] {
        body.put_some(key, own.take(key));
    }
    warnings.extend(own.into_rest().into_iter().map(|(name, _)| format!("the option {name} is not known")));
    Ok((body, warnings))
}

/// Every `gemini-` model but those that are known to be older.
fn is_gemini_3(name: &str) -> bool {
    let Some(version) = name.strip_prefix("gemini-") else {
        return false;
    };
    let is_old =
        |prefix: &str| version.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']));
    !(is_old("1") || is_old("2") || matches!(version, "pro" | "pro-vision" | "ultra"))
}

fn generation_config<'a>(request: &'a ChatRequest, own: &mut ProviderOptions) -> Object<'a> {
    let options = &request.options;
    let mut config = Object::new()
        .with_some("maxOutputTokens", options.max_output_tokens)
        .with_some("temperature", options.temperature.as_ref())
        .with_some("topK", options.top_k.as_ref())
        .with_some("topP", options.top_p.as_ref())
        .with_some("frequencyPenalty", options.frequency_penalty.as_ref())
        .with_some("presencePenalty", options.presence_penalty.as_ref());
    if !options.stop_sequences.is_empty() {
        let stops: Vec<Node<'_>> = options.stop_sequences.iter().map(|text| text.as_str().into()).collect();
        config.put("stopSequences", stops);
    }
    config.put_some("seed", options.seed.as_ref());
    let schemas = own.take_flag("structuredOutputs").unwrap_or(true);
    if let Some(format) = &options.response_format {
        config.put("responseMimeType", "application/json");
        if let Some(schema) = format.schema.as_ref().filter(|_| schemas) {
            config.put_some("responseSchema", converted(schema));
        }
    }
    for key in ["audioTimestamp", "responseModalities", "thinkingConfig", "mediaResolution", "imageConfig"] {
        config.put_some(key, own.take(key));
    }
    config
}

fn converted(schema: &Json) -> Option<Value> {
    schema::convert(&schema.read::<Value>().ok()?)
}

/// A tool's name as Gemini takes it: it must begin with a letter or `_`.
pub(super) fn name_for_google(name: &str) -> Cow<'_, str> {
    match name.bytes().next() {
        Some(first) if first.is_ascii_alphabetic() || first == b'_' => Cow::Borrowed(name),
        _ => Cow::Owned(format!("_{name}").chars().take(64).collect()),
    }
}

/// Puts the tools into the body and returns how they may be called.
fn tools<'a>(request: &'a ChatRequest, body: &mut Object<'a>) -> Object<'a> {
    let mut config = Object::new();
    if request.tools.is_empty() {
        return config;
    }
    let declarations: Vec<Node<'_>> = request
        .tools
        .iter()
        .map(|tool| {
            Object::new()
                .with("name", name_for_google(&tool.name))
                .with("description", tool.description.as_str())
                .with_some("parameters", converted(&tool.input_schema))
                .into()
        })
        .collect();
    body.put("tools", vec![Object::new().with("functionDeclarations", declarations).into()]);
    let calling = match &request.tool_choice {
        ToolChoice::Auto => json!({"mode": "AUTO"}),
        ToolChoice::None => json!({"mode": "NONE"}),
        ToolChoice::Required => json!({"mode": "ANY"}),
        ToolChoice::Tool(name) => json!({"mode": "ANY", "allowedFunctionNames": [name_for_google(name)]}),
    };
    config.put("functionCallingConfig", calling);
    config
}

fn contents<'a>(
    request: &'a ChatRequest,
    mut preamble: Option<&'a str>,
    is_gemini_3: bool,
    warnings: &mut Vec<String>,
) -> Vec<Node<'a>> {
    let mut contents = Vec::with_capacity(request.messages.len());
    for message in &request.messages {
        let (role, parts) = match message {
            ModelMessage::User(parts) => {
                let mut content: Vec<Node<'_>> = parts.iter().map(user_part).collect();
                if let Some(preamble) = preamble.take() {
                    content.insert(0, Object::new().with("text", format!("{preamble}\n\n")).into());
                }
                ("user", content)
            }
            ModelMessage::Assistant(parts) => ("model", model_parts(parts, is_gemini_3, warnings)),
            ModelMessage::Tool(results) => {
                ("user", results.iter().flat_map(|result| function_response(result, is_gemini_3)).collect())
            }
        };
        if !parts.is_empty() {
            contents.push(Object::new().with("role", role).with("parts", parts).into());
        }
    }
    contents
}

fn user_part(part: &UserPart) -> Node<'_> {
    match part {
        UserPart::Text { text, .. } => Object::new().with("text", text.as_str()).into(),
        UserPart::File { media_type, url, .. } => file_part(media_type, url).into(),
    }
}

fn file_part<'a>(media_type: &'a str, url: &'a str) -> Object<'a> {
    let media_type = if media_type == "image/*" { "image/jpeg" } else { media_type };
    match data_url(url) {
        Some((_, content)) => {
            Object::new().with("inlineData", Object::new().with("mimeType", media_type).with("data", content))
        }
        None => Object::new().with("fileData", Object::new().with("mimeType", media_type).with("fileUri", url)),
    }
}

/// What the model said. Of Gemini 3 every turn's first call must be signed; where it is not known how, a word says so.
fn model_parts<'a>(parts: &'a [AssistantPart], is_gemini_3: bool, warnings: &mut Vec<String>) -> Vec<Node<'a>> {
    let signature = |metadata: &Option<Json>| text_in(metadata.as_ref(), SIGNERS, "thoughtSignature");
    let mut content: Vec<Node<'a>> = Vec::with_capacity(parts.len());
    let mut has_signed_call = false;
    for part in parts {
        let sent = match part {
            AssistantPart::Text { text, metadata } => {
                let signature = signature(metadata);
                (!text.is_empty() || signature.is_some())
                    .then(|| Object::new().with("text", text.as_str()).with_some("thoughtSignature", signature))
            }
            AssistantPart::Reasoning { text, metadata } => (!text.is_empty()).then(|| {
                Object::new()
                    .with("text", text.as_str())
                    .with("thought", true)
                    .with_some("thoughtSignature", signature(metadata))
            }),
            AssistantPart::File { media_type, url, is_thought, metadata } => data_url(url).map(|_| {
                let noted = ProviderOptions::in_json(metadata.as_ref(), SIGNERS).take_flag("thought");
                let is_thought = *is_thought || noted == Some(true);
                file_part(media_type, url)
                    .with_some("thought", is_thought.then_some(true))
                    .with_some("thoughtSignature", signature(metadata))
            }),
            AssistantPart::ToolCall { call_id, name, input, provider_executed: false, metadata } => {
                let known = signature(metadata);
                has_signed_call |= known.is_some();
                let missing = || {
                    warnings.push(format!("the call {call_id} has no thought signature"));
                    NO_SIGNATURE.to_owned()
                };
                let signature = known.or_else(|| (is_gemini_3 && !has_signed_call).then(missing));
                let call =
                    Object::new().with("id", call_id.as_str()).with("name", name_for_google(name)).with("args", input);
                Some(Object::new().with("functionCall", call).with_some("thoughtSignature", signature))
            }
            AssistantPart::ToolCall { name, input, metadata, .. } => server_call(name, input, metadata.as_ref())
                .map(|call| call.with_some("thoughtSignature", signature(metadata))),
            AssistantPart::ToolResult { result, metadata } => server_result(result, metadata.as_ref())
                .map(|sent| sent.with_some("thoughtSignature", signature(metadata))),
        };
        content.extend(sent.map(Node::from));
    }
    content
}

/// A call of Google's own tools; those of other providers are not sent.
fn server_call<'a>(name: &str, input: &'a Json, metadata: Option<&Json>) -> Option<Object<'a>> {
    if let Some(id) = text_in(metadata, SIGNERS, "serverToolCallId") {
        let kind = text_in(metadata, SIGNERS, "serverToolType");
        let call = Object::new().with_some("toolType", kind).with("args", input).with("id", id);
        return Some(Object::new().with("toolCall", call));
    }
    let is_code = name == "code_execution" && input.read::<Value>().ok()?.get("language").is_some();
    is_code.then(|| Object::new().with("executableCode", input))
}

fn server_result<'a>(result: &'a ToolResult, metadata: Option<&Json>) -> Option<Object<'a>> {
    let output = match &result.output {
        ToolOutput::Json(output) => output,
        ToolOutput::Content(_) | ToolOutput::Error(_) => return None,
    };
    if let Some(id) = text_in(metadata, SIGNERS, "serverToolCallId") {
        let kind = text_in(metadata, SIGNERS, "serverToolType");
        let response = Object::new().with_some("toolType", kind).with("response", output).with("id", id);
        return Some(Object::new().with("toolResponse", response));
    }
    let is_code = result.name == "code_execution" && output.read::<Value>().ok()?.get("outcome").is_some();
    is_code.then(|| Object::new().with("codeExecutionResult", output))
}

/// The outcome of a call. Gemini 3 takes pictures within it; older models are shown them beside it.
fn function_response(result: &ToolResult, is_gemini_3: bool) -> Vec<Node<'_>> {
    let mut pictures: Vec<Node<'_>> = Vec::new();
    let content: Node<'_> = match &result.output {
        ToolOutput::Json(output) => output.into(),
        ToolOutput::Error(text) => Cow::Borrowed(text.as_str()).into(),
        ToolOutput::Content(parts) => {
            let mut texts: Vec<&str> = Vec::new();
            for part in parts {
                match part {
                    ContentPart::Text(text) => texts.push(text),
                    ContentPart::Image { media_type, base64 } => {
                        let data = Object::new().with("mimeType", media_type.as_str()).with("data", base64.as_str());
                        pictures.push(Object::new().with("inlineData", data).into());
                    }
                }
            }
            texts.join("\n\n").into()
        }
    };
    let name = || name_for_google(&result.name);
    let response = Object::new().with("name", name()).with("content", content);
    let mut function =
        Object::new().with("id", result.call_id.as_str()).with("name", name()).with("response", response);
    if is_gemini_3 && !pictures.is_empty() {
        function.put("parts", std::mem::take(&mut pictures));
    }
    let mut parts = vec![Object::new().with("functionResponse", function).into()];
    parts.append(&mut pictures);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, metadata: Option<&str>) -> AssistantPart {
        AssistantPart::ToolCall {
            call_id: id.into(),
            name: "get".into(),
            input: Json::parse(r#"{"n":1.0}"#).unwrap(),
            provider_executed: false,
            metadata: metadata.map(|text| Json::parse(text).unwrap()),
        }
    }

    fn sent(model: &str, parts: Vec<AssistantPart>) -> String {
        let messages = vec![ModelMessage::Assistant(parts)];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        String::from_utf8(body(model, &request).unwrap().0.into_bytes()).unwrap()
    }

    #[test]
    fn signatures_are_sent_back_as_they_came() {
        let parts = vec![
            AssistantPart::Reasoning {
                text: "hm".into(),
                metadata: Json::parse(r#"{"google":{"thoughtSignature":"A+/="}}"#).ok(),
            },
            call("1", Some(r#"{"google":{"thoughtSignature":"B"}}"#)),
            call("2", Some(r#"{"anthropic":{"signature":"C"}}"#)),
        ];
        assert_eq!(
            sent("gemini-3-pro", parts),
            concat!(
                r#"{"generationConfig":{},"contents":[{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"A+/="},"#,
                r#"{"functionCall":{"id":"1","name":"get","args":{"n":1.0}},"thoughtSignature":"B"},"#,
                r#"{"functionCall":{"id":"2","name":"get","args":{"n":1.0}}}]}]}"#
            )
        );
    }

    #[test]
    fn unsigned_calls_say_so_to_gemini_3() {
        assert!(sent("gemini-3-flash", vec![call("1", None)]).contains(NO_SIGNATURE));
        assert!(!sent("gemini-2.5-flash", vec![call("1", None)]).contains(NO_SIGNATURE));
        assert!(is_gemini_3("gemini-99-pro") && !is_gemini_3("gemini-pro") && !is_gemini_3("gemini-2.0-pro"));
        assert!(!is_gemini_3("gemma-3-12b-it") && is_gemini_3("gemini-20"));
    }
}
