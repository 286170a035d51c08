//! How an engine is opened, as Rust values or as the JSON that all languages share.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::fallback::MOST_RETRIES;
use crate::error::{Error, Result, from_json};
use crate::id::{ChatId, ChatRef};
use crate::machine::shell::Pace;
use crate::model::TaintMode;
use crate::project::ErrorText;
use crate::provider::{HttpOptions, Providers};
use crate::secret::{SecretBox, SecretForm};
use crate::tool::{SHOWN_OUTPUT_BYTES, Tool, ToolSet, UnknownMembers};

use super::request::check_client_id;

/// How an engine is opened.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineOptions {
    /// `sqlite:PATH`, `sqlite::memory:` or `postgres://…`.
    pub store: String,
    /// What this process is called in leases; every opening adds a unique part of its own. On PostgreSQL, what the same
    /// instance has left when it died is free as soon as it comes back.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// The secret that stored keys are sealed with. Without it no keys can be stored.
    #[serde(default)]
    pub app_secret: Option<SecretString>,
    /// Application secrets of before: what is sealed with them is read, and sealed anew with `appSecret` in the
    /// background.
    #[serde(default)]
    pub previous_app_secrets: Vec<SecretString>,
    /// How keys are kept.
    #[serde(default)]
    pub secrets: SecretOptions,
    /// Limits of runs.
    #[serde(default)]
    pub runs: RunLimits,
    /// The providers, by name.
    #[serde(default)]
    pub providers: Providers,
    /// What goes into every system prompt.
    #[serde(default)]
    pub prompt: PromptOptions,
    /// How providers are reached.
    #[serde(default)]
    pub http: HttpOptions,
    /// How the tool servers of workspaces are used.
    #[serde(default)]
    pub mcp: McpOptions,
    /// How Docmost servers are used, by turns that have them.
    #[serde(default)]
    pub docmost: DocmostOptions,
    /// Limits of single requests.
    #[serde(default)]
    pub requests: RequestLimits,
    /// Name chats that have no name after their first turn has succeeded, whoever drove it, by a second request to the
    /// workspace's model.
    #[serde(default)]
    pub generate_chat_titles: bool,
    /// How chats are treated.
    #[serde(default)]
    pub chats: ChatOptions,
    /// Who may ask for workspaces' settings.
    #[serde(default)]
    pub settings: SettingsOptions,
    /// What becomes of what a workspace has switched off: `enforce`, `strict` or `report`.
    #[serde(default)]
    pub features: FeatureGates,
    /// What users and workspaces may use, counted in the store for all processes together.
    #[serde(default)]
    pub limits: UsageLimits,
    /// What models cost, by their ids: for budgets of money, and for reports.
    #[serde(default)]
    pub prices: Prices,
    /// How the ledger of calls to providers is kept.
    #[serde(default)]
    pub usage: UsageOptions,
    /// In whose words pages are told why a run failed: `safe`, or `provider`. The outcome, the rows and the log have what the
    /// provider said in any case.
    #[serde(default)]
    pub error_text: ErrorText,
}

/// What users and workspaces may use, over windows that slide with time. What is not set is not limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageLimits {
    /// Turns that a user of a workspace may begin: `RATE_LIMITED` beyond that. What is refused is not counted.
    #[serde(default)]
    pub user_requests: Option<Window>,
    /// Turns that may be begun in a workspace: `RATE_LIMITED` beyond that.
    #[serde(default)]
    pub workspace_requests: Option<Window>,
    /// Tokens that the calls of a workspace may use: `BUDGET_EXHAUSTED` beyond that for turns, vectors, transcripts and titles, and a run that
    /// is in progress by then ends between two steps, aborted with the reason `budget`. Before a call, its prompt and 1,000
    /// tokens of answer, or `maxOutputTokens`, are set aside; what it has really used counts in their place when it is done.
    #[serde(default)]
    pub workspace_tokens: Option<Window>,
    /// Turns that visitors of a workspace's public pages may begin: 100 in an hour unless given.
    #[serde(default = "default_public_requests")]
    pub public_requests: Window,
    /// Tokens that the calls of these turns may use: a million in a day unless given.
    #[serde(default = "default_public_tokens")]
    pub public_tokens: Window,
}

