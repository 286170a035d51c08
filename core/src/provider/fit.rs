//! A conversation put into the form that a provider takes, right before it is encoded.
//!
//! What is stored is what was said: invented tool names, ids of another provider, turns that were cut off between a call
//! and the answer. Providers refuse a request for any of it, and would refuse every later one of the chat. So nothing
//! of it is changed where it is stored, and all of it where it is sent: a chat heals by being sent.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::model::INCOMPLETE_CALL;
use crate::project::{AssistantPart, ModelMessage, ToolOutput, ToolResult, UserPart};

use super::ChatRequest;

/// What a provider takes of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// The ids of calls.
    pub(super) ids: Ids,
    /// Texts without anything to be seen are refused.
    pub(super) visible_text: bool,
    /// But for such as carry what the provider wants to see again.
    pub(super) signed: bool,
    /// Of what the model said, text, reasoning and calls of the host's tools are all that is sent.
    pub(super) plain: bool,
    /// The conversation must begin with what a user said.
    pub(super) user_first: bool,
    /// A user's message may not follow the outcomes of calls, or another one of the user's.
    pub(super) alternates: bool,
    /// Outcomes of calls must say something.
    pub(super) outcomes_say_something: bool,
}

/// What the ids of calls look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// As they like.
    Any,
    /// Visible ASCII, at most so many.
    Ascii(usize),
    /// Letters, digits, `_` and `-`, at most so many.
    Words(usize),
    /// The same, or whatever a gateway has put a sealed thought into, which only it can read.
    Gateway(usize),
    /// Exactly so many letters and digits.
    Exactly(usize),
}

impl Ids {
    fn takes(self, id: &str) -> bool {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_visible = || id.bytes().all(|byte| byte.is_ascii_graphic());
        match self {
            Ids::Any => !id.is_empty(),
            Ids::Ascii(most) => !id.is_empty() && id.len() <= most && is_visible(),
            Ids::Gateway(_) if id.contains(CARRIES_A_THOUGHT) => is_visible(),
            Ids::Words(most) | Ids::Gateway(most) => !id.is_empty() && id.len() <= most && id.bytes().all(word),
            Ids::Exactly(length) => id.len() == length && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        }
    }

    /// An id in this form for one that is not, the same for the same one; `attempt` tells those apart that would be alike.
    fn made_of(self, id: &str, attempt: u64) -> String {
        let digits = hash_digits(id, attempt);
        match self {
            Ids::Exactly(length) => digits.chars().cycle().take(length).collect(),
            Ids::Any | Ids::Ascii(_) | Ids::Words(_) | Ids::Gateway(_) => format!("call_{digits}"),
        }
    }
}

impl Rules {
    /// Whether a part of the model's is sent.
    fn takes(&self, part: &AssistantPart) -> bool {
        match part {
            AssistantPart::Text { text, metadata } => {
                !self.visible_text || (self.signed && metadata.is_some()) || !text.trim().is_empty()
            }
            AssistantPart::Reasoning { .. } | AssistantPart::ToolCall { provider_executed: false, .. } => true,
            AssistantPart::File { .. } | AssistantPart::ToolCall { .. } | AssistantPart::ToolResult { .. } => {
                !self.plain
            }
        }
    }
}

/// How the ids of such gateways look: the id, this, and what the model thought, sealed.
const CARRIES_A_THOUGHT: &str = "__thought__";

/// The longest name of a tool that all services take.
const MAX_NAME_BYTES: usize = 64;

/// What stands in for a message of a user's in which nothing is to be seen.
const SAID_NOTHING: &str = "[empty message]";
/// What a conversation begins with whose first words are the model's.
const BEGINNING: &str = "[The conversation begins.]";
/// What the model is taken to have said where a user's message stands behind outcomes: its answer was cut off, or the
/// message has joined the run.
const WROTE_AGAIN: &str = "[The user wrote again before there was an answer.]";
/// What stands in for an outcome in which nothing is to be seen.
const NO_OUTPUT: &str = "(no output)";
/// The same for a failure.
const NO_REASON: &str = "The tool call failed.";

