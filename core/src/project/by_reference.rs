//! Rows for callers in whose hands the values are: nothing that stays as it is crosses over.
//!
//! Such a caller numbers its texts and values and tells of each step only their numbers, as words of 32 bits:
//!
//! ```text
//! question: in-progress text, steps, then for each step
//!           text, calls, results, errors, then for each call    id, name, input
//!                                         then for each result  id, name, output
//!                                         then for each error   id, text
//! answer:   texts of the content, then the number of each,
//!           entries of the trace, then for each  kind, name, value
//!           parts, then for each                 CALL | RESULT | …
//! ```
//!
//! Number [`ABSENT`] stands for what is absent, [`EMPTY`] for the empty text, [`INCOMPLETE`] (in answers) for the text of
//! a call without an outcome. Equal ids within a step have equal numbers. What becomes of large outputs is asked
//! separately, with [`rest`].

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::js::{Raw, optional_object};
use crate::model::MessageStatus;

use super::compact::{compacted, compacted_abridged};
use super::steps::{
    Found, PartSink, RowExtra, StepCall, StepError, StepResult, StepView, TraceSink, Words, each_part, each_trace,
    metadata_rest,
};

/// The number of what is absent.
pub const ABSENT: u32 = 0;
/// The number of the empty text.
pub const EMPTY: u32 = 1;
/// The number of the text that a call without an outcome gets.
pub const INCOMPLETE: u32 = 2;
/// An entry of the trace that is a call: `name`, `input`.
pub const CALL: u32 = 0;
/// An entry of the trace that is a result: `name`, `output`.
pub const RESULT: u32 = 1;
/// A part that is text: its number.
pub const TEXT: u32 = 2;
/// A part that is a call with its output: `name`, `id`, `input`, `output`.
pub const DONE: u32 = 3;
/// A part that is a call which failed: `name`, `id`, `input`, `error text`.
pub const FAILED: u32 = 4;

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Everything, as in `flushAssistant`.
    Row,
    /// The parts, as in `assistantParts`; the text in progress is the fallback.
    Parts,
    /// The trace, as in `serializeSteps`.
    Trace,
}

/// A text or a value of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Number(u32);

impl Number {
    fn of(word: u32) -> Option<Self> {
        (word != ABSENT).then_some(Self(word))
    }
}

impl Words for Number {
    fn truthy(&self) -> bool {
        self.0 != EMPTY
    }
}

/// The lists of all steps, one after the other.
struct Question {
    in_progress: Option<Number>,
    steps: Vec<Lengths>,
    calls: Vec<StepCall<Number, Number>>,
    results: Vec<StepResult<Number, Number>>,
    errors: Vec<StepError<Number>>,
}

struct Lengths {
    text: Option<Number>,
    calls: usize,
    results: usize,
    errors: usize,
}

impl Question {
    /// `None` when the words end too early, or are too many.
    fn read(words: &[u32]) -> Option<Self> {
        let mut words = words.iter().copied();
        let mut question = Self {
            in_progress: Number::of(words.next()?),
            steps: Vec::new(),
            calls: Vec::new(),
            results: Vec::new(),
            errors: Vec::new(),
        };
        let mut next = || words.next();
        for _ in 0..next()? {
            let text = Number::of(next()?);
            let [calls, results, errors] = [next()?, next()?, next()?];
            for _ in 0..calls {
                question.calls.push(StepCall {
                    tool_call_id: Number::of(next()?),
                    tool_name: Number::of(next()?),
                    input: Number::of(next()?),
                });
            }
            for _ in 0..results {
                question.results.push(StepResult {
                    tool_call_id: Number::of(next()?),
                    tool_name: Number::of(next()?),
                    output: Number::of(next()?),
                });
            }
            for _ in 0..errors {
                question.errors.push(StepError {
                    tool_call_id: Number::of(next()?),
                    tool_name: None,
                    error_text: Number::of(next()?),
                });
            }
            let [calls, results, errors] = [calls, results, errors].map(|count| usize::try_from(count).unwrap_or(0));
            question.steps.push(Lengths { text, calls, results, errors });
        }
        words.next().is_none().then_some(question)
    }