fn default_public_requests() -> Window {
    Window { max: 100, window_ms: 60 * 60 * 1_000 }
}

fn default_public_tokens() -> Window {
    Window { max: 1_000_000, window_ms: 24 * 60 * 60 * 1_000 }
}

impl Default for UsageLimits {
    fn default() -> Self {
        Self {
            user_requests: None,
            workspace_requests: None,
            workspace_tokens: None,
            public_requests: default_public_requests(),
            public_tokens: default_public_tokens(),
        }
    }
}

/// How the ledger of calls to providers is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UsageOptions {
    /// For how many milliseconds calls are kept in it, and at least as long as tokens are limited; for ever unless given.
    pub retention_ms: Option<u64>,
}

/// So much in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// How much.
    pub max: u64,
    /// In how many milliseconds, up to now.
    pub window_ms: u64,
}

/// What models cost, by their ids.
pub type Prices = BTreeMap<String, ModelPrice>;

/// What a model costs, in whatever unit of money the host counts.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelPrice {
    /// A million tokens of prompts.
    pub input: f64,
    /// A million tokens of answers, reasoning included.
    pub output: f64,
    /// A million tokens of prompts that the provider had kept; as others unless given. Budgets count all of them as others.
    #[serde(default)]
    pub cached_input: Option<f64>,
}

/// Which ids chats may be called by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ChatIds {
    /// UUIDs.
    #[default]
    Uuid,
    /// Whatever a client has made up, too: it stands for one chat of this user in this workspace, always the same.
    Any,
}

/// What becomes of a chat that is to be created with a role that is deleted, disabled or not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum UnknownRole {
    /// It is not created: `NOT_FOUND`.
    #[default]
    Refuse,
    /// It is created without a role.
    Fallback,
}

/// How chats are treated.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChatOptions {
    /// Which ids they may be called by.
    pub ids: ChatIds,
    /// What becomes of one that is to be created with a role that is deleted, disabled or not there. A chat that has such
    /// a role goes on without it in any case.
    pub unknown_role: UnknownRole,
    /// Chats that have not been changed for so long, in milliseconds, are removed for good. They are kept by default.
    pub retention_ms: Option<u64>,
    /// Chats that were deleted so long ago, in milliseconds, are removed for good. They are kept by default.
    pub deleted_retention_ms: Option<u64>,
}

impl ChatOptions {
    /// The chat that is meant.
    ///
    /// # Errors
    /// `INVALID_INPUT` for `chatId`.
    pub(super) fn resolve(self, given: &ChatRef, workspace_id: &str, user_id: &str) -> Result<ChatId> {
        match given {
            ChatRef::Client(name) if self.ids == ChatIds::Any => {
                check_client_id("chatId", name)?;
                Ok(given.mapped(workspace_id, user_id))
            }
            ChatRef::Client(_) => Err(Error::invalid(
                "chatId",
                "must be a UUID, unless the engine's option chats.ids is any: then it may be what a client makes up",
            )),
            ChatRef::Id(id) => Ok(*id),
        }
    }
}

/// Whether operations on settings must say who acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActorRule {
    /// They may: where nobody acts, the host has looked who asks.
    #[default]
    Optional,
    /// They must, so that nothing is open because it was forgotten.
    Required,
}

/// Who may ask for workspaces' settings.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SettingsOptions {
    /// Whether `settings.get`, `.update` and `.test` must say who acts. Whoever is said to act must be an administrator in
    /// any case.
    pub actor: ActorRule,
}