/// Eleven letters and digits that depend on the whole id, from a hash that will always be the same (FNV-1a, 64 bits).
fn hash_digits(id: &str, attempt: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in id.bytes().chain(attempt.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The last bytes have hardly touched the upper bits.
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 32;
    let mut digits = String::with_capacity(11);
    for _ in 0..11 {
        let digit = usize::try_from(hash % 62).unwrap_or_default();
        digits.push(char::from(DIGITS.get(digit).copied().unwrap_or(b'0')));
        hash /= 62;
    }
    digits
}

/// A name that every service takes. What is none becomes one that still tells what was meant.
pub(super) fn tool_name(name: &str) -> Cow<'_, str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let starts = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    if !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.bytes().all(fits) {
        return Cow::Borrowed(name);
    }
    let mut fitted = String::new();
    for letter in name.chars() {
        let letter = if letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-') { letter } else { '_' };
        if !(letter == '_' && fitted.ends_with('_')) {
            fitted.push(letter);
        }
        if fitted.len() == MAX_NAME_BYTES {
            break;
        }
    }
    if fitted.bytes().all(|byte| byte == b'_') {
        fitted = "unknown_tool".to_owned();
    } else if !fitted.bytes().next().is_some_and(starts) {
        fitted.insert(0, '_');
        fitted.truncate(MAX_NAME_BYTES);
    }
    Cow::Owned(fitted)
}

/// The request with a conversation that fits these rules; the same one if it does already.
pub(super) fn conversation<'r>(request: &'r ChatRequest, rules: &Rules) -> Cow<'r, ChatRequest> {
    if fits(&request.messages, rules) {
        return Cow::Borrowed(request);
    }
    let messages =
        Fitting { rules, ids: HashMap::new(), taken: HashSet::new(), out: Vec::new() }.all(&request.messages);
    let ChatRequest { system, tools, tool_choice, options, .. } = request;
    let (system, tools) = (system.clone(), tools.clone());
    Cow::Owned(ChatRequest { system, messages, tools, tool_choice: tool_choice.clone(), options: options.clone() })
}

fn fits(messages: &[ModelMessage], rules: &Rules) -> bool {
    if rules.user_first && matches!(messages.first(), Some(ModelMessage::Assistant(_))) {
        return false;
    }
    let mut before: Option<&ModelMessage> = None;
    for message in messages {
        let called = before.map(calls_of).unwrap_or_default();
        let fits = match message {
            ModelMessage::User(parts) => {
                let follows_its_side = match before {
                    Some(ModelMessage::User(_)) => true,
                    Some(ModelMessage::Tool(_)) => rules.alternates,
                    Some(ModelMessage::Assistant(_)) | None => false,
                };
                called.is_empty()
                    && !follows_its_side
                    && !parts.is_empty()
                    && (!rules.visible_text || parts.iter().all(|part| !is_blank_text(part)))
            }
            ModelMessage::Assistant(parts) => {
                called.is_empty()
                    && parts.iter().all(|part| match part {
                        AssistantPart::ToolCall { call_id, name, .. } => {
                            rules.ids.takes(call_id) && matches!(tool_name(name), Cow::Borrowed(_))
                        }
                        part => rules.takes(part),
                    })
            }
            ModelMessage::Tool(results) => {
                results.len() == called.len()
                    && results.iter().zip(&called).all(|(result, call)| {
                        result.call_id == *call && (!rules.outcomes_say_something || says_something(&result.output))
                    })
            }
        };
        if !fits {
            return false;
        }
        before = Some(message);
    }
    before.map(calls_of).unwrap_or_default().is_empty()
}

fn is_blank_text(part: &UserPart) -> bool {
    matches!(part, UserPart::Text { text, .. } if text.trim().is_empty())
}

fn says_something(output: &ToolOutput) -> bool {
    match output {
        ToolOutput::Error(text) => !text.trim().is_empty(),
        ToolOutput::Json(json) => match json.get().strip_prefix('"') {
            Some(_) => json.as_string().is_none_or(|text| !text.trim().is_empty()),
            None => true,
        },
        ToolOutput::Content(parts) => !parts.is_empty(),
    }
}

/// The ids of the host's calls in a message.
fn calls_of(message: &ModelMessage) -> Vec<&str> {
    let ModelMessage::Assistant(parts) = message else { return Vec::new() };
    parts
        .iter()
        .filter_map(|part| match part {
            AssistantPart::ToolCall { call_id, provider_executed: false, .. } => Some(call_id.as_str()),
            _ => None,
        })
        .collect()
}

struct Fitting<'r> {
    rules: &'r Rules,
    /// What became of the ids of calls whose outcomes are still to come.
    ids: HashMap<String, String>,
    taken: HashSet<String>,
    out: Vec<ModelMessage>,
}

