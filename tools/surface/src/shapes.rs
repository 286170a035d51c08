//! What goes through the engine as JSON that it reads in a way of its own, or passes on unread: how it looks to hosts.
//!
//! These types describe, and are read by the generator as the core's own types are. They are compiled so that tests can
//! read with them what the engine gives out (`tests/tests/surface.rs`).

#![allow(missing_docs, reason = "names that say everything need no sentence")]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Any JSON.
pub type Json = serde_json::Value;
/// What only one provider says of a part, by its name.
pub type ProviderMetadata = BTreeMap<String, Json>;
/// `tool-` and the tool's name.
pub type ToolPartType = String;
/// `data-` and a name.
pub type DataPartType = String;
/// A time: in ISO form, or a value of the language for times.
pub type Moment = String;

/// See the core.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RunStepContent(pub Json);

/// See the core.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RunStepMessage(pub Json);

/// See the core.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct RunStepMessagePart(pub Json);

/// A text, or texts, images and files.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum RunStepMessageContent {
    Text(String),
    Parts(Vec<RunStepMessagePart>),
}

// ---- What turns are begun with -------------------------------------------------------------------------------------

/// What a user wrote: text, or a message as clients of the AI SDK have it.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum MessageInput {
    Text(String),
    Message(UserMessage),
}

/// A user's message as clients of the AI SDK have it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserMessage {
    /// The client's own id for it: kept where it is a UUID, else the message gets one that is made of it. A message that is
    /// in the chat already is `MESSAGE_EXISTS`.
    pub id: Option<String>,
    /// Only a user's message begins a turn; a client's type may allow others.
    pub role: Option<ClientRole>,
    /// Kept, and given back by `rowToUiMessage`.
    pub metadata: Option<Json>,
    /// At least one that says something.
    pub parts: Vec<UserMessagePart>,
}

/// Who a client says that wrote a message.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientRole {
    System,
    User,
    Assistant,
}

/// A part of a user's message.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum UserMessagePart {
    Told(ToldPart),
    Data(DataPart),
}

/// A part that a model can be told.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ToldPart {
    Text { text: String, state: Option<PartState> },
    File { media_type: String, url: String, filename: Option<String> },
    StepStart,
}

/// Whether a part is whole.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartState {
    Streaming,
    Done,
}

/// A part for the client, which is kept and which no model is told.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPart {
    pub r#type: DataPartType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub data: Json,
}

/// What to do when a chat is busy: refuse with `A_RUN_ALREADY_ACTIVE`, wait until it is free, or stop the run that is named
/// and take its place.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Busy {
    Reject,
    Enqueue,
    Supersede(String),
}

/// The name of a configured provider, or settings of its own.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum ProviderChoice {
    Named(String),
    Given(ProviderConfig),
}

/// See the core.
#[derive(Deserialize)]
pub struct ProviderConfig {}

// ---- What is stored and shown --------------------------------------------------------------------------------------

/// A message as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub id: String,
    pub chat_id: String,
    pub workspace_id: String,
    /// Who wrote it, for a user's message.
    pub user_id: Option<String>,
    pub role: MessageRole,
    /// Its text.
    pub content: String,
    /// The flat trace of its tool calls and results.
    pub tool_calls: Option<Vec<Json>>,
    pub metadata: Option<MessageMetadata>,
    /// How far it has come. Null: written before statuses existed, completed.
    pub status: Option<MessageStatus>,
    pub created_at: String,
    pub updated_at: String,
    /// What pages are told of its failure, where a host's function says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_text: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageRole {
    User,
    Assistant,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageStatus {
    Streaming,
    Completed,
    Error,
    Aborted,
}

/// What a message's row says besides its text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessageMetadata {
    pub parts: Vec<MessagePart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How full the context was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// How much it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
    /// The model was not told of earlier messages of the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_left_out: Option<bool>,
    /// Why its run did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunReason>,
    /// The client's own, of a user's message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// How many steps of the log the row shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_persisted: Option<u64>,
    /// The calls of whose outputs less is shown than there is, and how many bytes of JSON there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated_outputs: Option<BTreeMap<String, u64>>,
}

