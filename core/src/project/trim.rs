//! A history that fits into a model's context.
//!
//! Whole turns are dropped, the oldest first, so that no call is without its result. Providers cache what a request has in
//! common with the one before, which is its beginning: so turns are not dropped one by one as new ones come, but many at
//! once when the budget is reached, and then none for a while.

use std::borrow::Borrow;

use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::model::{lossy_string, members};

/// What a message costs beyond its content, in tokens.
const MESSAGE_TOKENS: u64 = 4;
/// What a file or picture is taken for, in tokens, whatever its size.
const FILE_TOKENS: u64 = 1500;
const BYTES_PER_TOKEN: u64 = 4;

/// How much of a history may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimOptions {
    /// How many tokens, as estimated here. At least one.
    pub budget_tokens: u64,
    /// What the provider counted for the last call. When that is more than the estimate, estimates are raised.
    pub context_tokens: Option<u64>,
    /// How many of the newest turns are kept whatever they cost. At least one.
    pub keep_turns: usize,
}

/// Which messages of a history are kept: the first `head` of them, and those from `from` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryTrim {
    /// How many system messages there are at the front.
    pub head: usize,
    /// The first message of the oldest turn that is kept.
    pub from: usize,
    /// How many messages are left out between the two.
    pub trimmed: usize,
    /// What is kept costs about as much.
    pub estimated_tokens: u64,
}

impl HistoryTrim {
    /// Those of `messages` that are kept.
    pub fn kept<'a, T>(&self, messages: &'a [T]) -> impl Iterator<Item = &'a T> {
        let head = messages.iter().take(self.head);
        head.chain(messages.iter().skip(self.from))
    }
}

/// `trimHistory`, for UI messages and for messages of the AI SDK.
///
/// A turn begins at each message of a user. Turns are added from the oldest to the newest; whenever that takes what is kept
/// over the budget, the oldest ones go until half of it is free again, or until only `keep_turns` are left. So the cut moves
/// when the budget is reached and stays in between, and the same history is always cut in the same place.
///
/// # Errors
/// `INVALID_INPUT` with the path of what is not a message, or of an option that cannot be.
pub fn trim_history<M: Borrow<RawValue>>(messages: &[M], options: TrimOptions) -> Result<HistoryTrim> {
    if options.budget_tokens == 0 {
        return Err(Error::invalid("options.budgetTokens", "must be at least 1"));
    }
    if options.keep_turns == 0 {
        return Err(Error::invalid("options.keepTurns", "must be at least 1"));
    }
    let weighed = messages.iter().enumerate().map(|(index, message)| weigh(message.borrow(), index));
    let weighed = weighed.collect::<Result<Vec<Weighed>>>()?;
    let history = History::of(&weighed);
    let scale = options.context_tokens.map_or(UNSCALED, |counted| history.scale(&weighed, counted, options));
    let turns: Vec<u64> = history.turns.iter().map(|turn| scaled(turn.tokens, scale)).collect();
    let head_tokens = scaled(history.head_tokens, scale);
    let first = first_turn(&turns, options.budget_tokens.saturating_sub(head_tokens), options.keep_turns);
    let from = history.turns.get(first).map_or(messages.len(), |turn| turn.start);
    let kept: u64 = turns.iter().skip(first).sum();
    Ok(HistoryTrim {
        head: history.head,
        from,
        trimmed: from - history.head,
        estimated_tokens: head_tokens.saturating_add(kept),
    })
}

/// Which turn is the first to be kept of those that may cost `available` together.
pub(super) fn first_turn(turns: &[u64], available: u64, keep_turns: usize) -> usize {
    let mut first = 0;
    let mut tokens: u64 = 0;
    let mut oldest = turns.iter();
    for (index, turn) in turns.iter().enumerate() {
        tokens = tokens.saturating_add(*turn);
        if tokens <= available {
            continue;
        }
        while tokens > available / 2 && index + 1 - first > keep_turns {
            tokens = tokens.saturating_sub(oldest.next().copied().unwrap_or(0));
            first += 1;
        }
    }
    first
}