/// What becomes of what a workspace has switched off: `chat`, `autonomousRuns` and `dictation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FeatureGates {
    /// It is refused. What was never switched is on.
    #[default]
    Enforce,
    /// It is refused. What was never switched is off, as in Docmost.
    Strict,
    /// It is told to hosts, which look after it themselves. What was never switched is on.
    Report,
}

/// How the tool servers of workspaces are used. Times are in milliseconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct McpOptions {
    /// How long a server may take until its tools are known. A turn that asks for them begins as late as that, at most.
    pub connect_timeout_ms: u64,
    /// How long a call may take.
    pub call_timeout_ms: u64,
    /// How long a server may say nothing during a call.
    pub silence_ms: u64,
    /// How long a connection, and the list of tools that came over it, serves a workspace's next turns.
    pub keep_ms: u64,
    /// If a turn's servers have more tools than this, the model is told a line of each instead of all of them, and asks for
    /// those that it needs (`loadTools`). All of them are told unless given.
    pub defer_above: Option<u32>,
    /// How many bytes of a result are kept; of more, a note says how much is missing.
    pub max_result_bytes: u64,
    /// Programs that speak the protocol over their input and output, by names that workspaces may use (`transport` `stdio`).
    /// There are none unless they are listed here: what runs on this machine is for whoever runs it to say.
    pub programs: BTreeMap<String, McpProgram>,
}

/// How Docmost servers are used.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DocmostOptions {
    /// How long a request may take.
    pub request_timeout_ms: u64,
    /// How many bytes an answer may have. A page that is larger cannot be read.
    pub max_response_bytes: u64,
}

impl Default for DocmostOptions {
    fn default() -> Self {
        Self { request_timeout_ms: 30_000, max_response_bytes: 4 * 1024 * 1024 }
    }
}

/// A program that is a tool server.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct McpProgram {
    /// What is started.
    pub command: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its environment, besides `PATH`. Nothing else of this process's environment is given to it.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

impl std::fmt::Debug for McpProgram {
    /// Without arguments and environment: there may be secrets in them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("McpProgram").field("command", &self.command).finish_non_exhaustive()
    }
}

impl Default for McpOptions {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            call_timeout_ms: 900_000,
            silence_ms: 300_000,
            keep_ms: 60_000,
            defer_above: None,
            max_result_bytes: 1024 * 1024,
            programs: BTreeMap::new(),
        }
    }
}

/// How keys are kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SecretOptions {
    /// The form in which keys are written: `legacy`, which the system before reads, or `current`. Defaults to `legacy` on
    /// a database of that system, and to `current` elsewhere. Both are read; on a database of turnkeep's own the old form,
    /// which is bound to no record, only with `legacy`.
    pub write: Option<SecretForm>,
    /// Send a stored key nowhere but to the address that was set when it was entered: whoever changes the address enters
    /// the key anew. `false` is for hosts whose workspaces' administrators are trusted with the keys themselves.
    pub bind_to_address: bool,
}

impl Default for SecretOptions {
    fn default() -> Self {
        Self { write: None, bind_to_address: true }
    }
}

/// How long requests outside of runs may take, in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RequestLimits {
    /// All requests of one call for embeddings together.
    pub embedding_timeout_ms: u64,
    /// A transcript.
    pub transcription_timeout_ms: u64,
    /// A title.
    pub title_timeout_ms: u64,
    /// A test of the chat settings.
    pub test_timeout_ms: u64,
    /// The host's check of a page that a user has open; when it takes longer there is no page.
    pub page_check_timeout_ms: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            embedding_timeout_ms: 120_000,
            transcription_timeout_ms: 300_000,
            title_timeout_ms: 60_000,
            test_timeout_ms: 30_000,
            page_check_timeout_ms: 10_000,
        }
    }
}

/// The host's share of the system prompt.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PromptOptions {
    /// The workspace's name.
    pub workspace_name: Option<String>,
    /// The persona for chats without a role.
    pub admin_prompt: Option<String>,
    /// What the product is called, for the default persona.
    pub product_name: Option<String>,
    /// Rules that join the safety text.
    pub extra_rules: Vec<String>,
}

