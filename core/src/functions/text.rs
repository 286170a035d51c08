//! Functions over text.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};
use serde_json::json;
use serde_json::value::RawValue;

use crate::error::Error;
use crate::js::{self, OwnedText as Text, object, objects, optional_object};
use crate::project::{
    SearchHit, SplitOptions, TrimOptions, clean_chat_title, clean_generated_title, is_degenerate_output,
    select_accessible_hits, split_text, trim_history, truncate_degenerate_output,
};
use crate::provider::{ReportedError, describe_provider_error};

use super::{Answer, answer, arguments};

pub(super) fn storable(text: &str) -> Answer {
    // Reading it has put in its place what no database takes.
    let OneText { text } = arguments(text)?;
    answer(&text.0)
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str::<js::Text<'_>>(value.get()).ok().map(|text| text.0.into_owned())
}

fn strings(texts: Vec<Text>) -> HashSet<String> {
    texts.into_iter().map(|text| text.0).collect()
}

#[derive(Deserialize)]
struct OneText {
    text: Text,
}

pub(super) fn chat_title(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        #[serde(default)]
        text: Option<Text>,
    }
    let Arguments { text } = arguments(text)?;
    answer(&text.as_ref().and_then(|text| clean_chat_title(&text.0)))
}

pub(super) fn generated_title(text: &str) -> Answer {
    let OneText { text } = arguments(text)?;
    answer(&clean_generated_title(&text.0))
}

pub(super) fn is_degenerate(text: &str) -> Answer {
    let OneText { text } = arguments(text)?;
    answer(&is_degenerate_output(&text.0))
}

pub(super) fn truncate_degenerate(text: &str) -> Answer {
    let OneText { text } = arguments(text)?;
    answer(&truncate_degenerate_output(&text.0))
}

pub(super) fn split(text: &str) -> Answer {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Options {
        chunk_size: Option<Whole>,
        chunk_overlap: Option<Whole>,
    }
    #[derive(Deserialize)]
    struct Arguments {
        text: Text,
        #[serde(default, deserialize_with = "optional_object")]
        options: Option<Options>,
    }
    let Arguments { text, options } = arguments(text)?;
    let Options { chunk_size, chunk_overlap } = options.unwrap_or_default();
    let default = SplitOptions::default();
    let options = SplitOptions {
        chunk_size: chunk_size.map_or(default.chunk_size, Whole::size),
        chunk_overlap: chunk_overlap.map_or(default.chunk_overlap, Whole::size),
    };
    answer(&split_text(&text.0, options)?)
}

/// A count: no fraction, not below zero. `1000.0` is one, because some languages have no other numbers.
#[derive(Clone, Copy)]
struct Whole(u64);

impl Whole {
    fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_u64().or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0 && (0.0..18_446_744_073_709_551_616.0).contains(&number)).then_some(number as u64)
        });
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("not a whole number"))
    }
}