/// A part of a stored message, in the AI SDK's shapes.
#[derive(Serialize, Deserialize)]
pub struct MessagePart {
    pub r#type: String,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// See the core.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usage(pub Json);

/// See the core.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunFailure(pub Json);

/// See the core.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunReason(pub String);

/// A message as pages show it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShownMessage {
    pub id: String,
    pub role: MessageRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<ShownMetadata>,
    pub parts: Vec<MessagePart>,
}

/// How the stream told that a message ended, or a client's own metadata.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<MessageStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RunReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated_outputs: Option<BTreeMap<String, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// A chunk that is a part of its message as well, or tells of a step.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum PartChunk {
    /// A message of the user has joined the run: its parts. To clients of `ai` 7 it is `steering-message`.
    DataSteering { id: String, data: Json },
    /// The step in progress is taken back. To clients of `ai` 7 it is `reset-step`.
    DataWithdrawn { id: String, data: Json },
    /// Another model is asked.
    DataModel { id: String, data: Json },
    /// What only its provider knows. To clients of `ai` 7 it is `custom`.
    DataCustom { data: Json },
    /// A file of the reasoning. To clients of `ai` 7 it is `reasoning-file`.
    DataReasoningFile { data: Json },
    SourceUrl {
        source_id: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    SourceDocument {
        source_id: String,
        media_type: String,
        title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    File {
        url: String,
        media_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    /// Only to clients of `ai` 7; to others as `data-custom`.
    Custom {
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    /// Only to clients of `ai` 7; to others as `data-reasoning-file`.
    ReasoningFile {
        url: String,
        media_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    /// Only to clients of `ai` 7: a message of the user has joined the run. To others it is `data-steering`.
    SteeringMessage { id: String, parts: Vec<MessagePart> },
    /// Only to clients of `ai` 7: the step in progress is taken back. To others it is `data-withdrawn`.
    ResetStep,
    /// Only to clients of `ai` 7: what was said of a call that somebody was asked for.
    ToolApprovalResponse {
        approval_id: String,
        approved: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// A chunk of a run's log.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TailItem {
    /// Where to go on after this chunk.
    pub cursor: String,
    pub chunk: UIMessageChunk,
    /// The place that was asked for is not known any more: what follows begins anew and replaces what was read before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resync: Option<bool>,
}

/// See the core.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct UIMessageChunk(pub Json);

// ---- Settings ------------------------------------------------------------------------------------------------------

/// Which driver speaks to a provider.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DriverName {
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(rename = "openai-compatible")]
    OpenAiCompatible,
    Gemini,
    Ollama,
    Anthropic,
}

/// `openai-compatible`, or the official API.
#[derive(Serialize, Deserialize)]
pub enum ChatApiStyle {
    #[serde(rename = "openai-compatible")]
    Compatible,
    #[serde(rename = "openai")]
    Official,
}

/// How recordings are sent.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SttApiStyle {
    Multipart,
    Json,
}

/// What a model is told of the page that the person has open.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrentPage {
    pub page: Option<CurrentPageRef>,
}

/// A page with its title.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrentPageRef {
    pub id: String,
    pub title: String,
}

/// A workspace's settings as they are stored and shown. Of keys only whether they are set.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<Option<DriverName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_model: Option<Option<String>>,
    /// Tokens that the model's context holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_context_window: Option<u64>,
    /// `openai-compatible` where there is a base URL, unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_api_style: Option<Option<ChatApiStyle>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_url: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_model: Option<Option<String>>,
    /// `baseUrl` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedding_base_url: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stt_model: Option<Option<String>>,
    /// `baseUrl` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stt_base_url: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stt_api_style: Option<Option<SttApiStyle>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stt_language: Option<Option<String>>,
    /// The persona for chats without a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_share_chat_model: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_share_assistant_role_id: Option<Option<String>>,
    pub has_api_key: bool,
    pub has_embedding_api_key: bool,
    pub has_stt_api_key: bool,
    /// A user and a password were in the address; they are kept as a secret. Absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_base_url_login: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_embedding_base_url_login: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_stt_base_url_login: Option<bool>,
    /// What is on in the workspace; the engine's option `features` says what becomes of the rest.
    pub features: WorkspaceFeatures,
}