/// A scale is in quarters, so that small differences from call to call do not move the cut.
const UNSCALED: u64 = 4;
const MAX_SCALE: u64 = 16;

fn scaled(tokens: u64, scale: u64) -> u64 {
    tokens.saturating_mul(scale).div_ceil(UNSCALED)
}

struct Turn {
    start: usize,
    tokens: u64,
}

struct History {
    head: usize,
    head_tokens: u64,
    turns: Vec<Turn>,
}

impl History {
    fn of(messages: &[Weighed]) -> Self {
        let head = messages.iter().take_while(|message| message.role == Role::System).count();
        let head_tokens = messages.iter().take(head).map(|message| message.tokens).sum();
        let mut turns: Vec<Turn> = Vec::new();
        for (index, message) in messages.iter().enumerate().skip(head) {
            match turns.last_mut() {
                Some(turn) if message.role != Role::User => turn.tokens += message.tokens,
                _ => turns.push(Turn { start: index, tokens: message.tokens }),
            }
        }
        Self { head, head_tokens, turns }
    }

    /// How much more the provider counted than is estimated for what the last answer was made of.
    fn scale(&self, messages: &[Weighed], counted: u64, options: TrimOptions) -> u64 {
        let Some(answer) = messages.iter().rposition(|message| message.role == Role::Assistant) else {
            return UNSCALED;
        };
        let then = Self::of(messages.get(..=answer).unwrap_or_default());
        let turns: Vec<u64> = then.turns.iter().map(|turn| turn.tokens).collect();
        let available = options.budget_tokens.saturating_sub(then.head_tokens);
        let first = first_turn(&turns, available, options.keep_turns);
        let estimated = then.head_tokens + turns.iter().skip(first).sum::<u64>();
        counted.saturating_mul(UNSCALED).div_ceil(estimated.max(1)).clamp(UNSCALED, MAX_SCALE)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
    Tool,
}

struct Weighed {
    role: Role,
    tokens: u64,
}

fn weigh(message: &RawValue, index: usize) -> Result<Weighed> {
    let place = || format!("messages[{index}]");
    let members = members(message).ok_or_else(|| Error::invalid(place(), "is not a message"))?;
    let member = |name: &str| members.get(name).copied().filter(|value| value.get() != "null");
    let role = member("role").ok_or_else(|| Error::invalid(format!("{}.role", place()), "is missing"))?;
    let role = match lossy_string(role).as_deref() {
        Some("system" | "developer") => Role::System,
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => return Err(Error::invalid(format!("{}.role", place()), "is not a known role")),
    };
    let mut weight = Weight::default();
    // A UI message may repeat its parts as one text.
    let lists = ["parts", "content"].into_iter().find_map(|name| Some((name, member(name)?)));
    match lists {
        None => {}
        Some((name, value)) if value.get().starts_with('[') => {
            let wrong = |part: usize| Error::invalid(format!("{}.{name}[{part}]", place()), "is not a part");
            let parts: Vec<&RawValue> = serde_json::from_str(value.get()).map_err(|_| wrong(0))?;
            for (number, part) in parts.into_iter().enumerate() {
                weight.add_part(part).ok_or_else(|| wrong(number))?;
            }
        }
        Some((name, value)) => {
            let content = lossy_string(value).filter(|_| name == "content");
            let content =
                content.ok_or_else(|| Error::invalid(format!("{}.{name}", place()), "is not a list of parts"))?;
            weight.bytes += content.len() as u64;
        }
    }
    Ok(Weighed { role, tokens: weight.tokens() })
}

#[derive(Default)]
struct Weight {
    bytes: u64,
    files: u64,
}

impl Weight {
    fn tokens(&self) -> u64 {
        self.bytes.div_ceil(BYTES_PER_TOKEN) + self.files * FILE_TOKENS + MESSAGE_TOKENS
    }