    fn steps(&self) -> impl Iterator<Item = StepView<'_, Number, Number>> {
        let (mut calls, mut results, mut errors) = (&*self.calls, &*self.results, &*self.errors);
        self.steps.iter().map(move |lengths| StepView {
            text: lengths.text.as_ref(),
            calls: take(&mut calls, lengths.calls),
            results: take(&mut results, lengths.results),
            errors: take(&mut errors, lengths.errors),
        })
    }
}

fn take<'a, T>(rest: &mut &'a [T], count: usize) -> &'a [T] {
    let (taken, left) = rest.split_at_checked(count).unwrap_or((rest, &[]));
    *rest = left;
    taken
}

/// Words that are being written behind the place of their number.
struct Answer<'a> {
    words: &'a mut Vec<u32>,
    items: u32,
}

impl Answer<'_> {
    fn item<const N: usize>(&mut self, words: [u32; N]) {
        self.items += 1;
        self.words.extend_from_slice(&words);
    }
}

/// Appends what `write` says, with the number of its items before it.
fn counted(words: &mut Vec<u32>, write: impl FnOnce(&mut Answer<'_>)) {
    let place = words.len();
    words.push(0);
    let mut answer = Answer { words, items: 0 };
    write(&mut answer);
    let items = answer.items;
    if let Some(count) = words.get_mut(place) {
        *count = items;
    }
}

fn word(number: Option<Number>) -> u32 {
    number.map_or(ABSENT, |number| number.0)
}

impl PartSink<Number, Number> for Answer<'_> {
    fn text(&mut self, text: &Number) {
        self.item([TEXT, text.0]);
    }

    fn tool(
        &mut self,
        id: &Number,
        name: &Number,
        call: &StepCall<Number, Number>,
        outcome: std::result::Result<Found<'_, Number, Number>, Option<&Number>>,
    ) {
        let (kind, last) = match outcome {
            Ok(found) => (DONE, word(found.result.output)),
            Err(text) => (FAILED, text.map_or(INCOMPLETE, |text| text.0)),
        };
        self.item([kind, name.0, id.0, word(call.input), last]);
    }
}

impl TraceSink<Number, Number> for Answer<'_> {
    fn call(&mut self, call: &StepCall<Number, Number>) {
        self.item([CALL, word(call.tool_name), word(call.input)]);
    }

    fn result(&mut self, found: Found<'_, Number, Number>) {
        self.item([RESULT, word(found.result.tool_name), word(found.result.output)]);
    }
}

/// Answers a question. What is not wanted is left out, with its number.
///
/// # Errors
/// `INVALID_INPUT` when the words are no question.
pub fn plan(wanted: Wanted, question: &[u32]) -> Result<Vec<u32>> {
    let given = Question::read(question).ok_or_else(|| Error::invalid("question", "is not well formed"))?;
    let mut words = Vec::with_capacity(question.len() * 3 + 8);
    let in_progress = given.in_progress.filter(Words::truthy);
    if wanted == Wanted::Row {
        counted(&mut words, |answer| {
            let texts = given.steps.iter().map(|step| step.text).chain([in_progress]).flatten();
            texts.filter(Words::truthy).for_each(|text| answer.item([text.0]));
        });
    }
    if wanted != Wanted::Parts {
        counted(&mut words, |answer| each_trace(given.steps(), answer));
    }
    if wanted != Wanted::Trace {
        counted(&mut words, |answer| {
            let has_text = each_part(given.steps(), answer);
            if let Some(text) = in_progress.filter(|_| wanted == Wanted::Row || !has_text) {
                PartSink::text(answer, &text);
            }
        });
    }
    Ok(words)
}

