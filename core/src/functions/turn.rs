//! What turns steps into rows and rows into messages.

use serde::Deserialize;
use serde_json::json;

use crate::error::Error;
use crate::js::{Raw, Text, canonical, list, object, optional_object, present, truthy, write_string};
use crate::model::{MessageStatus, Protocol, RunFailure};
use crate::project::{
    self, FinalizePlan, RowExtra, StoredRow, TextStep, TokenUsage, assistant_parts, compact_text, flush_assistant,
    plan_finalize_assistant, row_to_ui_message, safe_error_text, serialize_steps,
};

use super::{Answer, answer, arguments};

pub(super) fn flush(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow, deserialize_with = "list")]
        steps: Vec<TextStep<'a>>,
        #[serde(default, borrow)]
        in_progress_text: Option<Text<'a>>,
        status: MessageStatus,
        #[serde(default, borrow, deserialize_with = "optional_object")]
        extra: Option<RowExtra<'a>>,
    }
    let Arguments { steps, in_progress_text, status, extra } = arguments(text)?;
    let in_progress = in_progress_text.unwrap_or_default();
    Ok(Some(flush_assistant(&steps, &in_progress.0, status, &extra.unwrap_or_default())?.to_json()))
}

pub(super) fn parts(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(default, borrow, deserialize_with = "list")]
        steps: Vec<TextStep<'a>>,
        #[serde(default, borrow)]
        fallback_text: Option<Text<'a>>,
    }
    let Arguments { steps, fallback_text } = arguments(text)?;
    Ok(Some(assistant_parts(&steps, &fallback_text.unwrap_or_default().0)?))
}

pub(super) fn trace(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(default, borrow, deserialize_with = "list")]
        steps: Vec<TextStep<'a>>,
    }
    let Arguments { steps } = arguments(text)?;
    Ok(Some(serialize_steps(&steps)?.unwrap_or_else(|| "null".to_owned())))
}

/// The one parameter `name`, as it came.
fn single<'a>(text: &'a str, name: &'static str) -> crate::Result<Option<Raw<'a>>> {
    // Read as a list of members, so that one name needs no type of its own.
    let members: std::collections::HashMap<&str, Raw<'a>> = arguments(text)?;
    Ok(members.get(name).copied())
}

pub(super) fn compact(text: &str) -> Answer {
    Ok(single(text, "value")?.map(|value| compact_text(value.get()).into_owned()))
}

/// `compactToolOutput` for callers that keep values which need no change: `None` when that is so.
///
/// # Errors
/// `INVALID_INPUT` when `json` is not JSON.
pub fn compacted(json: &str) -> crate::Result<Option<String>> {
    let value: Raw<'_> = crate::error::from_json(json, "value")?;
    Ok(project::compacted(value.get()))
}

pub(super) fn ui_message(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(borrow, deserialize_with = "object")]
        row: StoredRow<'a>,
        #[serde(default)]
        protocol: Option<Protocol>,
    }
    let Arguments { row, protocol } = arguments(text)?;
    Ok(Some(row_to_ui_message(&row, protocol)))
}

/// For bindings whose host makes sentences of failures, where it makes none.
pub(super) fn safe_text(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments {
        failure: RunFailure,
    }
    let Arguments { failure } = arguments(text)?;
    answer(&safe_error_text(&failure))
}

pub(super) fn plan(text: &str) -> Answer {
    let id = match single(text, "assistantId")? {
        Some(id) if truthy(id) => Some(
            serde_json::from_str::<Text<'_>>(id.get())
                .map_err(|_| Error::invalid("assistantId", "has the wrong type or value"))?,
        ),
        _ => None,
    };
    let id = id.unwrap_or_default();
    match plan_finalize_assistant(Some(&id.0)) {
        FinalizePlan::Update(id) => answer(&json!({"kind": "update", "id": id})),
        FinalizePlan::Insert => answer(&json!({"kind": "insert"})),
    }
}

/// The usage in `raw`, when there is one.
fn usage_of(field: &str, raw: Option<Raw<'_>>) -> crate::Result<Option<TokenUsage>> {
    match raw.filter(|raw| truthy(raw)) {
        None => Ok(None),
        Some(raw) if !raw.get().starts_with('{') => Err(Error::invalid(field, "must be an object")),
        Some(raw) => crate::error::from_json(raw.get(), "").map_err(|error| error.below(field)).map(Some),
    }
}

pub(super) fn accumulate(text: &str) -> Answer {
    #[derive(Deserialize)]
    struct Arguments<'a> {
        #[serde(default, borrow, deserialize_with = "present")]
        acc: Option<Raw<'a>>,
        #[serde(default, borrow, deserialize_with = "present")]
        step: Option<Raw<'a>>,
    }
    let Arguments { acc, step } = arguments(text)?;
    Ok(match (usage_of("acc", acc)?, usage_of("step", step)?) {
        (Some(sum), Some(step)) => Some(sum.plus(&step).to_json()),
        // The one that is there goes through as it is.
        (None, _) => step.map(|step| canonical(step.get()).text.into_owned()),
        (Some(_), None) => acc.map(|acc| canonical(acc.get()).text.into_owned()),
    })
}

pub(super) fn normalize(text: &str) -> Answer {
    Ok(usage_of("usage", single(text, "usage")?)?.map(|usage| usage.to_json()))
}

pub(super) fn stream_metadata(text: &str) -> Answer {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Arguments<'a> {
        #[serde(borrow, deserialize_with = "object")]
        part: StreamPart<'a>,
        #[serde(borrow)]
        chat_id: Text<'a>,
        #[serde(default, borrow)]
        cumulative_usage: Option<Raw<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct StreamPart<'a> {
        #[serde(borrow)]
        r#type: Text<'a>,
        #[serde(default, borrow)]
        total_usage: Option<Raw<'a>>,
    }
    let Arguments { part, chat_id, cumulative_usage } = arguments(text)?;
    Ok(match part.r#type.0.as_ref() {
        "start" => {
            let mut out = "{\"chatId\":".to_owned();
            write_string(&chat_id.0, &mut out);
            out.push('}');
            Some(out)
        }
        "finish-step" => {
            usage_of("cumulativeUsage", cumulative_usage)?;
            let usage = cumulative_usage.filter(|usage| truthy(usage));
            usage.map(|usage| format!("{{\"usage\":{}}}", canonical(usage.get()).text))
        }
        "finish" => {
            let usage = usage_of("part.totalUsage", part.total_usage)?;
            usage.map(|usage| format!("{{\"usage\":{}}}", usage.to_json()))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use crate::functions::call;

    #[test]
    fn a_list_is_not_taken_for_an_object() {
        for (function, arguments, field) in [
            ("normalizeUsage", r#"{"usage":[1,2]}"#, "usage"),
            ("normalizeUsage", r#"{"usage":{"outputTokenDetails":[5]}}"#, "usage.outputTokenDetails"),
            ("accumulateStepUsage", r#"{"acc":[1],"step":{}}"#, "acc"),
            ("flushAssistant", r#"{"steps":[["a"]],"status":"completed"}"#, "steps[0]"),
            ("selectAccessibleHits", r#"{"hits":[["p"]],"accessiblePageIds":["p"],"cap":1}"#, "hits[0]"),
        ] {
            let error = call(function, arguments).unwrap_err();
            assert_eq!(error.details()["field"], field, "{function}");
        }
    }
}