/// What is on in a workspace.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceFeatures {
    /// Chats, and titles of pages.
    pub chat: bool,
    /// Turns that go on without a reader (`detached`), and runs that no person has begun (`trigger`).
    pub autonomous_runs: bool,
    /// Speech to text.
    pub dictation: bool,
}

/// Features to be switched on or off; null sets one back, and one that is absent stays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkspaceFeaturesPatch {
    pub chat: Option<Option<bool>>,
    pub autonomous_runs: Option<Option<bool>>,
    pub dictation: Option<Option<bool>>,
}

/// A change of settings. What is absent stays; null takes a setting away. Keys are those of the driver that is set: `""`
/// clears one, null leaves it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettingsPatch {
    pub driver: Option<Option<DriverName>>,
    pub chat_model: Option<Option<String>>,
    /// Tokens that the model's context holds.
    pub chat_context_window: Option<Option<u64>>,
    /// `openai-compatible` where there is a base URL, unless set.
    pub chat_api_style: Option<Option<ChatApiStyle>>,
    pub base_url: Option<Option<String>>,
    pub embedding_model: Option<Option<String>>,
    /// `baseUrl` unless set.
    pub embedding_base_url: Option<Option<String>>,
    pub stt_model: Option<Option<String>>,
    /// `baseUrl` unless set.
    pub stt_base_url: Option<Option<String>>,
    pub stt_api_style: Option<Option<SttApiStyle>>,
    pub stt_language: Option<Option<String>>,
    /// The persona for chats without a role.
    pub system_prompt: Option<Option<String>>,
    pub public_share_chat_model: Option<Option<String>>,
    pub public_share_assistant_role_id: Option<Option<String>>,
    pub api_key: Option<Option<String>>,
    pub embedding_api_key: Option<Option<String>>,
    pub stt_api_key: Option<Option<String>>,
    pub features: Option<WorkspaceFeaturesPatch>,
}

/// The model that a role's chats get, in place of the workspace's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleModelConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<RoleDriver>,
    /// At most 200 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_model: Option<String>,
}

/// See the core.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct RoleDriver(pub String);

/// A migration that opening a database would apply.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PendingMigration {
    pub version: u64,
    pub name: String,
    /// What it would add to the database as it is.
    pub additions: Vec<String>,
}

// ---- Rows of hosts that keep their own loop ------------------------------------------------------------------------

/// A tool call of a step.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepToolCall {
    pub tool_call_id: String,
    pub tool_name: String,
    pub input: Option<Json>,
}

/// A tool's result.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepToolResult {
    pub tool_call_id: String,
    pub tool_name: String,
    pub output: Option<Json>,
}

/// What came of a call that failed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepToolError {
    pub tool_call_id: String,
    pub tool_name: String,
    pub error_text: String,
}

/// One finished model call with its tool outcomes, such as an AI SDK StepResult. Only these members are read: of a step
/// with lists these, unless its content holds what they do not say; otherwise its content.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub text: Option<Option<String>>,
    pub tool_calls: Option<Option<Vec<StepToolCall>>>,
    pub tool_results: Option<Option<Vec<StepToolResult>>>,
    /// The real text of failed calls.
    pub tool_errors: Option<Option<Vec<StepToolError>>>,
    /// Everything in its order.
    pub content: Option<Option<Vec<RunStepContent>>>,
    /// Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them.
    #[serde(rename = "experimental_steeringMessages")]
    pub steering_messages: Option<Option<Vec<RunStepMessage>>>,
    pub usage: Option<Json>,
}

/// What is said of a message besides its steps.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlushExtra {
    pub finish_reason: Option<String>,
    pub usage: Option<Option<StreamUsage>>,
    pub context_tokens: Option<u64>,
    pub max_context_tokens: Option<u64>,
    pub error: Option<String>,
}

/// A usage as providers' libraries give it; `outputTokenDetails.reasoningTokens` wins over `reasoningTokens`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamUsage {
    pub input_tokens: Option<u64>,
    pub output_tokens: Option<u64>,
    pub total_tokens: Option<u64>,
    pub reasoning_tokens: Option<u64>,
    pub output_token_details: Option<OutputTokenDetails>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputTokenDetails {
    pub reasoning_tokens: Option<u64>,
}