/// Limits of runs. Times are in milliseconds.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RunLimits {
    /// Model calls in a turn, the last of which is text only.
    pub max_steps: u32,
    /// How long a run stays its owner's without a sign of life; renewed at a third of it.
    pub lease_ms: u64,
    /// How long a provider may send nothing of its answer. Frames that carry none of it do not count.
    pub provider_silence_ms: u64,
    /// The same until the first piece of an answer, where that is to be different.
    pub first_chunk_ms: Option<u64>,
    /// How long a step may take, with its tools; a run that takes longer is aborted with what it has.
    pub step_timeout_ms: Option<u64>,
    /// How often a step is asked for again whose answer broke off: the connection was lost, the provider had too much to do
    /// or fell silent. What had streamed of it is withdrawn. At most 10.
    pub step_retries: u32,
    /// How long a run may take.
    pub run_timeout_ms: Option<u64>,
    /// Abort a run whose model's output goes round in circles.
    pub degeneration_guard: bool,
    /// How long a tool may take that does not say so itself.
    pub tool_timeout_ms: u64,
    /// How many bytes one answer may have: its text, reasoning, files and the inputs of its calls.
    pub max_answer_bytes: u64,
    /// How many tool calls one answer may have.
    pub max_calls_per_step: u32,
    /// How many of a step's calls run at once.
    pub max_parallel_calls: u32,
    /// How long the input of a call may be checked against its schema.
    pub input_check_ms: u64,
    /// How many of a chat's newest messages a model is told, at most; at least 1.
    pub history_messages: u32,
    /// What becomes of members of a tool's input that its schema does not allow, where the tool does not say.
    pub unknown_members: UnknownMembers,
    /// How many bytes of a tool's output pages are shown, where the tool does not say.
    pub shown_output_bytes: u64,
    /// How often stops from other processes are looked for.
    pub stop_poll_ms: u64,
    /// How often the log of a run of another process is looked at while somebody follows it.
    pub tail_poll_ms: u64,
    /// How long the streamed chunks of a settled run are kept for readers that come back. Its steps stay.
    pub chunk_retention_ms: u64,
    /// How long a run that is to be superseded may take to settle.
    pub supersede_timeout_ms: u64,
    /// Bring the message row up to date at every step, for hosts that read the table by themselves while a run goes on.
    /// Otherwise that is done about once a second while the row is small, and then at the end.
    pub refresh_every_step: bool,
    /// How many runs of others an engine that offers tools drives at a time.
    pub max_offered_runs: u32,
    /// For how long a write is attempted again while the store cannot be reached; then the run ends here. What can never
    /// succeed ends it at once.
    pub store_patience_ms: u64,
    /// How long a host's own loop may take to finish a run that was asked to stop; then the engine settles it. Defaults to
    /// two leases.
    pub stop_deadline_ms: Option<u64>,
    /// How long a host's own loop may record nothing; then its run is aborted as `timeout`. Unlimited by default.
    pub hosted_silence_ms: Option<u64>,
    /// How many turns of one chat may wait for it.
    pub max_waiting_per_chat: u32,
    /// How many turns of one user may wait, in all chats.
    pub max_waiting_per_user: u32,
    /// How many messages may wait for a run that they are to join.
    pub max_steering: u32,
    /// What becomes of calls that change something once their turn has read content from outside (results of tools that are
    /// `untrusted`, of tool servers, and of tools that a provider runs): `off`, `ask` (recommended) or `refuse`.
    pub taint: TaintMode,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            max_steps: 20,
            lease_ms: 15_000,
            provider_silence_ms: 900_000,
            first_chunk_ms: None,
            step_timeout_ms: None,
            step_retries: 1,
            run_timeout_ms: None,
            degeneration_guard: true,
            tool_timeout_ms: 900_000,
            max_answer_bytes: 32 * 1024 * 1024,
            max_calls_per_step: 256,
            max_parallel_calls: 32,
            input_check_ms: 2_000,
            history_messages: 100,
            unknown_members: UnknownMembers::Strip,
            shown_output_bytes: SHOWN_OUTPUT_BYTES,
            stop_poll_ms: 250,
            tail_poll_ms: 100,
            chunk_retention_ms: 600_000,
            supersede_timeout_ms: 30_000,
            refresh_every_step: false,
            max_offered_runs: 64,
            store_patience_ms: 600_000,
            stop_deadline_ms: None,
            hosted_silence_ms: None,
            max_waiting_per_chat: 20,
            max_waiting_per_user: 200,
            max_steering: 20,
            taint: TaintMode::Off,
        }
    }
}