impl Fitting<'_> {
    fn all(mut self, messages: &[ModelMessage]) -> Vec<ModelMessage> {
        // An id that is as it should be keeps its place; those that are made give way to it.
        self.taken.extend(messages.iter().flat_map(calls_of).filter(|id| self.rules.ids.takes(id)).map(str::to_owned));
        let mut rest = messages;
        while let Some((message, after)) = rest.split_first() {
            rest = after;
            match message {
                ModelMessage::User(parts) => self.user(parts),
                ModelMessage::Assistant(parts) => {
                    // Its outcomes stand behind it, whatever came between them.
                    let until = after.iter().position(|message| matches!(message, ModelMessage::Assistant(_)));
                    let following = after.get(..until.unwrap_or(after.len())).unwrap_or_default();
                    self.assistant(parts, following);
                }
                // Taken with the calls that they belong to; those of none belong nowhere.
                ModelMessage::Tool(_) => {}
            }
        }
        self.out
    }

    fn user(&mut self, parts: &[UserPart]) {
        let mut parts: Vec<UserPart> = match self.rules.visible_text {
            true => parts.iter().filter(|part| !is_blank_text(part)).cloned().collect(),
            false => parts.to_vec(),
        };
        if parts.is_empty() {
            parts.push(UserPart::text(SAID_NOTHING));
        }
        match self.out.last_mut() {
            Some(ModelMessage::User(known)) => return join(known, parts),
            Some(ModelMessage::Tool(_)) if self.rules.alternates => {
                self.out.push(ModelMessage::Assistant(vec![AssistantPart::text(WROTE_AGAIN)]));
            }
            _ => {}
        }
        self.out.push(ModelMessage::User(parts));
    }

    fn assistant(&mut self, parts: &[AssistantPart], following: &[ModelMessage]) {
        let mut fitted: Vec<AssistantPart> = Vec::with_capacity(parts.len());
        let mut outcomes: Vec<ToolResult> = Vec::new();
        for part in parts {
            match part {
                part if !self.rules.takes(part) => {}
                AssistantPart::ToolCall { call_id, name, input, provider_executed: false, metadata } => {
                    let (id, name) = (self.id(call_id), tool_name(name).into_owned());
                    let outcome = following.iter().find_map(|message| match message {
                        ModelMessage::Tool(results) => results.iter().find(|result| result.call_id == *call_id),
                        _ => None,
                    });
                    let missing = || ToolOutput::Error(INCOMPLETE_CALL.to_owned());
                    let mut output = outcome.map_or_else(missing, |result| result.output.clone());
                    if self.rules.outcomes_say_something && !says_something(&output) {
                        output = match output {
                            ToolOutput::Error(_) => ToolOutput::Error(NO_REASON.to_owned()),
                            _ => ToolOutput::Json(crate::model::Json::string(NO_OUTPUT)),
                        };
                    }
                    outcomes.push(ToolResult { call_id: id.clone(), name: name.clone(), output });
                    fitted.push(AssistantPart::ToolCall {
                        call_id: id,
                        name,
                        input: input.clone(),
                        provider_executed: false,
                        metadata: metadata.clone(),
                    });
                }
                part => fitted.push(part.clone()),
            }
        }
        if !fitted.iter().any(|part| !matches!(part, AssistantPart::Reasoning { .. })) {
            return;
        }
        if self.out.is_empty() && self.rules.user_first {
            self.out.push(ModelMessage::User(vec![UserPart::text(BEGINNING)]));
        }
        self.out.push(ModelMessage::Assistant(fitted));
        if !outcomes.is_empty() {
            self.out.push(ModelMessage::Tool(outcomes));
        }
    }

    /// The id under which a call is sent. The same chat gets the same ids every time: what has been sent before stays
    /// as it was, and a provider's cache goes on fitting.
    fn id(&mut self, id: &str) -> String {
        if self.rules.ids.takes(id) {
            return id.to_owned();
        }
        if let Some(known) = self.ids.get(id) {
            return known.clone();
        }
        let mut made = (0..).map(|attempt| self.rules.ids.made_of(id, attempt));
        let made = made.find(|made| !self.taken.contains(made)).unwrap_or_default();
        self.taken.insert(made.clone());
        self.ids.insert(id.to_owned(), made.clone());
        made
    }
}

/// Two messages of a user's as one. Texts alone stay one text: not every service takes a list.
fn join(known: &mut Vec<UserPart>, more: Vec<UserPart>) {
    if let ([UserPart::Text { text, metadata: None }], [UserPart::Text { text: next, metadata: None }]) =
        (known.as_mut_slice(), more.as_slice())
    {
        text.push_str("\n\n");
        text.push_str(next);
        return;
    }
    known.extend(more);
}