pub(super) fn select_hits(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Hit {
        page_id: Text,
        #[serde(default)]
        title: Option<Text>,
        /// What is not text has no snippet.
        #[serde(default)]
        content: Option<Box<RawValue>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments {
        #[serde(deserialize_with = "objects")]
        hits: Vec<Hit>,
        accessible_page_ids: Vec<Text>,
        /// `null` is what JSON makes of NaN.
        #[serde(default)]
        cap: Option<f64>,
    }
    let Arguments { hits, accessible_page_ids, cap } = arguments(text)?;
    let hits: Vec<SearchHit> = hits
        .into_iter()
        .map(|hit| SearchHit {
            page_id: hit.page_id.0,
            title: hit.title.map(|title| title.0),
            content: hit.content.and_then(|content| text_of(&content)).unwrap_or_default(),
        })
        .collect();
    answer(&select_accessible_hits(&hits, &strings(accessible_page_ids), cap.unwrap_or(f64::NAN)))
}

#[derive(Deserialize)]
struct Caught {
    #[serde(default)]
    err: Option<Box<RawValue>>,
    #[serde(default)]
    fallback: Option<Text>,
}

impl Caught {
    fn read(&self) -> crate::Result<ReportedError> {
        self.err.as_deref().map_or(Ok(ReportedError::Other), |err| ReportedError::from_json(err, "err"))
    }
}

pub(super) fn describe(text: &str) -> Answer {
    let caught: Caught = arguments(text)?;
    let fallback = caught.fallback.as_ref().map_or("Unknown error", |fallback| &fallback.0);
    let line = describe_provider_error(&caught.read()?, fallback);
    // With nothing to put before or after it, a message that is a number stays one.
    match caught.err.as_deref().and_then(bare_scalar) {
        Some(scalar) if scalar == line => Ok(Some(scalar)),
        _ => answer(&line),
    }
}

/// The message of an error, when it is a number or a boolean.
fn bare_scalar(err: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Message {
        message: Option<serde_json::Value>,
    }
    let Message { message } = serde_json::from_str(err.get()).ok()?;
    message.filter(|message| message.is_number() || message.is_boolean()).map(|message| message.to_string())
}

pub(super) fn is_fatal(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Status {
        #[serde(rename = "statusCode")]
        status: serde_json::Number,
    }
    let Caught { err, .. } = arguments(text)?;
    // Read on its own: whatever else is odd in the error does not matter here.
    let status = err.and_then(|err| serde_json::from_str::<Status>(err.get()).ok()?.status.as_f64());
    answer(&status.is_some_and(crate::provider::is_fatal_status))
}

pub(super) fn trim(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Options {
        budget_tokens: Whole,
        #[serde(default)]
        context_tokens: Option<Whole>,
        #[serde(default)]
        keep_turns: Option<Whole>,
    }
    #[derive(Deserialize)]
    struct Arguments {
        messages: Vec<Box<RawValue>>,
        #[serde(deserialize_with = "object")]
        options: Options,
    }
    let Arguments { messages, options } = arguments(text)?;
    let options = TrimOptions {
        budget_tokens: options.budget_tokens.0,
        context_tokens: options.context_tokens.map(|tokens| tokens.0),
        keep_turns: options.keep_turns.map_or(1, Whole::size),
    };
    let trim = trim_history(&messages, options)?;
    // Written by hand: a `Value` in between would change how messages are spelled.
    let kept: Vec<&str> = trim.kept(&messages).map(|message| message.get()).collect();
    let rest = json!({"trimmed": trim.trimmed > 0, "estimatedTokens": trim.estimated_tokens}).to_string();
    let rest = rest.strip_prefix('{').ok_or_else(|| Error::internal("an object has no brace"))?;
    Ok(Some(format!("{{\"messages\":[{}],{rest}", kept.join(","))))
}

#[cfg(test)]
mod tests {
    use crate::functions::call;

    fn field(function: &str, arguments: &str) -> String {
        let error = call(function, arguments).unwrap_err();
        error.details()["field"].as_str().unwrap().to_owned()
    }

    fn given(function: &str, arguments: &str) -> String {
        call(function, arguments).unwrap().unwrap()
    }

    #[test]
    fn titles() {
        assert_eq!(given("cleanChatTitle", r#"{"text":" 'x\u0000' "}"#), "\"x\u{fffd}\"");
        assert_eq!(given("cleanChatTitle", r#"{"text":null}"#), "null");
        assert_eq!(given("cleanGeneratedTitle", r##"{"text":"# \ud83d «x»"}"##), "\"\u{fffd} «x»\"");
        assert_eq!(field("cleanChatTitle", r#"{"text":5}"#), "text");
        assert_eq!(field("cleanGeneratedTitle", "{}"), "text");
    }

    #[test]
    fn what_no_database_takes_is_replaced() {
        assert_eq!(given("storableText", r#"{"text":"a\u0000b\ud83d😀\ud83d\ude00"}"#), "\"a\u{fffd}b\u{fffd}😀😀\"");
        assert_eq!(field("storableText", r#"{"text":null}"#), "text");
    }

    #[test]
    fn splitting() {
        let chunks = given("splitText", r#"{"text":"aaa bbb","options":{"chunkSize":4.0,"chunkOverlap":0}}"#);
        assert_eq!(chunks, r#"["aaa","bbb"]"#);
        assert_eq!(given("splitText", r#"{"text":"a","options":null}"#), r#"["a"]"#);
        for (options, named) in [
            (r#"{"chunkSize":0}"#, "options.chunkSize"),
            (r#"{"chunkSize":1.5}"#, "options.chunkSize"),
            (r#"{"chunkSize":"9"}"#, "options.chunkSize"),
            (r#"{"chunkSize":100}"#, "options.chunkOverlap"),
            (r#"{"chunkOverlap":-1}"#, "options.chunkOverlap"),
            ("5", "options"),
        ] {
            assert_eq!(field("splitText", &format!(r#"{{"text":"a","options":{options}}}"#)), named, "{options}");
        }
    }

    #[test]
    fn hits() {
        let hits = r#"{"hits":[{"pageId":"a","title":null,"content":5}],"accessiblePageIds":["a"],"cap":null}"#;
        assert_eq!(given("selectAccessibleHits", hits), r#"[{"id":"a","title":"","snippet":""}]"#);
        let wrong = |hit: &str| format!(r#"{{"hits":[{hit}],"accessiblePageIds":["a"],"cap":1}}"#);
        assert_eq!(field("selectAccessibleHits", &wrong("{}")), "hits[0].pageId");
        assert_eq!(field("selectAccessibleHits", &wrong(r#"{"pageId":5}"#)), "hits[0].pageId");
        assert_eq!(field("selectAccessibleHits", &wrong(r#"{"pageId":"a","title":5}"#)), "hits[0].title");
        assert_eq!(field("selectAccessibleHits", r#"{"hits":[],"accessiblePageIds":["a",5]}"#), "accessiblePageIds[1]");
        assert_eq!(field("selectAccessibleHits", r#"{"hits":[],"accessiblePageIds":[],"cap":"5"}"#), "cap");
    }

    #[test]
    fn provider_errors() {
        assert_eq!(given("describeProviderError", "{}"), r#""Unknown error""#);
        assert_eq!(given("describeProviderError", r#"{"err":{"message":5}}"#), "5");
        assert_eq!(given("describeProviderError", r#"{"err":{"message":5,"statusCode":500}}"#), r#""500: 5""#);
        assert_eq!(field("describeProviderError", r#"{"err":{"text":{}}}"#), "err.text");
        assert_eq!(field("describeProviderError", r#"{"fallback":5}"#), "fallback");
        assert_eq!(given("isFatalProviderError", r#"{"err":{"statusCode":403,"responseBody":5}}"#), "true");
        assert_eq!(given("isFatalProviderError", "{}"), "false");
        let deep = format!(r#"{{"err":{{"cause":{}1{},"statusCode":402}}}}"#, "[".repeat(9999), "]".repeat(9999));
        assert_eq!(given("isFatalProviderError", &deep), "true");
        assert!(given("describeProviderError", &deep).ends_with("402:\""));
    }

    #[test]
    fn loops() {
        let looping = format!(r#"{{"text":"{}"}}"#, "ab ".repeat(100));
        assert_eq!(given("isDegenerateOutput", &looping), "true");
        assert_eq!(given("truncateDegenerateOutput", &looping), "\"ab ab …\"");
        assert_eq!(given("truncateDegenerateOutput", r#"{"text":"x"}"#), "\"x\"");
        assert_eq!(field("isDegenerateOutput", r#"{"text":null}"#), "text");
    }

    #[test]
    fn histories_come_back_as_they_were_spelled() {
        let messages = r#"{ "role" : "user", "content":"\u0041\ud83d" , "n": 1.0}"#;
        let trimmed = given("trimHistory", &format!(r#"{{"messages":[{messages}],"options":{{"budgetTokens":9}}}}"#));
        assert_eq!(trimmed, format!(r#"{{"messages":[{messages}],"trimmed":false,"estimatedTokens":5}}"#));
        for (arguments, named) in [
            (r#"{"messages":[],"options":{"budgetTokens":0}}"#, "options.budgetTokens"),
            (r#"{"messages":[],"options":{"budgetTokens":1.5}}"#, "options.budgetTokens"),
            (r#"{"messages":[],"options":{}}"#, "options.budgetTokens"),
            (r#"{"messages":[],"options":{"budgetTokens":1,"keepTurns":0}}"#, "options.keepTurns"),
            (r#"{"messages":[],"options":{"budgetTokens":1,"contextTokens":"x"}}"#, "options.contextTokens"),
            (r#"{"messages":{},"options":{"budgetTokens":1}}"#, "messages"),
            (r#"{"messages":[5],"options":{"budgetTokens":1}}"#, "messages[0]"),
            (r#"{"messages":[]}"#, "options"),
        ] {
            assert_eq!(field("trimHistory", arguments), named, "{arguments}");
        }
    }
}
