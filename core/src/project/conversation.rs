//! The conversation that a turn's calls are told, within a budget.
//!
//! Providers cache what a request has in common with the one before, which is its beginning. So what is told changes at
//! its end only, for as long as possible: where something has to go, much goes at once and then nothing for a while, and
//! where the cut is depends on what is stored and on nothing else.

use crate::model::{Json, Message, MessageRole, Part, StepRecord};

use super::history::{
    AssistantPart, CallIds, ModelMessage, ToolOutput, UserPart, assistant_messages, messages_from_rows,
};
use super::tool_content::ContentPart;
use super::trim::first_turn;

/// What the model is told of messages that it is not shown.
pub const LEFT_OUT: &str = "[Earlier messages of this conversation are left out.]";
/// The same of an outcome of this turn that takes too much room.
const OUTCOME_LEFT_OUT: &str = "[This outcome is left out to save room. Call the tool again if it is needed.]";

/// What a message costs beyond its content, in tokens.
const MESSAGE_TOKENS: u64 = 4;
/// What a file or picture is taken for, in tokens, whatever its size.
const FILE_TOKENS: u64 = 1500;
/// A guess on the safe side: English has more than four bytes a token, code and other scripts have less.
const BYTES_PER_TOKEN: u64 = 3;

/// A turn's conversation: what was said before it, and its own steps.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    messages: Vec<ModelMessage>,
    ids: CallIds,
    /// Where the turn's own steps begin.
    own: usize,
    left_out: bool,
    /// How many of the last messages are told again with the step that they have entered before.
    heard: usize,
}

impl Conversation {
    /// Of these rows, which are a chat's newest, oldest first. `wanted` is how many of them at most are told; whoever has
    /// more passes one or more beyond that, so that it shows.
    pub fn of_rows(rows: &[Message], wanted: usize) -> Self {
        let told = Self::told(rows, wanted);
        let mut messages = messages_from_rows(told);
        let left_out = told.len() < rows.len();
        if left_out {
            messages.insert(0, ModelMessage::User(vec![UserPart::text(LEFT_OUT)]));
        }
        let (ids, own) = (CallIds::of(&messages), messages.len());
        Self { messages, ids, own, left_out, heard: 0 }
    }

    /// Those of the rows that it tells of, before anything is cut to fit a budget.
    pub fn told(rows: &[Message], wanted: usize) -> &[Message] {
        rows.get(first_row(rows, wanted)..).unwrap_or_default()
    }

    /// Adds a step of the turn.
    pub fn add_step(&mut self, step: &StepRecord) {
        assistant_messages(&step.parts, true, &mut self.ids, &mut self.messages);
    }

    /// Adds messages that have entered before the step that the model is asked for.
    pub fn hear(&mut self, entered: &[Json]) {
        let before = self.messages.len();
        let parts: Vec<Part> = entered.iter().cloned().map(Part::Other).collect();
        assistant_messages(&parts, true, &mut self.ids, &mut self.messages);
        self.heard = self.messages.len() - before;
    }

    /// Takes them away again: they are a part of that step.
    pub fn forget_heard(&mut self) {
        let kept = self.messages.len().saturating_sub(std::mem::take(&mut self.heard));
        self.messages.truncate(kept);
    }

    /// What the model is told, to be lent out and given back.
    pub fn messages_mut(&mut self) -> &mut Vec<ModelMessage> {
        &mut self.messages
    }

    /// Whether messages of the chat are not told.
    pub fn has_left_out(&self) -> bool {
        self.left_out
    }

    /// About how many tokens it costs.
    pub fn tokens(&self) -> u64 {
        self.messages.iter().map(tokens).sum()
    }

