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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallOptions {
    /// How many tokens the answer may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Randomness, from 0; what the highest is depends on the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Number>,
    /// Nucleus sampling, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<Number>,
    /// Sampling from this many tokens only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<Number>,
    /// Against tokens that were used often.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<Number>,
    /// Against tokens that were used at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<Number>,
    /// Texts that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<String>,
    /// For answers that can be repeated, where the provider supports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<Number>,
    /// What the answer has to look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// What only one provider knows, by the provider's name, as the AI SDK's `providerOptions`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_options: Option<Json>,
}

impl CallOptions {
    /// These, and what they leave open from those.
    #[must_use]
    pub fn over(self, those: Self) -> Self {
        Self {
            max_output_tokens: self.max_output_tokens.or(those.max_output_tokens),
            temperature: self.temperature.or(those.temperature),
            top_p: self.top_p.or(those.top_p),
            top_k: self.top_k.or(those.top_k),
            frequency_penalty: self.frequency_penalty.or(those.frequency_penalty),
            presence_penalty: self.presence_penalty.or(those.presence_penalty),
            stop_sequences: if self.stop_sequences.is_empty() { those.stop_sequences } else { self.stop_sequences },
            seed: self.seed.or(those.seed),
            response_format: self.response_format.or(those.response_format),
            provider_options: self.provider_options.or(those.provider_options),
        }
    }
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
