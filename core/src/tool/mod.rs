//! The host's tools: what the model is told of them, how their input is checked, and how they are called.

mod address;
mod allow;
mod deferred;
mod effects;
mod input;
mod mailbox;
pub mod mcp;
mod progress;
mod registry;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::id::{ChatId, MessageId, RunId};
use crate::model::{Ask, Json, Repeat, WaitKind, origin_of_server, origin_of_tool};

pub use address::{IpRefusal, ResolutionRefusal, check_address, check_ip, check_resolved};
pub use allow::{AllowRule, AllowRules};
pub use deferred::LOAD_TOOLS;
pub(crate) use deferred::{loaded_in, not_loaded};
pub use effects::{EffectDatabase, EffectStatement, EffectStyle, Placeholders, ToolEffect, effect_statement};
pub use mailbox::{CallTicket, Mailbox, MailboxHandler, MailboxMessage};
pub use progress::ToolProgress;
pub use registry::{SHOWN_OUTPUT_BYTES, Tool, ToolSet};

/// What the machine must know of the tools: pure questions only.
pub trait ToolCatalog: Send + Sync {
    /// The arguments as JSON when the tool exists and they fit its schema; else the text that the model is told.
    ///
    /// # Errors
    /// That text.
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String>;
    /// Whether the tool only reads. Calls of others are put on disk before they run.
    fn is_read_only(&self, name: &str) -> bool;
    /// How long a call of the tool may take.
    fn timeout(&self, name: &str) -> Duration;
    /// What a call of the tool with this input waits for before it is made, or instead of being made here.
    fn ask(&self, _name: &str, _input: &Json) -> Option<Ask> {
        None
    }
    /// What a call of the tool waits for that is to be allowed, whatever the tool itself says of that.
    fn approval(&self, _name: &str) -> Ask {
        let (kind, answerers) = (WaitKind::Approval, Vec::new());
        Ask { kind, schema: None, editable: false, answerers, expires_after_ms: None }
    }
    /// The origin of what the tool returns, if that is content from outside.
    fn untrusted(&self, _name: &str) -> Option<String> {
        None
    }
    /// Whether a model is told of the tool in a line only, and cannot call it, until it asks for it.
    fn is_deferred(&self, _name: &str) -> bool {
        false
    }
    /// Why a call of the tool may be made again whose outcome nobody knows.
    fn repeats(&self, _name: &str) -> Option<Repeat> {
        None
    }
    /// How many bytes of an output of the tool pages are shown.
    fn shown_bytes(&self, _name: &str) -> u64 {
        u64::MAX
    }
}

