//! Who asks, and what a turn is begun with, as Rust values or as the JSON that all languages share.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorCode, Result, from_json};
use crate::id::{AgentRoleId, ChatRef, MAX_CLIENT_ID_BYTES, RunId};
use crate::log::{Protocol, StreamFormat};
use crate::machine::{Budget, Cost};
use crate::model::{Json, Part, TaintMode, Trigger};
use crate::project::{McpGuidance, OpenPage};
use crate::provider::{CallOptions, ProviderChoice, ProviderConfig};
use crate::text::{counted_len, js_trim, utf16_len};
use crate::tool::{AllowRule, AllowRules, ToolDefinition};

use super::docmost::{DocmostAccess, PlannedDocmost};
use super::fallback::{self, FallbackModel, PlannedFallback, TurnRetries, price_of};
use super::message::{UserMessage, check_part};
use super::options::{Prices, RunLimits};

/// Who asks. Everything stored belongs to a user of a workspace, and is given to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Who {
    /// The workspace.
    pub workspace_id: String,
    /// The user.
    pub user_id: String,
}

/// Who acts where rights matter, as the host says: the engine knows nobody's rights.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Actor {
    /// The user.
    pub user_id: String,
    /// Whether they may manage the workspace's settings.
    pub is_admin: bool,
}

/// How a turn is that is not stored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Stateless {
    /// The persona, whatever `roleId` says: that then gives the model only. At most 20,000 characters.
    pub persona: Option<String>,
    /// The turn is for a visitor of public pages.
    pub public: Option<PublicTurn>,
}

/// A turn for a visitor of public pages. What the host says of the page decides first, in the order of these members, and
/// always with the same `NOT_FOUND`; then whether somebody can answer (`AI_NOT_CONFIGURED`), whether there are tokens and
/// requests left (`BUDGET_EXHAUSTED`, `RATE_LIMITED`), and last what the visitor has written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublicTurn {
    /// Whether the workspace has an assistant on its public pages.
    pub enabled: bool,
    /// The share that the visitor has named.
    pub share_id: String,
    /// The page that the visitor has named.
    pub page_id: String,
    /// The page as the host has found it, if visitors may read it in that share.
    #[serde(default)]
    pub page: Option<OpenPage>,
    /// Whether workspace and space allow sharing.
    pub sharing_allowed: bool,
    /// What the shared pages are called.
    #[serde(default)]
    pub share_title: Option<String>,
    /// The conversation as the visitor's client has sent it: at most 30 messages of texts, each of at most 8,000 characters.
    /// The last one that counts must be the visitor's.
    pub messages: Vec<GivenPart>,
}