/// What of a row has to cross as text: `{status?, extra?, outputs?}` as in `flushAssistant`, where `outputs` are those
/// that may have to be cut, each `{value}`, or `{value, lengths}` for one that is large and abridged
/// ([`compacted_abridged`]). Gives `{metadata, outputs}`: the metadata but for its parts, and for each output its
/// compacted form, or `null` when it is to stay as it is.
///
/// # Errors
/// `INVALID_INPUT` with the field's path.
pub fn rest(json: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Given<'a> {
        #[serde(default)]
        status: Option<MessageStatus>,
        #[serde(default, borrow, deserialize_with = "optional_object")]
        extra: Option<RowExtra<'a>>,
        #[serde(default, borrow)]
        outputs: Vec<Output<'a>>,
    }
    #[derive(Deserialize)]
    struct Output<'a> {
        #[serde(borrow)]
        value: Raw<'a>,
        #[serde(default)]
        lengths: Option<Vec<u64>>,
    }
    let given: Given<'_> = crate::error::from_json(json, "arguments")?;
    let mut members = String::new();
    if let Some(status) = given.status {
        metadata_rest(status, &given.extra.unwrap_or_default(), &mut members);
    }
    let outputs = given.outputs.iter().map(|output| match &output.lengths {
        Some(lengths) => Some(compacted_abridged(output.value.get(), lengths)),
        None => compacted(output.value.get()),
    });
    let outputs: Vec<String> = outputs.map(|output| output.unwrap_or_else(|| "null".to_owned())).collect();
    let members = members.strip_prefix(',').unwrap_or(&members);
    Ok(format!("{{\"metadata\":{{{members}}},\"outputs\":[{}]}}", outputs.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_told_in_numbers() {
        // Text 3, calls (id 4, name 5, input 6) and (id 7, name 5, input absent), the first answered by 8; then 9.
        let question = [9, 1, 3, 2, 1, 0, 4, 5, 6, 7, 5, ABSENT, 4, 5, 8];
        let trace = [3, CALL, 5, 6, CALL, 5, ABSENT, RESULT, 5, 8];
        let parts = [4, TEXT, 3, DONE, 5, 4, 6, 8, FAILED, 5, 7, ABSENT, INCOMPLETE, TEXT, 9];
        assert_eq!(plan(Wanted::Row, &question).unwrap(), [&[2, 3, 9], &trace[..], &parts[..]].concat());
        assert_eq!(plan(Wanted::Trace, &question).unwrap(), trace);
        assert_eq!(plan(Wanted::Parts, &question).unwrap(), [&[3], &parts[1..13]].concat());
        assert_eq!(plan(Wanted::Parts, &[9, 0]).unwrap(), [1, TEXT, 9]);
    }

    #[test]
    fn the_last_outcome_counts_and_empty_ids_are_none() {
        for many in [0, 20] {
            let others = [100, 101, 102].repeat(many);
            let results = u32::try_from(many).unwrap() + 3;
            let mut question = vec![ABSENT, 1, EMPTY, 2, results, 1, 4, 5, 6, EMPTY, 5, 6, 4, 5, 7];
            question.extend(others);
            question.extend([4, 5, 8, EMPTY, 5, 9, 4, 10]);
            assert_eq!(plan(Wanted::Parts, &question).unwrap(), [1, DONE, 5, 4, 6, 8]);
        }
        assert_eq!(
            plan(Wanted::Parts, &[ABSENT, 1, ABSENT, 1, 0, 1, 4, 5, 6, 4, 10]).unwrap(),
            [1, FAILED, 5, 4, 6, 10]
        );
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for wrong in [&[][..], &[0], &[0, 1], &[0, u32::MAX], &[0, 0, 0], &[0, 1, 0, u32::MAX, u32::MAX, 0, 1]] {
            assert_eq!(plan(Wanted::Row, wrong).unwrap_err().code().as_str(), "INVALID_INPUT");
        }
    }

    #[test]
    fn abridged_outputs_are_cut_as_whole_ones() {
        let text = format!("{}😀{}", "é".repeat(499), "b".repeat(5000));
        let items: Vec<String> = (0..70).map(|n| n.to_string()).collect();
        let whole = format!(r#"{{"t":"{text}","l":[{}],"s":"short"}}"#, items.join(","));
        let cut: String = text.chars().take(600).collect();
        let abridged = format!(r#"{{"t":"{cut}","l":[{}],"s":"short"}}"#, items[..51].join(","));
        let given = format!(
            r#"{{"status":"aborted","outputs":[{{"value":{whole}}},{{"value":{abridged},"lengths":[5501,70]}},{{"value":[1]}}]}}"#
        );
        let compacted = compacted(&whole).unwrap();
        assert_eq!(
            rest(&given).unwrap(),
            format!(r#"{{"metadata":{{"finishReason":"aborted"}},"outputs":[{compacted},{compacted},null]}}"#)
        );
        assert_eq!(rest(r#"{"status":"done"}"#).unwrap_err().details()["field"], "status");
    }
}