impl RunLimits {
    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn store_patience(&self) -> Duration {
        Duration::from_millis(self.store_patience_ms)
    }

    /// How runs are written.
    pub(super) fn pace(&self) -> Pace {
        let (patience, lease) = (self.store_patience(), self.lease());
        Pace { patience, lease, refresh_every_step: self.refresh_every_step }
    }

    pub(super) fn stop_deadline(&self) -> Duration {
        self.stop_deadline_ms.map_or(2 * self.lease(), Duration::from_millis)
    }

    /// The tools of a turn, within these limits.
    pub(super) fn tool_set(&self, tools: Vec<Tool>) -> Result<ToolSet> {
        let timeout = Duration::from_millis(self.tool_timeout_ms);
        Ok(ToolSet::new(tools, timeout)?
            .with_unknown_members(self.unknown_members)
            .with_shown_output_bytes(self.shown_output_bytes)
            .with_check_time(Duration::from_millis(self.input_check_ms)))
    }
}

impl EngineOptions {
    /// Reads the JSON form.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the path of the field.
    pub fn from_json(text: &str) -> Result<Self> {
        from_json(text, "options")
    }

    /// Seals and opens stored keys.
    pub(super) fn secret_box(&self) -> Option<SecretBox> {
        let current = self.app_secret.clone()?;
        Some(SecretBox::new(current, self.previous_app_secrets.iter().cloned()))
    }