/// What a turn is begun with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TurnRequest {
    /// The workspace.
    pub workspace_id: String,
    /// The user.
    pub user_id: String,
    /// The chat; it is created when there is none of this id, and when no id is given.
    #[serde(default)]
    pub chat_id: Option<ChatRef>,
    /// What the user wrote. It is passed over where an answer is generated anew, and needed otherwise.
    #[serde(default)]
    pub message: Option<UserMessage>,
    /// The role of a chat that is created; a chat keeps the role that it was created with.
    #[serde(default)]
    pub role_id: Option<AgentRoleId>,
    /// The page that the user has open: what a client says of it where the engine has the host's check of pages, else
    /// resolved by the host.
    #[serde(default)]
    pub open_page: Option<OpenPage>,
    /// Give the model the tool `getCurrentPage`, which answers `{page: {id, title}}`, or `{page: null}` where no page is
    /// open. A tool of the host's own that is named so takes its place.
    #[serde(default)]
    pub page_tool: bool,
    /// Give the model the tools of the workspace's enabled tool servers (`mcp.create`), named after their servers, with what
    /// the administrators say about them. Tools of the host's own that are named so take their place. A server that cannot be
    /// used is missing, and told in the outcome's `warnings`.
    #[serde(default)]
    pub mcp_tools: bool,
    /// Give the model tools for a Docmost server, by which it finds, reads and changes pages as the user, and
    /// `getCurrentPage`. Tools of the host's own that are named so take their place.
    #[serde(default)]
    pub docmost: Option<DocmostAccess>,
    /// The tools of this turn, for hosts that answer calls through a mailbox.
    #[serde(default)]
    pub tools: Vec<ToolDefinition>,
    /// The provider; without it the one named `default`, or the only one.
    #[serde(default)]
    pub provider: Option<ProviderChoice>,
    /// `false`: the run stops when its last reader goes away.
    #[serde(default = "default_detached")]
    pub detached: bool,
    /// What begins the turn.
    #[serde(default = "default_trigger", deserialize_with = "read_trigger")]
    pub trigger: Trigger,
    /// As the AI SDK's clients send it. With `regenerate-message`: the answer that is to be generated anew, or the user's
    /// message that is to be answered anew; the newest answer unless given. Otherwise: the user's message that this one is
    /// written in the place of, with everything after it. What was there before stays as a version.
    #[serde(default)]
    pub message_id: Option<String>,
    /// What to do when the chat is busy.
    #[serde(default)]
    pub busy: Busy,
    /// A second turn of the same user with the same key begins nothing and follows the first.
    #[serde(default)]
    pub idempotency_key: Option<String>,
    /// Names of tools that engines offer ([`crate::Engine::offer_tools`]), instead of `tools`. Such a run is driven by
    /// any engine that offers all of them: this one if it does, else the first that takes it, and another one when that
    /// engine is closed or its process dies. Its model is the one that its workspace and role, or that engine's options,
    /// say.
    #[serde(default)]
    pub offered_tools: Option<Vec<String>>,
    /// Whether a run that waits for somebody's answer still holds its chat. `false`: other turns may begin there meanwhile,
    /// and it goes on when the chat is free. Only with `offeredTools`: other runs cannot wait.
    #[serde(default = "default_holds_chat")]
    pub holds_chat: bool,
    /// The workspace's name, instead of `prompt.workspaceName`.
    #[serde(default)]
    pub workspace_name: Option<String>,
    /// Guidance for tools of connected servers, between the rules that nothing can remove.
    #[serde(default)]
    pub mcp_instructions: Vec<McpGuidance>,
    /// Rules that join the safety text, after those of `prompt.extraRules`.
    #[serde(default)]
    pub extra_rules: Vec<String>,
    /// What else the host has to say to the model, between the rules that nothing can remove.
    #[serde(default)]
    pub extra_system: Option<String>,
    /// Model calls in this turn, the last of which is text only; `runs.maxSteps` unless given. 1 to 1000.
    #[serde(default)]
    pub max_steps: Option<u32>,
    /// Another model of the provider that answers.
    #[serde(default)]
    pub model: Option<String>,
    /// How the model is to answer in this turn; what is not set is as the provider's settings say.
    #[serde(default)]
    pub options: Option<CallOptions>,
    /// What this turn may spend. Once that is spent the run ends between two steps, as `aborted` with the reason `budget`;
    /// when four fifths of it are, the model is asked for its last answer.
    #[serde(default)]
    pub budget: Option<RunBudget>,
    /// `ai-6` (the default) or `ai-7`: what readers of this turn are told. Clients of version 7 of the AI SDK are told of steps that
    /// are withdrawn, of messages that join the run, and of what else only they know, by chunks of their own.
    #[serde(default)]
    pub protocol: Protocol,
    /// `ui` (the default), or `ag-ui`: events of AG-UI 1.0 instead of chunks of the AI SDK.
    #[serde(default)]
    pub format: StreamFormat,
    /// Every event of this turn's streams over HTTP has a place, its `id`, from the first one on: what streams goes to disk as it
    /// streams. Otherwise that begins with the step after such a stream is first read.
    #[serde(default)]
    pub resumable: bool,
    /// How often what fails is asked for again.
    #[serde(default)]
    pub retries: Option<TurnRetries>,
    /// What becomes of calls that change something once the turn has read content from outside, instead of `runs.taint`: `off`,
    /// `ask` or `refuse`.
    #[serde(default)]
    pub taint: Option<TaintMode>,
    /// Calls that the turn may make all the same.
    #[serde(default)]
    pub taint_allow: Vec<AllowRule>,
    /// The models that are asked when the turn's own fails and asking it again is no use, in order: at most 10. Which one
    /// answers is told in the stream and stays in the message, as a part `data-model`.
    #[serde(default)]
    pub fallbacks: Vec<FallbackModel>,
    /// What was said before, oldest first, where the host keeps that itself: the model is told this instead of the chat's
    /// stored messages.
    #[serde(default)]
    pub history: Option<Vec<GivenMessage>>,
    /// Nothing of the turn is stored but its record (`runs.getStateless`) and what it uses: no chat, no message, no log. It
    /// is told `history`, and streams, stops and is limited as any other; its ids are those of no chat.
    #[serde(default)]
    pub stateless: Option<Stateless>,
}