    /// Makes it fit into a budget of tokens, as far as that is possible: whole turns go, the oldest first, until half of
    /// what is there for them is free again, and if that is not enough the outcomes of the turn's own calls, the oldest
    /// first. What the turn was begun with stays, and so do its last outcomes. Whether anything went.
    pub fn trim(&mut self, budget: u64) -> bool {
        if self.tokens() <= budget {
            return false;
        }
        let history = self.messages.get(..self.own).unwrap_or_default();
        let starts: Vec<usize> = history
            .iter()
            .enumerate()
            .filter(|(place, message)| matches!(message, ModelMessage::User(_)) && !(self.left_out && *place == 0))
            .map(|(place, _)| place)
            .collect();
        let ends = starts.iter().skip(1).copied().chain([self.own]);
        let turns: Vec<u64> = starts
            .iter()
            .zip(ends)
            .map(|(start, end)| history.get(*start..end).unwrap_or_default().iter().map(tokens).sum())
            .collect();
        let own: u64 = self.messages.iter().skip(self.own).map(tokens).sum();
        let first = first_turn(&turns, budget.saturating_sub(own), 1);
        let from = starts.get(first).copied().unwrap_or(0);
        let mut trimmed = false;
        if first > 0 {
            self.messages.drain(..from);
            self.messages.insert(0, ModelMessage::User(vec![UserPart::text(LEFT_OUT)]));
            self.own = self.own + 1 - from;
            self.left_out = true;
            trimmed = true;
        }
        trimmed | self.shorten_outcomes(budget)
    }

    fn shorten_outcomes(&mut self, budget: u64) -> bool {
        let mut left = self.tokens();
        let last = self.messages.iter().rposition(|message| matches!(message, ModelMessage::Tool(_)));
        let mut shortened = false;
        for (place, message) in self.messages.iter_mut().enumerate().skip(self.own) {
            if left <= budget || Some(place) == last {
                break;
            }
            let before = tokens(message);
            let ModelMessage::Tool(results) = message else { continue };
            for result in results {
                if output_tokens(&result.output) > MESSAGE_TOKENS * 16 {
                    result.output = ToolOutput::Error(OUTCOME_LEFT_OUT.to_owned());
                    shortened = true;
                }
            }
            left = left.saturating_sub(before).saturating_add(tokens(message));
        }
        shortened
    }
}

/// One in so many messages of users is an anchor.
const ANCHORS: u64 = 6;

/// The row that is told first. All of them as long as they are no more than wanted. Beyond that it is one that its own id
/// makes an anchor, so that it stays the first while the chat grows, until it is too far from the end.
fn first_row(rows: &[Message], wanted: usize) -> usize {
    let Some(too_many) = rows.len().checked_sub(wanted.max(1)).filter(|count| *count > 0) else { return 0 };
    let is_users = |row: &&Message| row.role == MessageRole::User;
    let is_anchor = |row: &&Message| is_users(row) && hash(&row.id.to_string()).is_multiple_of(ANCHORS);
    let window = rows.get(too_many..).unwrap_or_default();
    let older_half = window.get(..window.len().div_ceil(2)).unwrap_or_default();
    let place = older_half.iter().position(|row| is_anchor(&row));
    let place = place.or_else(|| window.iter().position(|row| is_users(&row)));
    too_many + place.unwrap_or(0)
}

/// A hash that is the same everywhere and always (FNV-1a, 64 bits, its upper half).
fn hash(text: &str) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash >> 32
}

fn tokens(message: &ModelMessage) -> u64 {
    let content: u64 = match message {
        ModelMessage::User(parts) => parts
            .iter()
            .map(|part| match part {
                UserPart::Text { text, .. } => text_tokens(text.len()),
                UserPart::File { .. } => FILE_TOKENS,
            })
            .sum(),
        ModelMessage::Assistant(parts) => parts
            .iter()
            .map(|part| match part {
                AssistantPart::Text { text, .. } | AssistantPart::Reasoning { text, .. } => text_tokens(text.len()),
                AssistantPart::File { .. } => FILE_TOKENS,
                AssistantPart::ToolCall { name, input, .. } => text_tokens(name.len() + input.get().len()),
                AssistantPart::ToolResult { result, .. } => output_tokens(&result.output),
            })
            .sum(),
        ModelMessage::Tool(results) => results.iter().map(|result| output_tokens(&result.output)).sum(),
    };
    content + MESSAGE_TOKENS
}

fn output_tokens(output: &ToolOutput) -> u64 {
    match output {
        ToolOutput::Json(json) => text_tokens(json.get().len()),
        ToolOutput::Error(text) => text_tokens(text.len()),
        ToolOutput::Content(parts) => parts
            .iter()
            .map(|part| match part {
                ContentPart::Text(text) => text_tokens(text.len()),
                ContentPart::Image { .. } => FILE_TOKENS,
            })
            .sum(),
    }
}