/// What the model is told of a tool, and how turnkeep treats it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolDefinition {
    /// Letters, digits, `_` and `-`, at most 64 of them.
    pub name: String,
    /// What it does and when to use it, for the model.
    #[serde(default)]
    pub description: String,
    /// The JSON Schema of its arguments; an object without properties unless given.
    #[serde(default = "Json::empty_schema")]
    pub input_schema: Json,
    /// The tool checks its input itself, and may clean it: the schema is only what the model is told.
    #[serde(default)]
    pub validates_input: bool,
    /// It changes nothing. The calls of other tools are put on disk before they run.
    #[serde(default)]
    pub read_only: bool,
    /// What it returns, and what its errors say, is content from outside: pages of others, mails, the web. With `taint`, a
    /// turn that was told of it may not change anything any more by itself. A tool that only sometimes returns such content
    /// says so in its output instead, an object with `untrusted: true`.
    #[serde(default)]
    pub untrusted: bool,
    /// The tool server that it is of.
    #[serde(skip)]
    pub server: Option<String>,
    /// How long a call may take, in milliseconds; the engine's `runs.toolTimeoutMs` unless given.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// What becomes of members that the schema does not allow; the engine's `runs.unknownMembers` unless given.
    #[serde(default)]
    pub unknown_members: Option<UnknownMembers>,
    /// How many bytes of an output's JSON pages are shown, while it streams and ever after; beyond that it is shown in a
    /// shorter form of the same shape. The engine's `runs.shownOutputBytes` unless given.
    #[serde(default)]
    pub shown_output_bytes: Option<u64>,
    /// Which of its calls somebody has to allow first: `never`, `always`, or `{when: SCHEMA}` for those whose input fits
    /// this JSON Schema. The run waits meanwhile, for as long as it takes.
    #[serde(default)]
    pub approval: ApprovalPolicy,
    /// Whoever allows a call may change its input, within the input's schema.
    #[serde(default)]
    pub editable_input: bool,
    /// The tool is a question to a person, and this is the JSON Schema of the answer, which is the call's output. Nothing
    /// is run.
    #[serde(default, deserialize_with = "crate::model::present")]
    pub answer_schema: Option<Json>,
    /// The tool is the client's: the call's output is what the client says. Nothing is run here.
    #[serde(default)]
    pub client_side: bool,
    /// Users who may allow or answer its calls, instead of the chat's owner.
    #[serde(default)]
    pub answerers: Vec<String>,
    /// After how many milliseconds a call that waits has expired, and counts as not allowed or not answered; never unless
    /// given.
    #[serde(default)]
    pub expires_after_ms: Option<u64>,
    /// Everything that a call changes it changes in one transaction in the store's own database, in which it also carries
    /// out the statement that it is given for that. Whoever goes on after a death knows then whether it was done; if not, it
    /// is made again.
    #[serde(default)]
    pub effects: bool,
    /// A call that is made twice does no more than one that is made once: `true`, or `{key: NAME}` where a member of the
    /// input is what tells such calls apart. Whoever goes on after a death makes it again, with the same key.
    #[serde(default)]
    pub idempotent: Idempotent,
    /// `core` tools are told to the model whole, from the first step on. Of a `deferred` one it is told a line, in the tool
    /// `loadTools`, by which it makes those callable that it needs, for the rest of the turn.
    #[serde(default)]
    pub tier: Tier,
    /// That line; the beginning of the description unless given.
    #[serde(default)]
    pub catalog_line: Option<String>,
}

/// When a model is told of a tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tier {
    /// Whole, from the first step on.
    #[default]
    Core,
    /// In a line, until it asks for it.
    Deferred,
}

/// Whether doing something twice is as good as doing it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Idempotent {
    /// It is not.
    #[default]
    No,
    /// It is, for calls of the same key.
    Yes,
    /// It is, for calls that have the same value in this member of the input.
    By(String),
}

impl<'de> Deserialize<'de> for Idempotent {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct By {
            key: String,
        }
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "must be true, false or {key: the name of a member of the input}")]
        enum Given {
            Flag(bool),
            By(By),
        }
        Ok(match Given::deserialize(deserializer)? {
            Given::Flag(false) => Idempotent::No,
            Given::Flag(true) => Idempotent::Yes,
            Given::By(By { key }) => Idempotent::By(key),
        })
    }
}

/// Which calls of a tool somebody has to allow.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApprovalPolicy {
    /// None of them.
    #[default]
    Never,
    /// All of them.
    Always,
    /// Those whose input fits this JSON Schema.
    When(Json),
}

/// Whether a value fits a JSON Schema, as the inputs of tools are checked.
///
/// # Errors
/// What does not fit, or what is wrong with the schema.
pub fn check_schema(schema: &Json, value: &Json) -> Result<(), String> {
    input::InputCheck::new(schema)?.cleaned(value, UnknownMembers::Refuse).map(|_| ())
}

impl ToolDefinition {
    /// Whether calls of it may have to wait for somebody.
    pub fn may_wait(&self) -> bool {
        self.approval != ApprovalPolicy::Never || self.answer_schema.is_some() || self.client_side
    }