/// What a turn may spend; what is not set is not limited. The last call may go beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RunBudget {
    /// Tokens of all its calls, prompts included. Where a provider does not count, answers are estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Calls of the model, the last of which is text only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
    /// How long it may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// How much money, in the unit of the option `prices`, which must have the model that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
}

/// A message of a history that the host keeps itself, as clients of the AI SDK have it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenMessage {
    /// Who wrote it: `user` or `assistant`.
    pub role: String,
    /// Its parts.
    pub parts: Vec<GivenPart>,
}

/// A part of such a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GivenPart(pub Json);

/// What is different about a turn, as others need it who drive it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OwnPieces {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) workspace_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mcp_instructions: Vec<McpGuidance>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extra_rules: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extra_system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<RunBudget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) options: Option<CallOptions>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) page_tool: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) mcp_tools: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) docmost: Option<PlannedDocmost>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retries: Option<TurnRetries>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fallbacks: Vec<PlannedFallback>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) taint: Option<TaintMode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) taint_allow: Vec<AllowRule>,
}

impl OwnPieces {
    /// As a plan keeps them; nothing where there are none.
    pub(super) fn to_json(&self) -> Option<Json> {
        if *self == Self::default() { None } else { Json::from_value(self).ok() }
    }

    /// As a plan has kept them. Of what cannot be read nothing counts, but what a turn may do that has read content from outside
    /// is not let go of with it.
    pub(super) fn of_plan(kept: &Json) -> Self {
        let unreadable = || {
            let had_rules = kept.get().contains("\"taint\"");
            Self { taint: had_rules.then_some(TaintMode::Refuse), ..Self::default() }
        };
        kept.read().unwrap_or_else(|_| unreadable())
    }

    /// Model calls, at most.
    pub(super) fn steps(&self, limits: &RunLimits) -> u32 {
        let steps = self.max_steps.unwrap_or(limits.max_steps);
        self.budget.and_then(|budget| budget.calls).map_or(steps, |calls| calls.min(steps))
    }

    /// How often a step is asked for again.
    pub(super) fn step_retries(&self, limits: &RunLimits) -> u32 {
        self.retries.and_then(|retries| retries.step).unwrap_or(limits.step_retries)
    }

    /// What the run may spend with this model.
    ///
    /// # Errors
    /// `INVALID_INPUT` for money where it is not known what the model costs.
    pub(super) fn budget(&self, prices: &Prices, model: Option<&str>) -> Result<Budget> {
        let RunBudget { tokens, time_ms, cost, .. } = self.budget.unwrap_or_default();
        let cost = match cost {
            None => None,
            Some(limit) => {
                let price = model.and_then(|model| price_of(prices, model)).ok_or_else(|| {
                    Error::invalid("budget.cost", "needs the price of the model that answers, in the option prices")
                })?;
                Some(Cost { limit, price })
            }
        };
        Ok(Budget { tokens, cost, time: time_ms.map(Duration::from_millis) })
    }