    pub(super) fn check(&self) -> Result<()> {
        let is_empty = |secret: &SecretString| secret.expose_secret().is_empty();
        if self.app_secret.as_ref().is_some_and(is_empty) {
            return Err(Error::invalid("appSecret", "is empty"));
        }
        if self.app_secret.is_none() && !self.previous_app_secrets.is_empty() {
            return Err(Error::invalid("previousAppSecrets", "need an appSecret that takes their place"));
        }
        if self.runs.step_retries > MOST_RETRIES {
            return Err(Error::invalid("runs.stepRetries", format!("must be at most {MOST_RETRIES}")));
        }
        let positive = [
            ("runs.maxSteps", u64::from(self.runs.max_steps)),
            ("runs.historyMessages", u64::from(self.runs.history_messages)),
            ("runs.inputCheckMs", self.runs.input_check_ms),
            ("runs.shownOutputBytes", self.runs.shown_output_bytes),
            ("runs.maxAnswerBytes", self.runs.max_answer_bytes),
            ("runs.maxCallsPerStep", u64::from(self.runs.max_calls_per_step)),
            ("runs.maxParallelCalls", u64::from(self.runs.max_parallel_calls)),
            ("runs.providerSilenceMs", self.runs.provider_silence_ms),
            ("runs.toolTimeoutMs", self.runs.tool_timeout_ms),
            ("runs.stopPollMs", self.runs.stop_poll_ms),
            ("runs.maxOfferedRuns", u64::from(self.runs.max_offered_runs)),
            ("runs.tailPollMs", self.runs.tail_poll_ms),
            ("runs.firstChunkMs", self.runs.first_chunk_ms.unwrap_or(1)),
            ("runs.stepTimeoutMs", self.runs.step_timeout_ms.unwrap_or(1)),
            ("runs.runTimeoutMs", self.runs.run_timeout_ms.unwrap_or(1)),
            ("chats.retentionMs", self.chats.retention_ms.unwrap_or(1)),
            ("chats.deletedRetentionMs", self.chats.deleted_retention_ms.unwrap_or(1)),
            ("mcp.connectTimeoutMs", self.mcp.connect_timeout_ms),
            ("mcp.callTimeoutMs", self.mcp.call_timeout_ms),
            ("mcp.silenceMs", self.mcp.silence_ms),
            ("mcp.maxResultBytes", self.mcp.max_result_bytes),
            ("docmost.requestTimeoutMs", self.docmost.request_timeout_ms),
            ("docmost.maxResponseBytes", self.docmost.max_response_bytes),
            ("requests.embeddingTimeoutMs", self.requests.embedding_timeout_ms),
            ("requests.transcriptionTimeoutMs", self.requests.transcription_timeout_ms),
            ("requests.titleTimeoutMs", self.requests.title_timeout_ms),
            ("requests.testTimeoutMs", self.requests.test_timeout_ms),
            ("requests.pageCheckTimeoutMs", self.requests.page_check_timeout_ms),
        ];
        for (field, value) in positive {
            if value == 0 {
                return Err(Error::invalid(field, "must be at least 1"));
            }
        }
        let limits = [
            ("limits.userRequests.windowMs", self.limits.user_requests),
            ("limits.workspaceRequests.windowMs", self.limits.workspace_requests),
            ("limits.publicRequests.windowMs", Some(self.limits.public_requests)),
            ("limits.publicTokens.windowMs", Some(self.limits.public_tokens)),
            ("limits.workspaceTokens.windowMs", self.limits.workspace_tokens),
        ];
        for (field, window) in limits {
            if window.is_some_and(|window| window.window_ms == 0) {
                return Err(Error::invalid(field, "must be at least 1"));
            }
        }
        for (model, price) in &self.prices {
            for (member, amount) in [("input", price.input), ("output", price.output)] {
                if !(amount >= 0.0 && amount.is_finite()) {
                    return Err(Error::invalid(format!("prices.{model}.{member}"), "must be a price"));
                }
            }
        }
        if self.runs.lease_ms < 300 {
            return Err(Error::invalid("runs.leaseMs", "must be at least 300"));
        }
        self.http.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field_of<T>(result: Result<T>) -> String {
        result.err().expect("an error").details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn wrong_options_name_their_field() {
        for (json, field) in [
            ("{", "options"),
            ("[]", "options"),
            (r#"{"store":5}"#, "store"),
            ("{}", "store"),
            (r#"{"store":"x","providers":{"a":{}}}"#, "providers.a.driver"),
            (r#"{"stoer":"x"}"#, "stoer"),
            (r#"{"store":"x","runs":{"maxSteps":-1}}"#, "runs.maxSteps"),
            (r#"{"store":"x","providers":{"a":{"driver":"d","apiKey":5}}}"#, "providers.a.apiKey"),
        ] {
            assert_eq!(field_of(EngineOptions::from_json(json)), field, "{json}");
        }
        for (json, field) in [
            (r#"{"store":"x","runs":{"maxSteps":0}}"#, "runs.maxSteps"),
            (r#"{"store":"x","chats":{"retentionMs":0}}"#, "chats.retentionMs"),
            (r#"{"store":"x","chats":{"deletedRetentionMs":0}}"#, "chats.deletedRetentionMs"),
            (r#"{"store":"x","limits":{"userRequests":{"max":1,"windowMs":0}}}"#, "limits.userRequests.windowMs"),
            (r#"{"store":"x","prices":{"m":{"input":-1,"output":0}}}"#, "prices.m.input"),
        ] {
            assert_eq!(field_of(EngineOptions::from_json(json).unwrap().check()), field, "{json}");
        }
    }

    #[test]
    fn values_do_not_leak_into_errors() {
        let error = EngineOptions::from_json(r#"{"store":"x","runs":"sk-secret"}"#).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
