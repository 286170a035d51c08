//! The wire forms of a chunk and of a whole answer. Fields of other types than expected count as absent where that loses
//! nothing of the answer.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::Usage;
use crate::provider::lenient::{lenient, lenient_list, whole};

#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(default, deserialize_with = "text")]
    pub(super) id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<Choice>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<WireUsage>,
    /// Where Groq reports usage and errors.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) x_groq: Option<XGroq>,
    /// Pages that Perplexity and xAI refer to.
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) citations: Option<Vec<Citation>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// What some servers send in the place of choices when they fail.
    #[serde(default, deserialize_with = "text")]
    pub(super) object: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) error_message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) detail: Option<String>,
}

impl Chunk<'_> {
    /// The sentence of a chunk that is an error without saying so in the common place.
    pub(super) fn odd_error(&self) -> Option<&str> {
        if self.choices.as_ref().is_some_and(|choices| !choices.is_empty()) {
            return None;
        }
        let named = self.error_message.as_ref().or(self.detail.as_ref().filter(|_| self.choices.is_none()));
        let is_error = self.choices.is_none() && self.object.as_deref().is_none_or(|object| object == "error");
        let sentence = named.or(self.message.as_ref().filter(|_| is_error));
        sentence.map(String::as_str).filter(|sentence| !sentence.trim().is_empty())
    }
}

#[derive(Deserialize)]
pub(super) struct XGroq {
    #[serde(default, deserialize_with = "lenient")]
    pub(super) usage: Option<WireUsage>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Citation {
    Url(String),
    Page { url: String, title: Option<String> },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
pub(super) struct Choice {
    pub(super) delta: Option<Delta>,
    /// In place of a delta where the answer comes whole.
    pub(super) message: Option<Delta>,
    #[serde(default, deserialize_with = "text")]
    pub(super) finish_reason: Option<String>,
    /// Where OpenRouter says why an answer ended with an error.
    #[serde(default, deserialize_with = "lenient")]
    pub(super) error: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub(super) content: Content,
    #[serde(default, deserialize_with = "text")]
    pub(super) reasoning_content: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) reasoning: Option<String>,
    /// What Copilot calls it.
    #[serde(default, deserialize_with = "text")]
    pub(super) reasoning_text: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub(super) reasoning_opaque: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) reasoning_details: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) thinking_blocks: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "text")]
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<CallDelta>>,
    /// The form of calls before there were several.
    pub(super) function_call: Option<FunctionDelta>,
    #[serde(default, deserialize_with = "lenient_list")]
    pub(super) annotations: Option<Vec<Annotation>>,
}

#[derive(Deserialize)]
pub(super) struct CallDelta {
    #[serde(default, deserialize_with = "whole")]
    pub(super) index: Option<u64>,
    #[serde(default, deserialize_with = "text")]
    pub(super) id: Option<String>,
    pub(super) function: Option<FunctionDelta>,
    #[serde(default, deserialize_with = "lenient")]
    pub(super) extra_content: Option<ExtraContent>,
}

#[derive(Default, Deserialize)]
pub(super) struct FunctionDelta {
    #[serde(default, deserialize_with = "text")]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) arguments: Arguments,
}

#[derive(Deserialize)]
pub(super) struct ExtraContent {
    pub(super) google: Option<GoogleContent>,
}

#[derive(Deserialize)]
pub(super) struct GoogleContent {
    #[serde(default, deserialize_with = "text")]
    pub(super) thought_signature: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Annotation {
    pub(super) url_citation: Option<UrlCitation>,
}

#[derive(Deserialize)]
pub(super) struct UrlCitation {
    pub(super) url: String,
    #[serde(default, deserialize_with = "text")]
    pub(super) title: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct WireUsage {
    #[serde(default, deserialize_with = "whole")]
    prompt_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    completion_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    total_tokens: Option<u64>,
    /// Where Perplexity counts them.
    #[serde(default, deserialize_with = "whole")]
    reasoning_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default, deserialize_with = "whole")]
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default, deserialize_with = "whole")]
    reasoning_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    /// The total is the sum of both sides. Some (xAI) count the reasoning beside the answer; their own total tells.
    fn from(wire: WireUsage) -> Self {
        let detailed = wire.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        let reasoning = detailed.or(wire.reasoning_tokens).unwrap_or(0);
        let sum = wire.prompt_tokens.unwrap_or(0).saturating_add(wire.completion_tokens.unwrap_or(0));
        let beside = if wire.total_tokens == Some(sum.saturating_add(reasoning)) { reasoning } else { 0 };
        let counted = wire.prompt_tokens.is_some() || wire.completion_tokens.is_some();
        Usage {
            input_tokens: counted.then_some(wire.prompt_tokens.unwrap_or(0)),
            output_tokens: counted.then(|| wire.completion_tokens.unwrap_or(0).saturating_add(beside)),
            total_tokens: counted.then(|| sum.saturating_add(beside)),
            reasoning_tokens: Some(reasoning),
            cached_input_tokens: wire
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .filter(|n| *n > 0),
        }
    }
}

/// A text; any other value is none.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextVisitor)
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(text))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// What a delta says: a text, or Mistral's list of pieces.
#[derive(Default)]
pub(super) enum Content {
    #[default]
    None,
    Text(String),
    Pieces(Vec<ContentPiece>),
}

/// A piece of an answer: its text and, apart from it, the thinking.
#[derive(Deserialize)]
pub(super) struct ContentPiece {
    #[serde(default, deserialize_with = "text")]
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) thinking: Thinking,
}

#[derive(Default)]
pub(super) struct Thinking(pub(super) String);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor;
        impl<'de> Visitor<'de> for ContentVisitor {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_string<E>(self, text: String) -> Result<Content, E> {
                Ok(Content::Text(text))
            }

            fn visit_unit<E>(self) -> Result<Content, E> {
                Ok(Content::None)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
                let mut pieces = Vec::new();
                while let Some(piece) = list.next_element()? {
                    pieces.push(piece);
                }
                Ok(Content::Pieces(pieces))
            }
        }
        deserializer.deserialize_any(ContentVisitor)
    }
}

impl<'de> Deserialize<'de> for Thinking {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pieces = match Content::deserialize(deserializer)? {
            Content::None => return Ok(Self::default()),
            Content::Text(text) => return Ok(Self(text)),
            Content::Pieces(pieces) => pieces,
        };
        Ok(Self(pieces.into_iter().filter_map(|piece| piece.text).collect()))
    }
}

/// The text of a call's arguments. Some servers send the object itself, which is the same as its text.
#[derive(Default)]
pub(super) struct Arguments(pub(super) String);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?,
            Some(b'{') => raw.get().to_owned(),
            _ => String::new(),
        }))
    }
}