    /// The provider's settings, with what the turn changes about them.
    pub(super) fn applied_to(self, mut config: ProviderConfig) -> ProviderConfig {
        if let Some(model) = self.model {
            config.model = model;
        }
        if let Some(options) = self.options {
            config.options = options.over(config.options);
        }
        config
    }
}

/// Tools to be offered, for hosts that answer calls through a mailbox.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolOffer {
    /// The tools.
    pub tools: Vec<ToolDefinition>,
}

fn default_holds_chat() -> bool {
    true
}

fn default_detached() -> bool {
    true
}

fn default_trigger() -> Trigger {
    Trigger::User
}

/// A trigger of ours, or one that the AI SDK's clients send.
pub(super) fn read_trigger<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Trigger, D::Error> {
    let json = Json::deserialize(deserializer)?;
    match json.as_string().as_deref() {
        Some("submit-message") => Ok(Trigger::User),
        Some("regenerate-message") => Ok(Trigger::Regenerate),
        _ => serde_json::from_str(json.get()).map_err(serde::de::Error::custom),
    }
}

/// What to do when the chat already has an active run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Busy {
    /// Refuse with `A_RUN_ALREADY_ACTIVE`.
    #[default]
    Reject,
    /// Wait until the chat is free, behind those that wait already.
    Enqueue,
    /// Stop this run, if it is the one that is active, and take its place.
    Supersede(RunId),
}

impl ToolOffer {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the path of the field.
    pub fn from_json(text: &str) -> Result<Self> {
        from_json(text, "offer")
    }
}

impl TurnRequest {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the path of the field.
    pub fn from_json(text: &str) -> Result<Self> {
        from_json(text, "turn")
    }

    pub(super) fn check(&self) -> Result<()> {
        check_owner("workspaceId", &self.workspace_id)?;
        check_owner("userId", &self.user_id)?;
        check_key(self.idempotency_key.as_deref())?;
        if self.busy == Busy::Enqueue && (self.message_id.is_some() || self.trigger == Trigger::Regenerate) {
            return Err(Error::invalid(
                "busy",
                "must be reject or supersede where something stands in another's place",
            ));
        }
        if self.offered_tools.is_some() && !self.tools.is_empty() {
            return Err(Error::invalid("tools", "must not be given beside offeredTools"));
        }
        if self.offered_tools.is_some() && self.provider.is_some() {
            return Err(Error::invalid("provider", "must not be given beside offeredTools: others could not use it"));
        }
        self.check_own_pieces()?;
        let mut names = HashSet::new();
        for (index, name) in self.offered_tools.iter().flatten().enumerate() {
            if !names.insert(name) {
                return Err(Error::invalid(format!("offeredTools[{index}]"), "is given twice"));
            }
        }
        for (index, tool) in self.tools.iter().enumerate() {
            if !names.insert(&tool.name) {
                return Err(Error::invalid(format!("tools[{index}].name"), "is given twice"));
            }
        }
        Ok(())
    }
}