    /// The origin of what it returns, if that is content from outside.
    pub fn origin(&self) -> Option<String> {
        match &self.server {
            Some(server) => Some(origin_of_server(server)),
            None => self.untrusted.then(|| origin_of_tool(&self.name)),
        }
    }

    /// Why a call of it may be made again whose outcome nobody knows.
    pub fn repeats(&self) -> Option<Repeat> {
        match (self.effects, &self.idempotent) {
            (true, _) => Some(Repeat::Effects),
            (false, Idempotent::No) => None,
            (false, _) => Some(Repeat::Idempotent),
        }
    }

    /// What a call with this input is made again under, of a tool that says so: a member of the input, or the call's own key.
    pub fn idempotency_key(&self, key: &str, input: &Json) -> Option<String> {
        let member = match &self.idempotent {
            Idempotent::No => return None,
            Idempotent::Yes => None,
            Idempotent::By(name) => {
                input.read::<std::collections::HashMap<String, Json>>().ok().and_then(|mut members| {
                    let value = members.remove(name)?;
                    value.as_string().or_else(|| Some(value.get().to_owned()).filter(|text| text != "null"))
                })
            }
        };
        Some(member.unwrap_or_else(|| key.to_owned()))
    }

    /// A tool of this name that takes no input and may change something.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            input_schema: Json::empty_schema(),
            read_only: false,
            untrusted: false,
            server: None,
            timeout_ms: None,
            validates_input: false,
            unknown_members: None,
            shown_output_bytes: None,
            approval: ApprovalPolicy::Never,
            editable_input: false,
            answer_schema: None,
            client_side: false,
            answerers: Vec::new(),
            expires_after_ms: None,
            effects: false,
            idempotent: Idempotent::No,
            tier: Tier::Core,
            catalog_line: None,
        }
    }
}

/// What becomes of members of an input that its schema forbids by `additionalProperties: false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownMembers {
    /// They are taken out before the tool sees the input.
    #[default]
    Strip,
    /// The call is refused, and the model is told.
    Refuse,
}

impl Json {
    fn empty_schema() -> Self {
        Self::parse(r#"{"type":"object","properties":{}}"#).unwrap_or_else(|_| Self::null())
    }
}

/// A call as the host sees it. Its JSON form is `{toolCallId, toolName, input, chatId, runId, messageId}`, with `effect` of
/// a tool with effects and `idempotencyKey` of one that is idempotent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolInvocation {
    /// Unique within the run.
    #[serde(rename = "toolCallId")]
    pub call_id: String,
    /// The tool.
    #[serde(rename = "toolName")]
    pub name: String,
    /// Its arguments, checked against the schema.
    pub input: Json,
    /// The chat.
    pub chat_id: ChatId,
    /// The run.
    pub run_id: RunId,
    /// The assistant's message.
    pub message_id: MessageId,
    /// What the call is noted by, of a tool with effects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<ToolEffect>,
    /// What tells the call apart from others, of a tool that is idempotent: the same whenever it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

/// A tool's code. The future is dropped when the call is cancelled or its time is up.
#[async_trait]
pub trait ToolHandler: Send + Sync {
    /// Runs the tool. An error's text is what the model and the reader are told.
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String>;

    /// The same, of a tool that has something to show before it is done.
    async fn call_showing(&self, invocation: ToolInvocation, _progress: ToolProgress) -> Result<Json, String> {
        self.call(invocation).await
    }

    /// Checks the input of a tool whose definition says `validates_input`, and gives what the tool is called with: the
    /// same, or a cleaned form of it. Asked right before the call, in the same task and within its time.
    ///
    /// # Errors
    /// What is wrong with the input. The model is told, and nothing is run.
    async fn validate(&self, invocation: &ToolInvocation) -> Result<Json, String> {
        Ok(invocation.input.clone())
    }

    /// Whether whoever runs the tool has gone away for good: an engine does not offer such a tool any more.
    fn is_gone(&self) -> bool {
        false
    }
}
