//! One model call, independent of any provider's format, and what goes over the wire for it.

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::model::Json;
use crate::project::ModelMessage;
use crate::tool::ToolDefinition;

/// One model call.
#[derive(Clone, Debug, Default)]
pub struct ChatRequest {
    /// The system prompt.
    pub system: String,
    /// The conversation, oldest first.
    pub messages: Vec<ModelMessage>,
    /// The tools that the model is told of.
    pub tools: Vec<ToolDefinition>,
    /// Whether it may call them.
    pub tool_choice: ToolChoice,
    /// How it is to answer.
    pub options: CallOptions,
}

/// Whether the model may call tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// Not in this call.
    None,
    /// At least one.
    Required,
    /// This one.
    Tool(String),
}

/// How a model is to answer. What is not set is left to the provider; what a provider does not know is left out.
/// Numbers are sent as they were written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallOptions {
    /// How many tokens the answer may have.
    pub max_output_tokens: Option<u64>,
    /// Randomness, from 0; what the highest is depends on the provider.
    pub temperature: Option<Number>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<Number>,
    /// Sampling from this many tokens only.
    pub top_k: Option<Number>,
    /// Against tokens that were used often.
    pub frequency_penalty: Option<Number>,
    /// Against tokens that were used at all.
    pub presence_penalty: Option<Number>,
    /// Texts that end the answer.
    pub stop_sequences: Vec<String>,
    /// For answers that can be repeated, where the provider supports it.
    pub seed: Option<Number>,
    /// What the answer has to look like.
    pub response_format: Option<ResponseFormat>,
    /// What only one provider knows, by the provider's name, as the AI SDK's `providerOptions`.
    pub provider_options: Option<Json>,
}

/// What an answer has to look like. Without a schema it is any JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResponseFormat {
    /// Its JSON Schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Json>,
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A request as a driver wants it sent. The shell adds the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireRequest {
    /// Where to.
    pub url: String,
    /// Headers besides content type, accept and key.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body.
    pub body: Vec<u8>,
    /// What was asked for and is not sent, because this provider or model does not take it; one line each.
    pub warnings: Vec<String>,
}

/// How a provider wants its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer …`
    Bearer,
    /// A header of its own with the bare key.
    Named(&'static str),
}