    fn add_part(&mut self, part: &RawValue) -> Option<()> {
        let members = members(part)?;
        let kind = lossy_string(members.get("type")?)?;
        match kind.as_str() {
            "file" | "image" => self.files += 1,
            // For readers only: models are not sent these.
            "step-start" | "source-url" | "source-document" => {}
            kind if kind.starts_with("data-") => {}
            _ => {
                for name in ["text", "errorText", "input", "output", "args", "result"] {
                    if let Some(value) = members.get(name) {
                        let length = lossy_string(value).map_or(value.get().len(), |text| text.len());
                        self.bytes += length as u64;
                    }
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn raw(messages: &[Value]) -> Vec<Box<RawValue>> {
        messages.iter().map(|message| serde_json::value::to_raw_value(message).unwrap()).collect()
    }

    fn options(budget_tokens: u64) -> TrimOptions {
        TrimOptions { budget_tokens, context_tokens: None, keep_turns: 1 }
    }

    fn user(size: usize) -> Value {
        json!({"role": "user", "content": "x".repeat(size)})
    }

    /// A turn with a call in it, in the shape of the AI SDK.
    fn turn(size: usize) -> Vec<Value> {
        vec![
            user(size),
            json!({"role": "assistant", "content": [{"type": "tool-call", "toolCallId": "c", "toolName": "t", "input": {}}]}),
            json!({"role": "tool", "content": [{"type": "tool-result", "toolCallId": "c", "toolName": "t",
                "output": {"type": "text", "value": "x".repeat(size)}}]}),
            json!({"role": "assistant", "content": "ok"}),
        ]
    }

    #[test]
    fn estimates_are_bytes_over_four() {
        let trim = |message: Value| trim_history(&raw(&[message]), options(1_000_000)).unwrap().estimated_tokens;
        assert_eq!(trim(json!({"role": "user", "content": ""})), 4);
        assert_eq!(trim(json!({"role": "user", "content": "12345"})), 6);
        assert_eq!(trim(json!({"role": "user", "content": "é😀"})), 6);
        assert_eq!(trim(json!({"role": "assistant", "content": null})), 4);
        let part = json!({"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": {"a": 1}, "output": "abcd"});
        assert_eq!(trim(json!({"id": "m", "role": "assistant", "parts": [part, {"type": "text", "text": "a"}]})), 7);
        let file = json!({"type": "file", "mediaType": "image/png", "url": format!("data:image/png;base64,{}", "A".repeat(90_000))});
        assert_eq!(trim(json!({"role": "user", "parts": [file]})), 1504);
    }

    #[test]
    fn the_system_message_and_the_newest_turn_stay() {
        let mut messages = vec![json!({"role": "system", "content": "rules"})];
        messages.extend(turn(400));
        messages.extend(turn(40_000));
        let trim = trim_history(&raw(&messages), options(100)).unwrap();
        assert_eq!((trim.head, trim.from, trim.trimmed), (1, 5, 4));
        assert_eq!(trim.kept(&messages).count(), 5);
        assert!(trim.estimated_tokens > 20_000);
    }

    #[test]
    fn a_count_of_the_provider_raises_estimates() {
        let mut messages = turn(400);
        messages.extend(turn(400));
        messages.push(user(4));
        let messages = raw(&messages);
        let plain = trim_history(&messages, options(100_000)).unwrap();
        let with = |counted| {
            let options = TrimOptions { context_tokens: Some(counted), ..options(100_000) };
            trim_history(&messages, options).unwrap().estimated_tokens
        };
        assert_eq!(with(1), plain.estimated_tokens);
        assert!(with(plain.estimated_tokens * 2) >= plain.estimated_tokens * 2);
        assert_eq!(with(u64::MAX), with(plain.estimated_tokens * 50));
        assert!(with(u64::MAX) <= plain.estimated_tokens * 4 + 4);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (messages, field) in [
            (json!([5]), "messages[0]"),
            (json!([user(1), {"content": "x"}]), "messages[1].role"),
            (json!([{"role": "robot"}]), "messages[0].role"),
            (json!([{"role": "user", "content": 5}]), "messages[0].content"),
            (json!([{"role": "user", "parts": "x"}]), "messages[0].parts"),
            (json!([{"role": "user", "parts": [{"type": "text"}, 5]}]), "messages[0].parts[1]"),
            (json!([{"role": "user", "parts": [{"text": "x"}]}]), "messages[0].parts[0]"),
        ] {
            let error = trim_history(&raw(messages.as_array().unwrap()), options(10)).unwrap_err();
            assert_eq!(error.details().get("field").unwrap(), field);
        }
        let none: [Box<RawValue>; 0] = [];
        assert!(trim_history(&none, options(0)).is_err());
        assert!(trim_history(&none, TrimOptions { keep_turns: 0, ..options(1) }).is_err());
        assert_eq!(trim_history(&none, options(1)).unwrap().estimated_tokens, 0);
    }

    #[test]
    fn deep_nesting_is_weighed_unread() {
        let text = format!(
            r#"{{"role":"tool","content":[{{"type":"tool-result","output":{}{}}}]}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        let message: Box<RawValue> = serde_json::from_str(&text).unwrap();
        assert_eq!(trim_history(&[message], options(10)).unwrap().estimated_tokens, 50_004);
    }

    proptest! {
        /// Defect 25 of the servers that this replaces: histories were counted in rows, not in tokens.
        #[test]
        fn the_rules_hold(sizes in proptest::collection::vec(0_usize..3000, 0..30), budget in 1_u64..4000,
            keep_turns in 1_usize..4, counted in proptest::option::of(0_u64..20_000), with_system: bool) {
            let options = TrimOptions { budget_tokens: budget, context_tokens: counted, keep_turns };
            let mut messages: Vec<Value> = Vec::new();
            if with_system {
                messages.push(json!({"role": "system", "content": "rules"}));
            }
            messages.extend(sizes.iter().flat_map(|size| turn(*size)));
            let trim = trim_history(&raw(&messages), options).unwrap();
            // A suffix of whole turns after the system message.
            prop_assert_eq!(trim.head, usize::from(with_system));
            prop_assert_eq!((trim.from - trim.head) % 4, 0);
            prop_assert_eq!(trim.kept(&messages).count(), messages.len() - trim.trimmed);
            let kept_turns = (messages.len() - trim.from) / 4;
            prop_assert!(kept_turns >= keep_turns.min(sizes.len()));
            prop_assert!(trim.estimated_tokens <= budget || kept_turns <= keep_turns);
        }

        #[test]
        fn the_cut_moves_only_when_the_budget_is_reached(sizes in proptest::collection::vec(0_usize..3000, 1..30),
            budget in 1_u64..4000, keep_turns in 1_usize..4) {
            let options = TrimOptions { budget_tokens: budget, context_tokens: None, keep_turns };
            let messages: Vec<Value> = sizes.iter().flat_map(|size| turn(*size)).collect();
            let all = raw(&messages);
            let weights: Vec<u64> = all.iter().map(|message| weigh(message, 0).unwrap().tokens).collect();
            let mut before = 0;
            for turns in 1..=sizes.len() {
                let trim = trim_history(&all[..turns * 4], options).unwrap();
                prop_assert!(trim.from >= before);
                let whole: u64 = weights[before..turns * 4].iter().sum();
                if whole <= budget {
                    prop_assert_eq!(trim.from, before);
                } else {
                    prop_assert!(trim.estimated_tokens <= budget / 2 || turns - trim.from / 4 <= keep_turns);
                }
                before = trim.from;
            }
        }
    }
}