impl TurnRequest {
    fn check_own_pieces(&self) -> Result<()> {
        let persona = self.stateless.as_ref().and_then(|stateless| stateless.persona.as_deref());
        if persona.is_some_and(|persona| js_trim(persona).is_empty() || counted_len(persona) > LONGEST_PERSONA) {
            return Err(Error::invalid("stateless.persona", format!("must have 1 to {LONGEST_PERSONA} characters")));
        }
        if self.max_steps.is_some_and(|steps| !(1..=MOST_STEPS).contains(&steps)) {
            return Err(Error::invalid("maxSteps", format!("must be from 1 to {MOST_STEPS}")));
        }
        let RunBudget { tokens, calls, time_ms, cost } = self.budget.unwrap_or_default();
        let amounts = [
            ("budget.tokens", tokens.is_none_or(|tokens| tokens > 0)),
            ("budget.calls", calls.is_none_or(|calls| calls > 0)),
            ("budget.timeMs", time_ms.is_none_or(|millis| millis > 0)),
            ("budget.cost", cost.is_none_or(|cost| cost > 0.0 && cost.is_finite())),
        ];
        if let Some((field, _)) = amounts.into_iter().find(|(_, is_some)| !is_some) {
            return Err(Error::invalid(field, "must be more than nothing"));
        }
        if self.model.as_deref().is_some_and(|model| js_trim(model).is_empty()) {
            return Err(Error::invalid("model", "must not be empty"));
        }
        if self.options.as_ref().is_some_and(|options| options.max_output_tokens == Some(0)) {
            return Err(Error::invalid("options.maxOutputTokens", "must be at least 1"));
        }
        AllowRules::new(&self.taint_allow)?;
        if let Some(docmost) = &self.docmost {
            docmost.check(self.offered_tools.is_some())?;
        }
        fallback::check(self.retries.unwrap_or_default(), &self.fallbacks, self.offered_tools.is_some())?;
        let Self { mcp_instructions, extra_rules, extra_system, .. } = self;
        if mcp_instructions.len() > MOST_PIECES {
            return Err(Error::invalid("mcpInstructions", format!("must be at most {MOST_PIECES}")));
        }
        if extra_rules.len() > MOST_PIECES {
            return Err(Error::invalid("extraRules", format!("must be at most {MOST_PIECES}")));
        }
        let guidance = mcp_instructions.iter().enumerate().filter_map(|(index, server)| {
            Some((format!("mcpInstructions[{index}].instructions"), server.instructions.as_deref()?))
        });
        let rules = extra_rules.iter().enumerate().map(|(index, rule)| (format!("extraRules[{index}]"), &**rule));
        let text = extra_system.iter().map(|text| ("extraSystem".to_owned(), &**text));
        for (field, text) in guidance.chain(rules).chain(text) {
            if utf16_len(text) > LONGEST_PIECE {
                return Err(Error::invalid(field, format!("must have at most {LONGEST_PIECE} characters")));
            }
        }
        if self.history.is_some() && self.offered_tools.is_some() {
            return Err(Error::invalid("history", "must not be given beside offeredTools: others could not use it"));
        }
        for (index, message) in self.history.iter().flatten().enumerate() {
            let field = format!("history[{index}]");
            if !matches!(message.role.as_str(), "user" | "assistant") {
                return Err(Error::invalid(format!("{field}.role"), "must be user or assistant"));
            }
            for (part, json) in message.parts.iter().enumerate() {
                check_part(&json.0, &format!("{field}.parts[{part}]"))?;
            }
        }
        Ok(())
    }

    /// The parts of the user's message; nothing where an answer is generated anew.
    pub(super) fn parts(&self) -> Result<Option<Vec<Part>>> {
        match &self.message {
            _ if self.trigger == Trigger::Regenerate => Ok(None),
            Some(message) => message.parts().map(Some),
            None => Err(Error::invalid("message", "is missing")),
        }
    }

    /// What is different about the turn, in an engine with these limits. What it may do when it has read content from outside
    /// is settled by whoever begins it.
    pub(super) fn own_pieces(&self, runs: &RunLimits) -> OwnPieces {
        let taint = self.taint.or_else(|| (runs.taint != TaintMode::Off).then_some(runs.taint));
        OwnPieces {
            taint,
            taint_allow: self.taint_allow.clone(),
            workspace_name: self.workspace_name.clone(),
            mcp_instructions: self.mcp_instructions.clone(),
            extra_rules: self.extra_rules.clone(),
            extra_system: self.extra_system.clone(),
            max_steps: self.max_steps,
            budget: self.budget,
            model: self.model.as_deref().map(|model| js_trim(model).to_owned()),
            options: self.options.clone(),
            page_tool: self.page_tool || self.docmost.is_some(),
            mcp_tools: self.mcp_tools,
            docmost: self.docmost.as_ref().map(DocmostAccess::planned),
            retries: self.retries,
            fallbacks: self.fallbacks.iter().map(FallbackModel::planned).collect(),
        }
    }
}