/// About how many tokens a text of so many bytes is.
pub fn text_tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::{ChatId, MessageId};

    fn row(role: MessageRole, parts: &str) -> Message {
        Message {
            id: MessageId::generate(),
            chat_id: ChatId::generate(),
            workspace_id: "w".into(),
            user_id: None,
            role,
            content: String::new(),
            tool_calls: None,
            metadata: Json::parse(&format!(r#"{{"parts":{parts}}}"#)).ok(),
            status: None,
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(0),
        }
    }

    fn turn(size: usize) -> [Message; 2] {
        let call = format!(
            r#"[{{"type":"step-start"}},{{"type":"tool-get","toolCallId":"c","state":"output-available","input":{{}},"output":"{}"}},{{"type":"step-start"}},{{"type":"text","text":"ok"}}]"#,
            "x".repeat(size)
        );
        [row(MessageRole::User, r#"[{"type":"text","text":"q"}]"#), row(MessageRole::Assistant, &call)]
    }

    fn chat(turns: usize, size: usize) -> Vec<Message> {
        (0..turns).flat_map(|_| turn(size)).collect()
    }

    /// Every call has its outcome right behind it, and the first message is a user's.
    fn belongs_together(messages: &[ModelMessage]) {
        assert!(matches!(messages.first(), Some(ModelMessage::User(_))));
        for (place, message) in messages.iter().enumerate() {
            let calls = match message {
                ModelMessage::Assistant(parts) => {
                    parts.iter().filter(|part| matches!(part, AssistantPart::ToolCall { .. })).count()
                }
                _ => 0,
            };
            let outcomes = match messages.get(place + 1) {
                Some(ModelMessage::Tool(results)) => results.len(),
                _ => 0,
            };
            assert_eq!(calls, outcomes);
        }
    }

    #[test]
    fn a_short_chat_is_told_whole() {
        let rows = chat(3, 10);
        let conversation = Conversation::of_rows(&rows, 6);
        assert!(!conversation.has_left_out());
        assert_eq!(conversation.messages, messages_from_rows(&rows));
    }

    #[test]
    fn the_beginning_of_a_long_chat_stays_for_many_turns() {
        let rows = chat(200, 10);
        let (mut beginnings, mut last) = (0, None);
        for end in (100..=400).step_by(2) {
            let from = usize::saturating_sub(end, 51);
            let conversation = Conversation::of_rows(&rows[from..end], 50);
            belongs_together(&conversation.messages);
            assert!(conversation.has_left_out());
            let told = from + first_row(&rows[from..end], 50);
            assert!(end - told <= 50 && end - told >= 24, "{told} to {end}");
            if last != Some(told) {
                beginnings += 1;
                last = Some(told);
            }
        }
        assert!(beginnings < 100, "{beginnings} beginnings in 150 turns");
    }

    #[test]
    fn a_budget_is_kept_in_whole_turns_and_said() {
        let rows = chat(40, 3000);
        let mut conversation = Conversation::of_rows(&rows, 1000);
        let whole = conversation.clone();
        assert!(conversation.trim(10_000));
        assert!(conversation.tokens() <= 10_000);
        belongs_together(&conversation.messages);
        assert_eq!(conversation.messages[0], ModelMessage::User(vec![UserPart::text(LEFT_OUT)]));
        assert!(conversation.has_left_out());
        // The same chat is cut at the same place, and nothing is cut that fits.
        let mut again = whole.clone();
        again.trim(10_000);
        assert_eq!(again.messages, conversation.messages);
        assert!(!conversation.trim(10_000));
        assert!(!whole.clone().trim(1_000_000));
    }

    #[test]
    fn a_turn_that_fills_the_budget_by_itself_forgets_its_oldest_outcomes() {
        let mut conversation = Conversation::of_rows(&chat(2, 30), 1000);
        let steps = turn(9000)[1].parts();
        for number in 0..6 {
            conversation.add_step(&StepRecord {
                number,
                parts: steps.get(..2).unwrap().to_vec(),
                finish_reason: None,
                usage: None,
            });
        }
        assert!(conversation.trim(10_000));
        assert!(conversation.tokens() <= 10_000);
        belongs_together(&conversation.messages);
        let Some(ModelMessage::Tool(last)) = conversation.messages.last() else { panic!() };
        assert!(matches!(&last[0].output, ToolOutput::Json(_)));
    }
}