/// A part of an assistant's message as such hosts store it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum AssistantPart {
    Said(SaidPart),
    Tool(ToolOutcomePart),
    Dynamic(DynamicOutcomePart),
    /// Only of steps that were read by their content, as are the members below that may be absent.
    Kept(KeptPart),
    /// A user's message that joined the run (`data-steering`).
    Joined(DataPart),
}

/// What a model wrote or thought.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum SaidPart {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<PartState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
        /// What it rests on, as the AI SDK 7 lists it.
        #[serde(skip_serializing_if = "Option::is_none")]
        citations: Option<Vec<Json>>,
    },
    Reasoning {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<PartState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
}

/// A tool call with its outcome, or one that somebody is asked for.
#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ToolOutcomePart {
    OutputAvailable {
        r#type: ToolPartType,
        tool_call_id: String,
        input: Json,
        output: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        approval: Option<ToolApproval>,
    },
    OutputError {
        r#type: ToolPartType,
        tool_call_id: String,
        input: Json,
        error_text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        approval: Option<ToolApproval>,
    },
    OutputDenied {
        r#type: ToolPartType,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
    ApprovalRequested {
        r#type: ToolPartType,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
    ApprovalResponded {
        r#type: ToolPartType,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
}

/// The same of a tool that pages do not know.
#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum DynamicOutcomePart {
    OutputAvailable {
        r#type: DynamicToolType,
        tool_name: String,
        tool_call_id: String,
        input: Json,
        output: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        approval: Option<ToolApproval>,
    },
    OutputError {
        r#type: DynamicToolType,
        tool_name: String,
        tool_call_id: String,
        input: Json,
        error_text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        approval: Option<ToolApproval>,
    },
    OutputDenied {
        r#type: DynamicToolType,
        tool_name: String,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
    ApprovalRequested {
        r#type: DynamicToolType,
        tool_name: String,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
    ApprovalResponded {
        r#type: DynamicToolType,
        tool_name: String,
        tool_call_id: String,
        input: Json,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_executed: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        call_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result_provider_metadata: Option<ProviderMetadata>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tool_metadata: Option<BTreeMap<String, Json>>,
        approval: ToolApproval,
    },
}

/// The type of such a part.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DynamicToolType {
    DynamicTool,
}

/// That somebody is asked for a call, and what was said.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolApproval {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_automatic: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_schema_input: Option<Json>,
}

/// What else a step holds.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum KeptPart {
    StepStart,
    File {
        media_type: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    ReasoningFile {
        media_type: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    SourceUrl {
        source_id: String,
        url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    SourceDocument {
        source_id: String,
        media_type: String,
        title: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        filename: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
    Custom {
        kind: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        provider_metadata: Option<ProviderMetadata>,
    },
}

/// An entry of a message's trace. Calls as they come, then results; those of one step before those of the next.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum TraceEntry {
    Call(TraceCall),
    Result(TraceResult),
}

/// A call in the trace.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceCall {
    pub tool_name: String,
    pub input: Json,
}

/// A result in the trace.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceResult {
    pub tool_name: String,
    pub output: Json,
}

/// The metadata of an assistant's message that such a host stores.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssistantMetadata {
    pub parts: Vec<AssistantPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_context_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the row of an assistant's message is to hold.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssistantFlush {
    pub content: String,
    pub tool_calls: Option<Vec<TraceEntry>>,
    pub metadata: AssistantMetadata,
    pub status: MessageStatus,
}

/// A stored message, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatRow {
    pub id: Option<String>,
    pub role: String,
    pub content: Option<Option<String>>,
    pub metadata: Option<Json>,
    pub status: Option<Option<String>>,
    pub created_at: Option<Option<Moment>>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// How the end of a turn is to be written.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FinalizePlan {
    Update { id: String },
    Insert,
}

/// A part of a stream of the AI SDK, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamedPart {
    pub r#type: String,
    pub total_usage: Option<StreamUsage>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// What a JSON export holds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatDocument {
    pub chat_id: String,
    pub title: Option<String>,
    pub exported_at: Option<String>,
    pub rows: Vec<ChatRow>,
}