impl Who {
    pub(super) fn check(&self) -> Result<()> {
        check_owner("workspaceId", &self.workspace_id)?;
        check_owner("userId", &self.user_id)
    }
}

impl Actor {
    /// Whether they can be anybody, and the workspace any.
    pub(super) fn check(&self, workspace_id: &str) -> Result<()> {
        check_owner("workspaceId", workspace_id)?;
        check_owner("actor.userId", &self.user_id)
    }

    /// The same for what only administrators may.
    pub(super) fn check_admin(&self, workspace_id: &str) -> Result<()> {
        self.check(workspace_id)?;
        if self.is_admin {
            return Ok(());
        }
        Err(Error::new(ErrorCode::Forbidden, "only an administrator may do this").with_detail("field", "actor.isAdmin"))
    }
}

/// How long the persona of a turn that is not stored may be, in characters: as long as a role's.
const LONGEST_PERSONA: usize = 20_000;
/// The most model calls that a turn may ask for itself.
const MOST_STEPS: u32 = 1000;
/// The most rules, and the most servers with guidance, of a turn's own.
const MOST_PIECES: usize = 100;
/// How long each piece of a turn's own prompt may be, in UTF-16 units: as long as the prompt would take it.
const LONGEST_PIECE: usize = 100_000;
/// The longest idempotency key, in bytes: as long as a header may sensibly be.
const MAX_KEY_BYTES: usize = 255;

pub(super) fn check_key(key: Option<&str>) -> Result<()> {
    match key {
        Some("") => Err(Error::invalid("idempotencyKey", "must not be empty")),
        Some(key) if key.len() > MAX_KEY_BYTES => {
            Err(Error::invalid("idempotencyKey", format!("must have at most {MAX_KEY_BYTES} bytes")))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_owner(field: &str, id: &str) -> Result<()> {
    if id.is_empty() { Err(Error::invalid(field, "must not be empty")) } else { Ok(()) }
}

pub(super) fn check_client_id(field: &str, id: &str) -> Result<()> {
    match id.len() {
        0 => Err(Error::invalid(field, "must not be empty")),
        1..=MAX_CLIENT_ID_BYTES => Ok(()),
        _ => Err(Error::invalid(field, format!("must have at most {MAX_CLIENT_ID_BYTES} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of<T>(result: Result<T>) -> String {
        result.err().expect("an error").details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn wrong_offers_name_their_field() {
        for (json, field) in [
            ("[]", "offer"),
            ("{}", "tools"),
            (r#"{"tools":{}}"#, "tools"),
            (r#"{"tools":[{"name":"a"},{}]}"#, "tools[1].name"),
            (r#"{"tools":[{"name":"a","timeoutMs":"soon"}]}"#, "tools[0].timeoutMs"),
        ] {
            assert_eq!(field_of(ToolOffer::from_json(json)), field, "{json}");
        }
    }

    #[test]
    fn a_plan_that_cannot_be_read_lets_nothing_act() {
        let taint = |kept: &str| OwnPieces::of_plan(&Json::parse(kept).unwrap()).taint;
        assert_eq!(taint(r#"{"taint":"ask","more":1}"#), Some(TaintMode::Ask));
        assert_eq!(taint(r#"{"taint":"a word of later"}"#), Some(TaintMode::Refuse));
        assert_eq!((taint(r#"{"maxSteps":"a word of later"}"#), taint("{}")), (None, None));
    }

    #[test]
    fn a_provider_is_a_name_or_settings() {
        let turn = |provider: &str| {
            TurnRequest::from_json(&format!(
                r#"{{"workspaceId":"w","userId":"u","message":"m","provider":{provider}}}"#
            ))
        };
        assert!(turn(r#""main""#).is_ok());
        assert!(turn(r#"{"driver":"openai-compatible","model":"m","baseUrl":"http://x"}"#).is_ok());
        assert_eq!(field_of(turn("5")), "provider");
        assert_eq!(field_of(turn(r#"{"driver":"d","model":5}"#)), "provider.model");
    }
}
