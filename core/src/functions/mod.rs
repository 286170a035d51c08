//! The pure functions by their name in the contract, with JSON in and out, for bindings that pass text.
//!
//! Every function takes one JSON object whose members are its parameters; what is absent, or `null` where a parameter
//! may be left out, is what JavaScript calls `undefined`. The result is JSON text, or nothing for `undefined`.

mod effects;
mod export;
mod prompt;
mod security;
mod text;
mod turn;

pub use turn::compacted;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a function answers with: JSON text, or nothing where JavaScript has `undefined`.
type Answer = Result<Option<String>>;
type Function = fn(&str) -> Answer;

/// The functions: what each is called, takes and gives, and the function that does it. Only the names and the last count
/// here; `tools/surface` reads all of it. In parentheses parameters stand in their order, in braces hosts name them. What
/// the types look like to hosts is described in `tools/surface/src/shapes.rs`; of an answer, `Maybe` is one that may be
/// nothing, which is `undefined` in JavaScript.
macro_rules! functions {
    ($($(#[$attribute:meta])* $name:literal $parameters:tt -> [$($answer:tt)*] = $function:path;)*) => {
        /// The names of all functions.
        pub const NAMES: &[&str] = &[$($name),*];

        fn find(name: &str) -> Option<Function> {
            match name { $($name => Some($function),)* _ => None }
        }
    };
}

functions! {
    /// The row of an assistant message after these steps: the first one, one in between, or the last.
    "flushAssistant"(
        steps: Vec<Step>,
        /// The text of the step that has not finished.
        in_progress_text: String,
        status: MessageStatus,
        extra: Option<FlushExtra>,
    ) -> [AssistantFlush] = turn::flush;
    /// The parts of an assistant message. The fallback is its text when no step has one.
    "assistantParts"(steps: Option<Vec<Step>>, fallback_text: String) -> [Vec<AssistantPart>] = turn::parts;
    /// The trace of calls and results; null when there is none.
    "serializeSteps"(steps: Option<Vec<Step>>) -> [Option<Vec<TraceEntry>>] = turn::trace;
    /// The value itself when its JSON has at most 4000 bytes, or when it has none; else a copy with long strings, long
    /// arrays and deep objects cut short.
    "compactToolOutput"(value: Json) -> [Json] = turn::compact;
    /// A stored row as a message for pages. Of a row that the engine wrote also how it ended, as the stream tells it; of a
    /// user's its client's own metadata.
    "rowToUiMessage"(
        row: ChatRow,
        /// Which clients it is for: its parts are in the form that they take, and that their `convertToModelMessages` sends
        /// back. As they are stored unless given.
        protocol: Option<Protocol>,
    ) -> [ShownMessage] = turn::ui_message;
    /// For bindings whose host makes sentences of failures, where it makes none.
    #[doc(hidden)]
    "safeErrorText"(failure: RunFailure) -> [String] = turn::safe_text;
    /// How the end of a turn is to be written: an update of the row of this id, or a new row.
    "planFinalizeAssistant"(assistant_id: Option<String>) -> [FinalizePlan] = turn::plan;
    /// The sum of two usages; nothing when there is neither.
    "accumulateStepUsage"(acc: Option<Usage>, step: Option<Usage>) -> [Maybe<Usage>] = turn::accumulate;
    /// The four figures of a usage that are kept; nothing when there is no usage.
    "normalizeUsage"(usage: Option<StreamUsage>) -> [Maybe<Usage>] = turn::normalize;
    /// The message metadata that goes with a part of a stream: the chat's id at the start, usage at the end of a step or of
    /// all; nothing for other parts.
    "chatStreamMetadata"(
        part: StreamedPart,
        chat_id: String,
        cumulative_usage: Option<Usage>,
    ) -> [Maybe<StreamMetadata>] = turn::stream_metadata;
    /// A chat as Markdown.
    "buildChatMarkdown"{
        title: Option<String>,
        chat_id: String,
        rows: Vec<ChatRow>,
        /// A language tag; Russian for `ru…`, English otherwise.
        lang: Option<String>,
        /// Words of the host's own, in place of the language's.
        labels: Option<ExportLabels>,
        /// Now, unless given.
        exported_at: Option<Moment>,
    } -> [String] = export::markdown;
    /// A chat as a JSON document, which `parseChatJson` reads.
    "buildChatJson"{
        title: Option<String>,
        chat_id: String,
        rows: Vec<ChatRow>,
        /// Now, unless given.
        exported_at: Option<Moment>,
    } -> [String] = export::json;
    /// What a document of `buildChatJson` holds.
    "parseChatJson"(text: String) -> [ChatDocument] = export::parse;
    /// The language of exports for a language tag.
    "normalizeLang"(tag: Option<String>) -> [Lang] = prompt::normalize_lang;
    /// The system prompt: the persona and what goes with it, between two copies of the safety text.
    "buildSystemPrompt"{
        workspace_name: Option<String>,
        /// The persona for chats without a role.
        admin_prompt: Option<String>,
        role_instructions: Option<String>,
        /// The page that the person has open.
        opened_page: Option<PageRef>,
        /// Guidance for the tools of connected servers.
        mcp_instructions: Option<Vec<McpGuidance>>,
        /// What the product is called, for the default persona.
        product_name: Option<String>,
        /// Rules that join the safety text. Nothing replaces it.
        extra_rules: Option<Vec<String>>,
        /// What else the host has to say, between the two copies of the safety text.
        extra_system: Option<String>,
    } -> [String] = prompt::system_prompt;
    /// What the tool `getCurrentPage` tells a model of the page that the person has open; null where there is no id.
    "resolveCurrentPageResult"(opened_page: Option<PageRef>) -> [CurrentPage] = prompt::current_page;
    /// A chat title made of what a model wrote; null when nothing is left of it.
    "cleanChatTitle"(text: String) -> [Option<String>] = text::chat_title;
    /// What a model is asked for the title of a chat that begins with this text.
    "chatTitlePrompt"(text: String) -> [TitlePrompt] = prompt::chat_title;
    /// What a model is asked for the title of a page of this content.
    "pageTitlePrompt"(content: String) -> [TitlePrompt] = prompt::page_title;
    /// What is different about the last allowed step, which goes without tools; nothing for the others.
    "prepareAgentStep"(
        /// From 0.
        step_number: f64,
        system: String,
        /// 20 unless given.
        max_steps: Option<u32>,
    ) -> [Maybe<StepOverride>] = prompt::prepare_step;
    /// A page title made of what a model wrote.
    "cleanGeneratedTitle"(text: String) -> [String] = text::generated_title;
    /// A failure of a provider on one line.
    "describeProviderError"(
        /// Text, or an error or object of which `message`, `statusCode`, `responseBody` and `text` are read.
        err: Option<Json>,
        /// What is said where there is no message.
        fallback: Option<String>,
    ) -> [String] = text::describe;
    /// Whether asking the provider again is of no use.
    "isFatalProviderError"(
        /// As for `describeProviderError`.
        err: Option<Json>,
    ) -> [bool] = text::is_fatal;
    /// The model that a role asks for; nothing when it asks for none.
    "roleModelOverride"(role: Option<RoleRow>) -> [Maybe<ModelOverride>] = security::model_override;
    /// How a recording of this media type is sent; not `ok` for audio that is not on the list.
    "resolveAudioFormat"(mime: String) -> [AudioFormat] = security::audio_format;
    /// Whether a tool server may have this address.
    "isIpAllowed"(ip: String) -> [AddressVerdict] = security::ip_allowed;
    /// Whether a tool server may have all of these addresses. The reason names none of them.
    "validateResolvedAddresses"(addresses: Vec<ResolvedAddress>) -> [AddressVerdict] = security::resolved_addresses;
    /// The search hits that the person may see, the best one of each page.
    "selectAccessibleHits"(
        hits: Vec<PageHit>,
        accessible_page_ids: Set<String>,
        cap: f64,
    ) -> [Vec<ShownHit>] = text::select_hits;
    /// A name made of the characters that tool names may have.
    "sanitizeToolName"(value: String) -> [String] = security::sanitize;
    /// The prefix of the names of a server's tools.
    "toolNamePrefix"(server_name: String) -> [String] = security::prefix;
    /// A tool name, cut to the length that providers accept.
    "capToolName"(value: String) -> [String] = security::cap;
    /// A tool name that is not among those that are taken.
    "disambiguateToolName"(name: String, server_id: String, taken: Set<String>) -> [String] = security::disambiguate;
    /// The chunks of a text for embedding.
    "splitText"(text: String, options: Option<SplitOptions>) -> [Vec<String>] = text::split;
    /// Whether a model has fallen into repeating itself.
    "isDegenerateOutput"(text: String) -> [bool] = text::is_degenerate;
    /// The text without the repetitions at its end.
    "truncateDegenerateOutput"(text: String) -> [String] = text::truncate_degenerate;
    /// The text as databases take it: U+0000 and half a surrogate pair, which JavaScript's strings may hold, become U+FFFD.
    "storableText"(text: String) -> [String] = text::storable;
    /// The newest messages that fit into a budget.
    "trimHistory"(messages: Vec<ModelMessage>, options: TrimOptions) -> [TrimmedHistory] = text::trim;
    /// The source that a write of a page carries: the agent's once the agent has had a part in it.
    "resolveEditSource"(
        /// That of the edits which the write has gathered so far; none for its first.
        gathered: Option<EditSource>,
        /// That of the edit which joins them.
        edit: EditSource,
    ) -> [EditSource] = security::edit_source;
    /// Whether a page must be kept as a snapshot of its history before it is written: what is in no snapshot yet is a person's,
    /// and the write the agent's, or the other way round.
    "cutsSnapshot"(
        /// The source of the page's last write, as its row has it: `agent`, or any other word for a person.
        last_source: Option<String>,
        /// That of the write.
        source: EditSource,
        /// Whether the page has changes that are in no snapshot yet.
        pending: bool,
    ) -> [bool] = security::cuts_snapshot;
    /// What a tool with effects carries out in the transaction in which it changes something, once and before it commits: it
    /// notes there that the call has been done. The statement fails where the call was done before, was given up, or its run
    /// has ended; the transaction then has to be rolled back.
    "effectStatement"{
        /// What the call has come with.
        effect: ToolEffect,
        /// The call's output, which the model is told if the process ends before it can be told otherwise.
        result: Option<Json>,
        /// How the client library writes the places of parameters; as the database does unless given.
        placeholders: Option<Placeholders>,
        /// The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given.
        schema: Option<String>,
    } -> [EffectStatement] = effects::statement;
    /// A tool server without the values of its headers: their names only.
    "toView"(server: McpServer) -> [McpServerView] = security::to_view;
}

/// Calls `function`, one of [`NAMES`], with the members of the object `arguments` as its parameters.
///
/// # Errors
/// `INVALID_INPUT` with the field's path (`function` for an unknown name).
pub fn call(function: &str, arguments: &str) -> Answer {
    match find(function) {
        Some(function) => function(arguments),
        None => Err(Error::invalid("function", "there is no such function")),
    }
}

/// Reads a function's parameters.
fn arguments<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    if !text.trim_start().starts_with('{') {
        return Err(Error::invalid("arguments", "must be an object"));
    }
    crate::error::from_json(text, "arguments")
}

/// A result that is there.
fn answer<T: Serialize + ?Sized>(value: &T) -> Answer {
    serde_json::to_string(value)
        .map(Some)
        .map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}