// ---- What the other functions take and give ------------------------------------------------------------------------

/// A language of exports.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lang {
    En,
    Ru,
}

/// A page that a person has open.
#[derive(Deserialize)]
pub struct PageRef {
    pub id: Option<Option<String>>,
    pub title: Option<Option<String>>,
    /// It is somebody else's: its title is content from outside, and taints the turn (`docs/taint.md`).
    pub untrusted: Option<bool>,
}

/// What the administrators wrote about a connected tool server.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct McpGuidance {
    pub server_name: String,
    pub tool_prefix: String,
    pub instructions: Option<Option<String>>,
}

/// What a model is asked for a title.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TitlePrompt {
    /// The system prompt.
    pub system: String,
    /// The user's message.
    pub prompt: String,
}

/// What is different about a step.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepOverride {
    pub tool_choice: NoTools,
    pub system: String,
}

/// No tools.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoTools {
    None,
}

/// A role's row, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleRow {
    pub name: Option<Option<String>>,
    pub model_config: Option<Json>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// The model that a role asks for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModelOverride {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_name: Option<String>,
}

/// How a recording is sent.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub enum AudioFormat {
    Taken(TakenAudio),
    Refused(RefusedAudio),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TakenAudio {
    pub ok: True,
    pub base_mime: String,
    pub format: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedAudio {
    pub ok: False,
}

/// What a call of a tool with effects is noted by.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolEffect {
    /// The call's name over all runs; the same whenever the call is made.
    pub key: String,
    /// The store's database; none where nothing is stored of the turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<EffectDatabase>,
}

/// A database that a store and its tools have in common.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectDatabase {
    Sqlite,
    Postgres,
}

/// How a client library writes the places of parameters: `?`, `$1` or `%s`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placeholders {
    Question,
    Dollar,
    Format,
}

/// A statement with its parameters.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectStatement {
    pub sql: String,
    pub params: Vec<Option<String>>,
}

/// Always true.
pub type True = bool;
/// Always false.
pub type False = bool;

/// Whether an address is allowed, and if not, why.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressVerdict {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An address as resolvers give it.
#[derive(Deserialize)]
pub struct ResolvedAddress {
    pub address: String,
    pub family: Option<u32>,
}

/// What a search has found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageHit {
    pub page_id: String,
    pub title: Option<Option<String>>,
    pub content: Option<Option<String>>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// A hit that the person may see.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShownHit {
    pub id: String,
    pub title: String,
    pub snippet: String,
}

/// How a text is split.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SplitOptions {
    /// No chunk is longer. 1000 unless given.
    pub chunk_size: Option<u64>,
    /// How much of a chunk's end the next one may repeat. 200 unless given.
    pub chunk_overlap: Option<u64>,
}

/// A message as models are told it, in any library's form.
#[derive(Serialize, Deserialize)]
pub struct ModelMessage {
    pub role: String,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}

/// How a history is trimmed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrimOptions {
    /// How many tokens, as estimated here. At least one.
    pub budget_tokens: u64,
    /// What the provider counted for the last call. When that is more than the estimate, estimates are raised.
    pub context_tokens: Option<u64>,
    /// How many of the newest turns are kept whatever they cost. At least one, and one unless given.
    pub keep_turns: Option<u64>,
}

/// What of a history is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrimmedHistory {
    /// As they were given.
    pub messages: Vec<ModelMessage>,
    /// Whether something was left out.
    pub trimmed: bool,
    pub estimated_tokens: u64,
}

/// A tool server's row, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct McpServer {
    pub id: String,
    pub name: String,
    /// `http` or `sse`.
    pub transport: String,
    pub url: String,
    pub enabled: Option<Option<bool>>,
    /// The tools that may be used; all of them when there is no list.
    pub tool_allowlist: Option<Option<Vec<String>>>,
    pub instructions: Option<Option<String>>,
    /// The headers in the clear.
    pub headers: Option<Option<BTreeMap<String, String>>>,
    /// The headers as they are stored.
    pub headers_enc: Option<Option<String>>,
    #[serde(flatten)]
    pub more: BTreeMap<String, Json>,
}
