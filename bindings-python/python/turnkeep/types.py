"""The data that goes into the engine and comes out of it, as type checkers know it.

Dictionaries have the camelCase keys that all languages share.

Written by tools/surface from the description of the surface. Changes made here are overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Union


class Actor(TypedDict):
    """Who acts where rights matter, as the host says: the engine knows nobody's rights."""

    userId: str
    """The user."""
    isAdmin: bool
    """Whether they may manage the workspace's settings."""

ActorRule: TypeAlias = Literal["optional", "required"]
"""Whether operations on settings must say who acts.

``optional``: They may: where nobody acts, the host has looked who asks.

``required``: They must, so that nothing is open because it was forgotten.
"""


class _AddressVerdictRequired(TypedDict):
    ok: bool


class AddressVerdict(_AddressVerdictRequired, total=False):
    """Whether an address is allowed, and if not, why."""

    reason: str


class AgentRole(TypedDict):
    """A role as the administrators of its workspace see it."""

    id: str
    """Its id."""
    name: str
    """Its name, which no other role of the workspace has that is not deleted."""
    emoji: str | None
    """A sign for lists."""
    description: str | None
    """What it is for."""
    instructions: str
    """The persona of its chats."""
    modelConfig: RoleModelConfig | None
    """The model that it wants."""
    enabled: bool
    """Whether chats may be begun with it. A chat that has it goes on without it while it is disabled."""
    autoStart: bool
    """Whether a client sends the launch message by itself when a chat is begun with the role."""
    launchMessage: str | None
    """What a client sends to begin with."""
    createdAt: str
    """When it was created."""
    updatedAt: str
    """When it was last changed."""


class AgentRoleSummary(TypedDict):
    """A role as everybody in its workspace sees it: what it takes to choose one."""

    id: str
    """Its id."""
    name: str
    """Its name."""
    emoji: str | None
    """A sign for lists."""
    description: str | None
    """What it is for."""
    enabled: bool
    """Whether chats may be begun with it."""
    autoStart: bool
    """Whether a client sends the launch message by itself when a chat is begun with the role."""
    launchMessage: str | None
    """What a client sends to begin with."""


class _AllowRuleRequired(TypedDict):
    tool: str
    """The tool's name; or the beginning of names, with ``*`` behind it (``*`` alone: all tools)."""


class AllowRule(_AllowRuleRequired, total=False):
    """Calls that a tainted turn may make without being asked. All that the rule says has to fit."""

    arguments: Any
    """A JSON Schema that the call's arguments have to fit, as they have been checked against the tool's own; all
    arguments unless given.
    """
    origin: Sequence[str]
    """Where everything that the turn has read from outside may be from: ``server:NAME``, ``tool:NAME``,
    ``provider:NAME``, ``provider:sources``, ``page``. Anything else that it has read, and the rule does not
    count. From anywhere unless given.
    """


class Answered(TypedDict):
    """What has come of an answer."""

    runId: str
    """The run."""
    callId: str
    """The call."""
    waiting: int
    """How many calls of the run wait still; with none it goes on."""


class ApprovalPolicyWhen(TypedDict):
    when: Any
    """Those whose input fits this JSON Schema."""

ApprovalPolicy: TypeAlias = Union[Literal["never"], Literal["always"], ApprovalPolicyWhen]
"""Which calls of a tool somebody has to allow."""


class AssistantFlush(TypedDict):
    """What the row of an assistant's message is to hold."""

    content: str
    toolCalls: list[TraceEntry] | None
    metadata: AssistantMetadata
    status: MessageStatus


class _AssistantMetadataRequired(TypedDict):
    parts: list[AssistantPart]


class AssistantMetadata(_AssistantMetadataRequired, total=False):
    """The metadata of an assistant's message that such a host stores."""

    finishReason: str
    usage: Usage
    contextTokens: int
    maxContextTokens: int
    error: str


class BegunRun(TypedDict):
    """A run that the host drives."""

    runId: str
    """The run."""
    chatId: str
    """Its chat."""
    messageId: str
    """The assistant's message, whose row the engine writes."""
    repeated: bool
    """The run had been begun before, with the same idempotency key; it is not to be driven again."""


class BusySupersede(TypedDict):
    supersede: str

Busy: TypeAlias = Union[Literal["reject"], Literal["enqueue"], BusySupersede]
"""What to do when a chat is busy: refuse with ``A_RUN_ALREADY_ACTIVE``, wait until it is free, or stop the run
that is named and take its place.
"""

CallKind: TypeAlias = Literal["step", "publicStep", "title", "test", "embeddings", "transcription"]
"""What a provider was called for.

``step``: A step of a run.

``publicStep``: A step of a run for a visitor of public pages.

``title``: The title of a chat or of a page.

``test``: A try of what a workspace has configured for chats.

``embeddings``: Vectors.

``transcription``: A transcript.
"""


class CallOptions(TypedDict, total=False):
    """How a model is to answer. What is not set is left to the provider; what a provider does not know is left
    out. Numbers are sent as they were written.
    """

    maxOutputTokens: int
    """How many tokens the answer may have."""
    temperature: float
    """Randomness, from 0; what the highest is depends on the provider."""
    topP: float
    """Nucleus sampling, 0 to 1."""
    topK: float
    """Sampling from this many tokens only."""
    frequencyPenalty: float
    """Against tokens that were used often."""
    presencePenalty: float
    """Against tokens that were used at all."""
    stopSequences: Sequence[str]
    """Texts that end the answer."""
    seed: float
    """For answers that can be repeated, where the provider supports it."""
    responseFormat: ResponseFormat
    """What the answer has to look like."""
    providerOptions: Mapping[str, Any]
    """What only one provider knows, by the provider's name, as the AI SDK's ``providerOptions``."""

Capability: TypeAlias = Literal["chat", "embeddings", "stt"]
"""What can be tried out of a workspace's settings.

``chat``: A model answers.

``embeddings``: Texts get vectors.

``stt``: Recordings are transcribed.
"""


class Chat(TypedDict):
    """A row of ``ai_chats``."""

    id: str
    """Its id."""
    workspaceId: str
    """The workspace that it belongs to."""
    creatorId: str
    """Its owner."""
    title: str | None
    """Its title, once it has one."""
    roleId: str | None
    """The role that it was created with."""
    pageId: str | None
    """The page that was open when it was created."""
    createdAt: str
    """When it was created."""
    updatedAt: str
    """When it was last changed."""

ChatApiStyle: TypeAlias = Literal["openai-compatible", "openai"]
"""``openai-compatible``, or the official API."""


class _ChatDocumentRequired(TypedDict):
    chatId: str
    rows: Sequence[ChatRow]


class ChatDocument(_ChatDocumentRequired, total=False):
    """What a JSON export holds."""

    title: str
    exportedAt: str

ChatIds: TypeAlias = Literal["uuid", "any"]
"""Which ids chats may be called by.

``uuid``: UUIDs.

``any``: Whatever a client has made up, too: it stands for one chat of this user in this workspace, always the
same.
"""


class ChatOptions(TypedDict, total=False):
    """How chats are treated."""

    ids: ChatIds
    """Which ids they may be called by. Default ``"uuid"``."""
    unknownRole: UnknownRole
    """What becomes of one that is to be created with a role that is deleted, disabled or not there. A chat that
    has such a role goes on without it in any case. Default ``"refuse"``.
    """
    retentionMs: int
    """Chats that have not been changed for so long, in milliseconds, are removed for good. They are kept by
    default.
    """
    deletedRetentionMs: int
    """Chats that were deleted so long ago, in milliseconds, are removed for good. They are kept by default."""


class ChatPage(TypedDict):
    """A page of the list of chats."""

    items: list[ListedChat]
    """The chats, newest first."""
    nextCursor: str | None
    """For ``cursor``: what comes after these; ``None`` at the end of the list."""
    prevCursor: str | None
    """For ``beforeCursor``: what comes before these; ``None`` at the list's beginning."""

ChatRow: TypeAlias = Mapping[str, Any]
"""A stored message, as far as it is read. What is read of it: ``id?``, ``role``, ``content?``, ``metadata?``,
``status?``, ``createdAt?``.
"""


class ChunkHit(TypedDict):
    """A chunk that was found."""

    pageId: str
    """Its page."""
    spaceId: str | None
    """The space of its page."""
    title: str | None
    """The title of its page."""
    chunkIndex: int
    """Its number in the page."""
    start: int
    """Where it begins in the page's chunks put together, in UTF-16 units."""
    length: int
    """How long it is, in UTF-16 units."""
    content: str
    """The chunk, with the headings that lead to it."""
    snippet: str
    """Its beginning."""
    score: float
    """``1 / (60 + rank)`` for each ranking that it has a place in, added up."""
    model: str
    """The model of its vector."""
    dimensions: int
    """The dimensions of its vector."""

ClientRole: TypeAlias = Literal["system", "user", "assistant"]
"""Who a client says that wrote a message."""


class CurrentPage(TypedDict):
    """What a model is told of the page that the person has open."""

    page: CurrentPageRef | None


class CurrentPageRef(TypedDict):
    """A page with its title."""

    id: str
    title: str


class _DataPartRequired(TypedDict):
    type: str
    data: Any


class DataPart(_DataPartRequired, total=False):
    """A part for the client, which is kept and which no model is told."""

    id: str


class _DocmostAccessRequired(TypedDict):
    baseUrl: str
    """The server's address, with or without ``/api`` at its end. It must be a public one, or one that the option
    ``http.allowPrivate`` has.
    """


class DocmostAccess(_DocmostAccessRequired, total=False):
    """A Docmost server, and how a turn uses it."""

    token: str
    """The user's access token. Where it is not given it is asked for (``docmostTokens``). It is sent to
    ``baseUrl``, and kept nowhere: not for turns with ``offeredTools``, which others may drive.
    """
    tools: Sequence[str]
    """The names of the tools that the model has; unless given, all but those that change a part of a page.
    ``getCurrentPage`` it has in any case.
    """
    readOnly: bool
    """Only tools that change nothing. Default ``false``."""
    editInPlace: bool
    """Also the tools that change a part of a page. They read it as the server last saved it and replace it as a
    whole: what somebody types there in the same seconds is lost. Default ``false``.
    """


class DocmostOptions(TypedDict, total=False):
    """How Docmost servers are used."""

    requestTimeoutMs: int
    """How long a request may take. Default ``30000``."""
    maxResponseBytes: int
    """How many bytes an answer may have. A page that is larger cannot be read. Default ``4194304``."""

DocumentFormat: TypeAlias = Literal["markdown", "json"]
"""Which document a chat is exported as."""

DriverName: TypeAlias = Literal["openai", "openai-compatible", "gemini", "ollama", "anthropic"]
"""Which driver speaks to a provider."""

DynamicToolType: TypeAlias = Literal["dynamic-tool"]
"""The type of such a part."""

EditSource: TypeAlias = Literal["user", "agent"]
"""Who has edited.

``user``: A person.

``agent``: The agent of a chat.
"""

EffectDatabase: TypeAlias = Literal["sqlite", "postgres"]
"""A database that a store and its tools have in common."""


class EffectStatement(TypedDict):
    """A statement with its parameters."""

    sql: str
    params: list[str | None]

EndStatus: TypeAlias = Literal["succeeded", "failed", "aborted"]
"""How a run may end."""

EndedMessageStatus: TypeAlias = Literal["completed", "error", "aborted"]
"""How a message may end."""


class _EngineOptionsRequired(TypedDict):
    store: str
    """``sqlite:PATH``, ``sqlite::memory:`` or ``postgres://…``."""


class EngineOptions(_EngineOptionsRequired, total=False):
    """How an engine is opened."""

    instanceId: str
    """What this process is called in leases; every opening adds a unique part of its own. On PostgreSQL, what
    the same instance has left when it died is free as soon as it comes back.
    """
    appSecret: str
    """The secret that stored keys are sealed with. Without it no keys can be stored."""
    previousAppSecrets: Sequence[str]
    """Application secrets of before: what is sealed with them is read, and sealed anew with ``appSecret`` in the
    background.
    """
    secrets: SecretOptions
    """How keys are kept."""
    runs: RunLimits
    """Limits of runs."""
    providers: Providers
    """The providers, by name."""
    prompt: PromptOptions
    """What goes into every system prompt."""
    http: HttpOptions
    """How providers are reached."""
    mcp: McpOptions
    """How the tool servers of workspaces are used."""
    docmost: DocmostOptions
    """How Docmost servers are used, by turns that have them."""
    requests: RequestLimits
    """Limits of single requests."""
    generateChatTitles: bool
    """Name chats that have no name after their first turn has succeeded, whoever drove it, by a second request
    to the workspace's model. Default ``false``.
    """
    chats: ChatOptions
    """How chats are treated."""
    settings: SettingsOptions
    """Who may ask for workspaces' settings."""
    features: FeatureGates
    """What becomes of what a workspace has switched off: ``enforce``, ``strict`` or ``report``. Default
    ``"enforce"``.
    """
    limits: UsageLimits
    """What users and workspaces may use, counted in the store for all processes together."""
    prices: Prices
    """What models cost, by their ids: for budgets of money, and for reports."""
    usage: UsageOptions
    """How the ledger of calls to providers is kept."""
    errorText: ErrorText
    """In whose words pages are told why a run failed: ``safe``, or ``provider``. The outcome, the rows and the
    log have what the provider said in any case. Default ``"safe"``.
    """

ErrorText: TypeAlias = Literal["safe", "provider"]
"""In whose words pages are told why a run failed. The log, the rows and the outcome have the provider's in any
case.

``safe``: In a sentence of ours for each kind of failure.

``provider``: In those of the provider.
"""

ExistingRoles: TypeAlias = Literal["fail", "skip", "replace"]
"""What becomes of a new role whose name another role of the workspace has.

``fail``: Nothing is written: ``ROLE_NAME_TAKEN``.

``skip``: The role that is there stays as it is.

``replace``: The role that is there gets the fields of the new one, and keeps its id.
"""


class ExportLabels(TypedDict, total=False):
    """The words that a host may replace; what it leaves out stays in the export's language."""

    untitled: str
    """Title of a chat without one."""
    aiAgent: str
    """The model's name above its messages."""
    you: str
    """The person's name above theirs."""
    ranTool: str
    """What a tool without a label of its own is called; ``{name}`` stands for its name."""
    stillGenerating: str
    """The note under a message that is still being written."""
    tools: Mapping[str, str]
    """Labels of tools, by name."""

FailureKind: TypeAlias = Literal["authentication", "billing", "rate_limit", "context_overflow", "model_not_found", "overloaded", "unreachable", "connection_lost", "silence", "bad_response", "content_filter", "refused", "invalid_request", "limit", "internal"]
"""What kind of failure it is, in terms of what can be done about it.

``authentication``: The key is wrong, missing, or has no permission.

``billing``: The account has no credits left.

``rate_limit``: Too many requests for now.

``context_overflow``: The conversation is too long for the model.

``model_not_found``: There is no such model, or not for this account.

``overloaded``: The provider cannot answer at the moment.

``unreachable``: There is no way to the provider.

``connection_lost``: The connection broke off.

``silence``: The provider sent nothing for too long.

``bad_response``: The answer cannot be read, is not whole, or has nothing in it.

``content_filter``: The provider withheld the answer.

``refused``: The model would not answer.

``invalid_request``: The provider takes no such request.

``limit``: The answer passed one of the engine's limits.

``internal``: A bug of ours, or a store that refused a write for good.
"""


class _FallbackModelRequired(TypedDict):
    model: str
    """The model."""


class FallbackModel(_FallbackModelRequired, total=False):
    """A model that is asked when another one fails."""

    provider: ProviderChoice
    """Its provider: the name of a configured one or, in turns that bring their tools, settings. The turn's own
    unless given.
    """
    options: CallOptions
    """How it is to answer; what is not set is as its provider's settings say."""
    on: Sequence[FailureKind]
    """The kinds of failures in which it is asked: ``rate_limit``, ``overloaded``, ``unreachable``,
    ``connection_lost``, ``silence``, ``bad_response``, ``billing`` and ``model_not_found`` unless given.
    """

FeatureGates: TypeAlias = Literal["enforce", "strict", "report"]
"""What becomes of what a workspace has switched off: ``chat``, ``autonomousRuns`` and ``dictation``.

``enforce``: It is refused. What was never switched is on.

``strict``: It is refused. What was never switched is off, as in Docmost.

``report``: It is told to hosts, which look after it themselves. What was never switched is on.
"""


class FinalizePlanUpdate(TypedDict):
    kind: Literal["update"]
    id: str


class FinalizePlanInsert(TypedDict):
    kind: Literal["insert"]

FinalizePlan: TypeAlias = Union[FinalizePlanUpdate, FinalizePlanInsert]
"""How the end of a turn is to be written."""

FinishReason: TypeAlias = Literal["stop", "length", "content-filter", "tool-calls", "error", "interrupted", "withdrawn", "other"]
"""Why the model stopped, in the AI SDK's words.

``stop``: It was done.

``length``: It ran into the output limit.

``content-filter``: Its output was withheld.

``tool-calls``: It wants its tool calls answered.

``error``: The stream broke or carried an error.

``interrupted``: It was cut short by whoever drives the loop; a word of the AI SDK 7, which clients of version
6 are told as ``other``.

``withdrawn``: The answer broke off and was asked for again: the step is in the log and in no message. A word
of ours.

``other``: Something else, or nothing was said; ``unknown`` in the words of earlier versions.
"""


class FlushExtra(TypedDict, total=False):
    """What is said of a message besides its steps."""

    finishReason: str
    usage: StreamUsage | None
    contextTokens: int
    maxContextTokens: int
    error: str


class Follow(TypedDict):
    """A run to be followed by ``tail``, also when it has ended by then."""

    runId: str
    """The run."""
    messageId: str | None
    """The message that it writes."""
    cursor: str | None
    """Where to go on; ``None``: with the first chunk."""


class FoundMessage(TypedDict):
    """A message that was found."""

    chatId: str
    """Its chat."""
    chatTitle: str | None
    """The chat's title, once it has one."""
    messageId: str
    """The message."""
    role: MessageRole
    """Who wrote it."""
    snippet: str
    """One line of its text, around the first word that was found."""
    createdAt: str
    """When it was written."""


class GivenMessage(TypedDict):
    """A message of a history that the host keeps itself, as clients of the AI SDK have it."""

    role: MessageRole
    """Who wrote it: ``user`` or ``assistant``."""
    parts: Sequence[MessagePart]
    """Its parts."""


class Health(TypedDict):
    """How the engine is."""

    store: StoreHealth
    """Its store."""
    notifications: NotificationHealth
    """Whether other processes are heard at once or by polling."""
    activeRuns: int
    """Runs of this process, also those that wait for their chat."""


class HttpOptions(TypedDict, total=False):
    """How providers and tool servers are reached. Times are in milliseconds."""

    proxy: str
    """A proxy's URL, or ``environment`` for what ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` say. None
    otherwise: a proxy that somebody else put into the environment would see the traffic.
    """
    caFile: str
    """A file with certificates in PEM form that are trusted besides the machine's."""
    caPem: str
    """Such certificates themselves."""
    bundledRoots: bool
    """Trust the certificate authorities that come with turnkeep, besides the machine's. Where the machine has
    none (slim container images), they are trusted in any case. Default ``false``.
    """
    connectTimeoutMs: int
    """How long a connection may take to open. Default ``30000``."""
    keepAliveMs: int
    """How long an unused connection is kept. Shorter than what balancers allow, so that none is used that they
    have dropped. Default ``10000``.
    """
    maxTries: int
    """How often a request is sent at most, when it is refused or lost before the first byte of an answer.
    Default ``3``.
    """
    retryWaitMs: int
    """The wait before the second try of a request that a provider refused without saying when to come back; it
    doubles. After a lost connection it is a tenth of that. Default ``1500``.
    """
    allowPrivate: Sequence[str]
    """Hosts of private networks that workspaces may name in their settings: a name, an IP address or a network
    such as ``10.0.0.0/8``, with or without a port. Without them, settings lead to public addresses only. What
    the engine is opened with, and what a turn brings, may name any address.
    """
    userAgent: str
    """What requests say that they come from, in the header ``User-Agent``: some gateways account by it.
    ``turnkeep/`` and its version unless given.
    """


class IdempotentBy(TypedDict):
    By: str
    """It is, for calls that have the same value in this member of the input."""

Idempotent: TypeAlias = Union[Literal["No"], Literal["Yes"], IdempotentBy]
"""Whether doing something twice is as good as doing it once."""

ImportOutcome: TypeAlias = Literal["created", "replaced", "skipped"]
"""What an import has done with a role of its document.

``created``: There was none of its name.

``replaced``: The one that was there has its fields now.

``skipped``: The one that was there stays as it was.
"""


class ImportedRole(TypedDict):
    """A role of a document that was imported."""

    id: str
    """The role of this name that is there now."""
    name: str
    """Its name."""
    outcome: ImportOutcome
    """What was done."""

InProgress: TypeAlias = Literal["omit", "include"]
"""What becomes of the message that the run in progress writes.

``omit``: It is left out, and whoever follows the run is told all of it.

``include``: It is there with its finished steps, and the cursor is behind these.
"""

IndexOutcome: TypeAlias = Literal["indexed", "unchanged", "removed"]
"""What has become of a page.

``indexed``: Its chunks are in the place of those that were there.

``unchanged``: What is there was made of the same by the same model.

``removed``: It has no text, or lies in the trash: nothing of it is there any more.
"""


class IndexStatus(TypedDict):
    """What there is of a workspace in the index."""

    pages: int
    """How many pages."""
    chunks: int
    """How many chunks."""
    models: list[ModelIndex]
    """By which models their vectors are."""


class IndexedNow(TypedDict):
    """A page that was given."""

    outcome: IndexOutcome
    """What was done."""
    chunks: int
    """How many chunks of it there are now."""
    model: str | None
    """The model of their vectors; ````None```` where there are none."""
    dimensions: int | None
    """Their dimensions; ````None```` where there are none."""


class KeptPartStepStart(TypedDict):
    type: Literal["step-start"]


class _KeptPartFileRequired(TypedDict):
    type: Literal["file"]
    mediaType: str
    url: str


class KeptPartFile(_KeptPartFileRequired, total=False):
    filename: str
    providerMetadata: dict[str, Any]


class _KeptPartReasoningFileRequired(TypedDict):
    type: Literal["reasoning-file"]
    mediaType: str
    url: str


class KeptPartReasoningFile(_KeptPartReasoningFileRequired, total=False):
    providerMetadata: dict[str, Any]


class _KeptPartSourceUrlRequired(TypedDict):
    type: Literal["source-url"]
    sourceId: str
    url: str


class KeptPartSourceUrl(_KeptPartSourceUrlRequired, total=False):
    title: str
    providerMetadata: dict[str, Any]


class _KeptPartSourceDocumentRequired(TypedDict):
    type: Literal["source-document"]
    sourceId: str
    mediaType: str
    title: str


class KeptPartSourceDocument(_KeptPartSourceDocumentRequired, total=False):
    filename: str
    providerMetadata: dict[str, Any]


class _KeptPartCustomRequired(TypedDict):
    type: Literal["custom"]
    kind: str


class KeptPartCustom(_KeptPartCustomRequired, total=False):
    providerMetadata: dict[str, Any]

KeptPart: TypeAlias = Union[KeptPartStepStart, KeptPartFile, KeptPartReasoningFile, KeptPartSourceUrl, KeptPartSourceDocument, KeptPartCustom]
"""What else a step holds."""

Lang: TypeAlias = Literal["en", "ru"]
"""A language of exports."""


class ListedChat(TypedDict):
    """A chat as a list shows it."""

    id: str
    """Its id."""
    workspaceId: str
    """The workspace that it belongs to."""
    creatorId: str
    """Its owner."""
    title: str | None
    """Its title, once it has one."""
    roleId: str | None
    """The role that it was created with."""
    roleName: str | None
    """The role's name, while the role is in use."""
    roleEmoji: str | None
    """The role's emoji, while the role is in use."""
    pageId: str | None
    """The page that was open when it was created."""
    pageTitle: str | None
    """The page's title, where the database has the host's pages."""
    createdAt: str
    """When it was created."""
    updatedAt: str
    """When it was last changed."""


class _McpGuidanceRequired(TypedDict):
    serverName: str
    toolPrefix: str


class McpGuidance(_McpGuidanceRequired, total=False):
    """What the administrators wrote about a connected tool server."""

    instructions: str | None


class McpOptions(TypedDict, total=False):
    """How the tool servers of workspaces are used. Times are in milliseconds."""

    connectTimeoutMs: int
    """How long a server may take until its tools are known. A turn that asks for them begins as late as that, at
    most. Default ``5000``.
    """
    callTimeoutMs: int
    """How long a call may take. Default ``900000``."""
    silenceMs: int
    """How long a server may say nothing during a call. Default ``300000``."""
    keepMs: int
    """How long a connection, and the list of tools that came over it, serves a workspace's next turns. Default
    ``60000``.
    """
    deferAbove: int
    """If a turn's servers have more tools than this, the model is told a line of each instead of all of them,
    and asks for those that it needs (``loadTools``). All of them are told unless given.
    """
    maxResultBytes: int
    """How many bytes of a result are kept; of more, a note says how much is missing. Default ``1048576``."""
    programs: Mapping[str, McpProgram]
    """Programs that speak the protocol over their input and output, by names that workspaces may use
    (``transport`` ``stdio``). There are none unless they are listed here: what runs on this machine is for
    whoever runs it to say.
    """


class _McpProgramRequired(TypedDict):
    command: str
    """What is started."""


class McpProgram(_McpProgramRequired, total=False):
    """A program that is a tool server."""

    args: Sequence[str]
    """Its arguments."""
    env: Mapping[str, str]
    """Its environment, besides ``PATH``. Nothing else of this process's environment is given to it."""

McpServer: TypeAlias = Mapping[str, Any]
"""A tool server's row, as far as it is read. What is read of it: ``id``, ``name``, ``transport``, ``url``,
``enabled?``, ``toolAllowlist?``, ``instructions?``, ``headers?``, ``headersEnc?``.
"""


class McpServerView(TypedDict):
    """What clients may see."""

    id: str
    """Its id."""
    name: str
    """Its display name."""
    transport: str
    """``http`` or ``sse``."""
    url: str
    """Where it is, with what looks like a secret masked."""
    enabled: bool
    """Whether its tools are offered."""
    toolAllowlist: list[str] | None
    """The tools that may be used, or all."""
    hasHeaders: bool
    """Whether requests carry headers of the administrator's."""
    instructions: str | None
    """Guidance for the model."""
    headerNames: list[str]
    """The names of these headers, as far as they can be read."""


class _McpTestedRequired(TypedDict):
    ok: bool
    """Whether it answers."""


class McpTested(_McpTestedRequired, total=False):
    """What came of trying a tool server."""

    error: str
    """Why it does not, in one line."""
    tools: list[str]
    """Its tools, by its own names: those that a list of allowed tools may have."""
    leftOut: list[str]
    """Why others of its tools cannot be used."""

McpTransport: TypeAlias = Literal["http", "sse", "stdio"]
"""Which wire a tool server speaks.

``http``: Streamable HTTP.

``sse``: Server-sent events, as servers had them before that.

``stdio``: The lines of a program that whoever runs the server allows.
"""


class _MessageRequired(TypedDict):
    id: str
    chatId: str
    workspaceId: str
    """The workspace."""
    userId: str | None
    """Who wrote it, for a user's message."""
    role: MessageRole
    content: str
    """Its text."""
    toolCalls: list[Any] | None
    """The flat trace of its tool calls and results."""
    metadata: MessageMetadata | None
    status: MessageStatus | None
    """How far it has come. Null: written before statuses existed, completed."""
    createdAt: str
    updatedAt: str


class Message(_MessageRequired, total=False):
    """A message as it is stored."""

    errorText: str
    """What pages are told of its failure, where a host's function says it."""


class _MessageMetadataRequired(TypedDict):
    parts: list[MessagePart]


class MessageMetadata(_MessageMetadataRequired, total=False):
    """What a message's row says besides its text."""

    finishReason: str
    usage: Usage
    contextTokens: int
    """How full the context was."""
    maxContextTokens: int
    """How much it holds."""
    error: str
    failure: RunFailure
    historyLeftOut: bool
    """The model was not told of earlier messages of the chat."""
    reason: RunReason
    """Why its run did not succeed."""
    metadata: Any
    """The client's own, of a user's message."""
    stepsPersisted: int
    """How many steps of the log the row shows."""
    truncatedOutputs: dict[str, int]
    """The calls of whose outputs less is shown than there is, and how many bytes of JSON there are."""


class MessagePage(TypedDict):
    """A page of a chat's messages."""

    items: list[Message]
    """The messages, in the order that was asked for."""
    nextCursor: str | None
    """For ``cursor``: what comes after these; ``None`` at the end of the list."""
    prevCursor: str | None
    """For ``beforeCursor``: what comes before these; ``None`` at the list's beginning."""

MessagePart: TypeAlias = dict[str, Any]
"""A part of a stored message, in the AI SDK's shapes. What is always the same: ``type``."""

MessageRole: TypeAlias = Literal["user", "assistant"]

MessageStatus: TypeAlias = Literal["streaming", "completed", "error", "aborted"]


class MessageVersion(TypedDict):
    """One of the versions of a message."""

    current: bool
    """Whether it is the one that the chat has now."""
    message: Message
    """The message."""


class ModelIndex(TypedDict):
    """The vectors of one model."""

    model: str
    """The model."""
    dimensions: int
    """The dimensions of its vectors."""
    pages: int
    """How many pages have them."""
    chunks: int
    """How many chunks have them."""

ModelMessage: TypeAlias = dict[str, Any]
"""A message as models are told it, in any library's form. What is always the same: ``role``."""


class ModelOverride(TypedDict, total=False):
    """The model that a role asks for."""

    driver: str
    chatModel: str
    roleName: str


class _ModelPriceRequired(TypedDict):
    input: float
    """A million tokens of prompts."""
    output: float
    """A million tokens of answers, reasoning included."""


class ModelPrice(_ModelPriceRequired, total=False):
    """What a model costs, in whatever unit of money the host counts."""

    cachedInput: float
    """A million tokens of prompts that the provider had kept; as others unless given. Budgets count all of them
    as others.
    """

NoTools: TypeAlias = Literal["none"]
"""No tools."""


class NotIndexed(TypedDict):
    """Why a page of several could not be indexed. What was there of it is still there."""

    pageId: str
    """The page."""
    code: str
    """The code of its error."""
    message: str
    """What went wrong, in a line."""


class NotificationHealth(TypedDict):
    """What is known of the hints of a store."""

    state: NotificationState
    """Whether they arrive."""
    sent: int
    """Notifications that this process has sent, each about any number of runs."""
    heard: int
    """Notifications of other processes that have arrived."""

NotificationState: TypeAlias = Literal["live", "polling", "none"]
"""Whether hints arrive.

``live``: One of our own has arrived a moment ago.

``polling``: They do not arrive; everything is found by polling.

``none``: This store has none.
"""


class OpenChat(TypedDict):
    """A chat as it was at one moment."""

    messages: list[Message]
    """The messages, oldest first."""
    follow: Follow | None
    """The run that brings what is missing of them; ``None`` when the chat is free."""


class OutputTokenDetails(TypedDict, total=False):
    reasoningTokens: int

PageHit: TypeAlias = Mapping[str, Any]
"""What a search has found. What is read of it: ``pageId``, ``title?``, ``content?``."""


class PageRef(TypedDict, total=False):
    """A page that a person has open."""

    id: str | None
    title: str | None
    untrusted: bool
    """It is somebody else's: its title is content from outside, and taints the turn (``docs/taint.md``)."""


class _PageToIndexRequired(TypedDict):
    id: str
    """Its id: at most 255 bytes."""


class PageToIndex(_PageToIndexRequired, total=False):
    """A page as the host has it."""

    spaceId: str
    """The space that it is in: at most 255 bytes."""
    title: str
    """Its title, which stands above each of its chunks that are made of ``content``."""
    text: str
    """Its text, for pages without ``content``, or whose ``content`` has nodes that are not known."""
    content: Any
    """Its document, as ProseMirror and Tiptap write it: ``{"type": "doc", "content": […]}``."""
    trashed: bool
    """It lies in the trash: nothing of it is to be found. Default ``false``."""

PartState: TypeAlias = Literal["streaming", "done"]
"""Whether a part is whole."""


class PendingMigration(TypedDict):
    """A migration that opening a database would apply."""

    version: int
    name: str
    additions: list[str]
    """What it would add to the database as it is."""

Placeholders: TypeAlias = Literal["question", "dollar", "format"]
"""How a client library writes the places of parameters: ``?``, ``$1`` or ``%s``."""


class PromptOptions(TypedDict, total=False):
    """The host's share of the system prompt."""

    workspaceName: str
    """The workspace's name."""
    adminPrompt: str
    """The persona for chats without a role."""
    productName: str
    """What the product is called, for the default persona."""
    extraRules: Sequence[str]
    """Rules that join the safety text."""

Protocol: TypeAlias = Literal["ai-6", "ai-7"]
"""Which version of the AI SDK a client is of.

``ai-6``: ``ai`` 6, and whoever reads what ``ai`` 6 reads.

``ai-7``: ``ai`` 7, which takes back steps that are withdrawn, and knows of more that a step may hold.
"""


class Provenance(TypedDict):
    """What a claim says: an access is by the agent of this chat, on behalf of this user."""

    workspaceId: str
    """The workspace of the chat."""
    userId: str
    """The user whose chat it is."""
    chatId: str
    """The chat."""
    runId: str | None
    """The run, where the claim was signed for one."""
    expiresAt: str
    """From when on the claim is refused."""


class _ProviderConfigRequired(TypedDict):
    driver: DriverName
    """The driver: ``openai``, ``openai-compatible``, ``gemini``, ``ollama`` or ``anthropic``."""


class ProviderConfig(_ProviderConfigRequired, total=False):
    """Settings of one provider, given by the host at open or with a turn."""

    model: str
    """The model's id."""
    baseUrl: str
    """Where the API is, such as ``https://api.example.com/v1``; the provider's own place when it is empty. User
    and password in it are sent as basic authentication, in the place of a key that would go in the same
    header.
    """
    apiKey: str
    """The key. It is sent to ``baseUrl`` and appears nowhere else."""
    contextWindow: int
    """How many tokens the model's context holds."""
    options: CallOptions
    """How the model is to answer."""


class _PublicTurnRequired(TypedDict):
    enabled: bool
    """Whether the workspace has an assistant on its public pages."""
    shareId: str
    """The share that the visitor has named."""
    pageId: str
    """The page that the visitor has named."""
    sharingAllowed: bool
    """Whether workspace and space allow sharing."""
    messages: Sequence[MessagePart]
    """The conversation as the visitor's client has sent it: at most 30 messages of texts, each of at most 8,000
    characters. The last one that counts must be the visitor's.
    """


class PublicTurn(_PublicTurnRequired, total=False):
    """A turn for a visitor of public pages. What the host says of the page decides first, in the order of these
    members, and always with the same ``NOT_FOUND``; then whether somebody can answer (``AI_NOT_CONFIGURED``),
    whether there are tokens and requests left (``BUDGET_EXHAUSTED``, ``RATE_LIMITED``), and last what the
    visitor has written.
    """

    page: PageRef
    """The page as the host has found it, if visitors may read it in that share."""
    shareTitle: str
    """What the shared pages are called."""


class Purged(TypedDict):
    """What became of a chat that was removed for good."""

    scrubbed: bool
    """Whether what it had left in the SQLite file has been overwritten, too. It is not while somebody reads an
    older state of the file, or where there is no room to write it anew; a later purge, of any chat, does it.
    On PostgreSQL, where the server reuses the space by itself, always true.
    """


class RefusedAudio(TypedDict):
    ok: Literal[False]


class Reindexed(TypedDict):
    """What has become of several pages."""

    indexed: int
    """How many were indexed."""
    unchanged: int
    """How many were unchanged."""
    removed: int
    """How many have no text or lie in the trash."""
    chunks: int
    """How many chunks were written."""
    failed: list[NotIndexed]
    """Those that could not be indexed."""


class RemovedChunks(TypedDict):
    """What was removed from the index."""

    chunks: int
    """How many chunks."""


class RequestLimits(TypedDict, total=False):
    """How long requests outside of runs may take, in milliseconds."""

    embeddingTimeoutMs: int
    """All requests of one call for embeddings together. Default ``120000``."""
    transcriptionTimeoutMs: int
    """A transcript. Default ``300000``."""
    titleTimeoutMs: int
    """A title. Default ``60000``."""
    testTimeoutMs: int
    """A test of the chat settings. Default ``30000``."""
    pageCheckTimeoutMs: int
    """The host's check of a page that a user has open; when it takes longer there is no page. Default ``10000``."""


class _ResolvedAddressRequired(TypedDict):
    address: str


class ResolvedAddress(_ResolvedAddressRequired, total=False):
    """An address as resolvers give it."""

    family: int


class ResponseFormat(TypedDict, total=False):
    """What an answer has to look like. Without a schema it is any JSON."""

    schema: Any
    """Its JSON Schema."""
    name: str
    """What it is called."""
    description: str
    """What it is for."""

RoleDriver: TypeAlias = Literal["openai", "gemini", "ollama"]
"""The drivers that a role may name.

``openai``: OpenAI, or whatever speaks its protocol.

``gemini``: Gemini.

``ollama``: Ollama.
"""


class RoleModelConfig(TypedDict, total=False):
    """The model that a role's chats get, in place of the workspace's."""

    driver: RoleDriver
    chatModel: str
    """At most 200 characters."""

RoleRow: TypeAlias = Mapping[str, Any]
"""A role's row, as far as it is read. What is read of it: ``name?``, ``modelConfig?``."""


class _RunRequired(TypedDict):
    id: str
    """Its id."""
    chatId: str
    """The chat that it belongs to."""
    workspaceId: str
    """The workspace that it belongs to."""
    createdBy: str
    """Who began it."""
    trigger: Trigger
    """What began it."""
    status: RunStatus
    """Where it is."""
    reason: RunReason | None
    """Why it did not succeed."""
    error: str | None
    """The error in one line, when it failed."""
    failure: RunFailure | None
    """What kind of failure it was, when that is known."""
    stepCount: int
    """Steps in the log. The last one of a run that failed or was aborted may have been cut off."""
    stopRequestedAt: str | None
    """When a stop was asked for."""
    assistantMessageId: str | None
    """The message that shows it."""
    createdAt: str
    """When it was begun."""
    startedAt: str | None
    """When a process took it up."""
    finishedAt: str | None
    """When it settled."""
    updatedAt: str
    """When it was last written."""


class Run(_RunRequired, total=False):
    """A row of ``ai_chat_runs``, without what only the engine needs (owner, epoch, lease)."""

    waitingFor: list[WaitingCall]
    """What a run waits for whose status is ``waiting``."""


class RunBudget(TypedDict, total=False):
    """What a turn may spend; what is not set is not limited. The last call may go beyond it."""

    tokens: int
    """Tokens of all its calls, prompts included. Where a provider does not count, answers are estimated."""
    calls: int
    """Calls of the model, the last of which is text only."""
    timeMs: int
    """How long it may take, in milliseconds."""
    cost: float
    """How much money, in the unit of the option ``prices``, which must have the model that answers."""


class _RunFailureRequired(TypedDict):
    kind: FailureKind
    """What kind it is. A row may have one of another version's."""
    retryable: bool
    """Whether the same turn may well succeed a little later."""
    message: str
    """One line for people."""


class RunFailure(_RunFailureRequired, total=False):
    """A failure as outcomes, messages and streams carry it."""

    statusCode: int
    """The HTTP status, or the one that an error inside of an answer stands for."""


class RunLimits(TypedDict, total=False):
    """Limits of runs. Times are in milliseconds."""

    maxSteps: int
    """Model calls in a turn, the last of which is text only. Default ``20``."""
    leaseMs: int
    """How long a run stays its owner's without a sign of life; renewed at a third of it. Default ``15000``."""
    providerSilenceMs: int
    """How long a provider may send nothing of its answer. Frames that carry none of it do not count. Default
    ``900000``.
    """
    firstChunkMs: int
    """The same until the first piece of an answer, where that is to be different."""
    stepTimeoutMs: int
    """How long a step may take, with its tools; a run that takes longer is aborted with what it has."""
    stepRetries: int
    """How often a step is asked for again whose answer broke off: the connection was lost, the provider had too
    much to do or fell silent. What had streamed of it is withdrawn. At most 10. Default ``1``.
    """
    runTimeoutMs: int
    """How long a run may take."""
    degenerationGuard: bool
    """Abort a run whose model's output goes round in circles. Default ``true``."""
    toolTimeoutMs: int
    """How long a tool may take that does not say so itself. Default ``900000``."""
    maxAnswerBytes: int
    """How many bytes one answer may have: its text, reasoning, files and the inputs of its calls. Default
    ``33554432``.
    """
    maxCallsPerStep: int
    """How many tool calls one answer may have. Default ``256``."""
    maxParallelCalls: int
    """How many of a step's calls run at once. Default ``32``."""
    inputCheckMs: int
    """How long the input of a call may be checked against its schema. Default ``2000``."""
    historyMessages: int
    """How many of a chat's newest messages a model is told, at most; at least 1. Default ``100``."""
    unknownMembers: UnknownMembers
    """What becomes of members of a tool's input that its schema does not allow, where the tool does not say.
    Default ``"strip"``.
    """
    shownOutputBytes: int
    """How many bytes of a tool's output pages are shown, where the tool does not say. Default ``262144``."""
    stopPollMs: int
    """How often stops from other processes are looked for. Default ``250``."""
    tailPollMs: int
    """How often the log of a run of another process is looked at while somebody follows it. Default ``100``."""
    chunkRetentionMs: int
    """How long the streamed chunks of a settled run are kept for readers that come back. Its steps stay. Default
    ``600000``.
    """
    supersedeTimeoutMs: int
    """How long a run that is to be superseded may take to settle. Default ``30000``."""
    refreshEveryStep: bool
    """Bring the message row up to date at every step, for hosts that read the table by themselves while a run
    goes on. Otherwise that is done about once a second while the row is small, and then at the end. Default
    ``false``.
    """
    maxOfferedRuns: int
    """How many runs of others an engine that offers tools drives at a time. Default ``64``."""
    storePatienceMs: int
    """For how long a write is attempted again while the store cannot be reached; then the run ends here. What
    can never succeed ends it at once. Default ``600000``.
    """
    stopDeadlineMs: int
    """How long a host's own loop may take to finish a run that was asked to stop; then the engine settles it.
    Defaults to two leases.
    """
    hostedSilenceMs: int
    """How long a host's own loop may record nothing; then its run is aborted as ``timeout``. Unlimited by
    default.
    """
    maxWaitingPerChat: int
    """How many turns of one chat may wait for it. Default ``20``."""
    maxWaitingPerUser: int
    """How many turns of one user may wait, in all chats. Default ``200``."""
    maxSteering: int
    """How many messages may wait for a run that they are to join. Default ``20``."""
    taint: TaintMode
    """What becomes of calls that change something once their turn has read content from outside (results of
    tools that are ``untrusted``, of tool servers, and of tools that a provider runs): ``off``, ``ask``
    (recommended) or ``refuse``. Default ``"off"``.
    """


class _RunOutcomeRequired(TypedDict):
    runId: str
    """The run."""
    chatId: str
    """Its chat."""
    messageId: str
    """The assistant's message."""
    status: EndStatus
    """``succeeded``, ``failed`` or ``aborted``."""
    reason: RunReason | None
    """Why it did not succeed."""
    error: str | None
    """The error in one line, when it failed."""
    failure: RunFailure | None
    """What kind of failure it was, when it failed."""
    finishReason: FinishReason | None
    """The last step's finish reason."""
    usage: Usage | None
    """Tokens of all steps."""
    stepCount: int
    """Steps in the log. The last one of a run that failed or was aborted may have been cut off."""


class RunOutcome(_RunOutcomeRequired, total=False):
    """How a turn ended. It is given out only after it is on disk."""

    warnings: list[RunWarning]
    """What went wrong beside it, where that is known: only whoever drives a run knows it."""

RunReason: TypeAlias = Literal["stopped", "superseded", "disconnected", "worker_lost", "shutdown", "timeout", "budget", "degenerate", "provider_error", "internal"]
"""Why a run did not succeed.

``stopped``: Somebody asked it to stop.

``superseded``: Another run took its place.

``disconnected``: Its client went away and it was not detached.

``worker_lost``: The process that ran it died or lost its lease.

``shutdown``: The engine was closed.

``timeout``: A time limit ran out.

``budget``: A budget was spent.

``degenerate``: The model's output had fallen into a loop.

``provider_error``: The provider refused or failed.

``internal``: A bug of ours, or a store that refused a write for good.
"""


class _RunRequestRequired(TypedDict):
    workspaceId: str
    """The workspace."""
    userId: str
    """The user."""


class RunRequest(_RunRequestRequired, total=False):
    """What a run of a host is begun with."""

    chatId: str
    """The chat; it is created when there is none of this id, and when no id is given."""
    message: MessageInput
    """What the user wrote; nothing when the host has stored that itself."""
    roleId: str
    """The role of a chat that is created."""
    openPage: PageRef
    """The page that the user has open: what a client says of it where the engine has the host's check of pages,
    else resolved by the host.
    """
    trigger: Trigger
    """What begins the run. Default ``"api"``."""
    messageId: str
    """The message that is to be answered anew, or in the place of which the user has written; see
    ``TurnRequest``.
    """
    busy: Busy
    """What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop later.
    Default ``"reject"``.
    """
    idempotencyKey: str
    """A second begin of the same user with the same key begins nothing."""

RunSignal: TypeAlias = Literal["stopped", "superseded", "shutdown", "lease_lost", "settled"]
"""Why a host is to end its loop.

``stopped``: Somebody asked the run to stop: cancel what is under way and finish it as ``aborted``.

``superseded``: Another run is to take its place: as ``Stopped``.

``shutdown``: The engine is closing. The run is settled without the host.

``lease_lost``: The run is another process's; nothing more can be written.

``settled``: The run has ended.
"""

RunStatus: TypeAlias = Literal["pending", "running", "waiting", "succeeded", "failed", "aborted"]
"""Where a run is in its life. Only the last three are final.

``pending``: Waiting for its turn or for a worker.

``running``: Owned by a process.

``waiting``: Waiting for somebody's answer, as nobody's: there is no process, task or lease.

``succeeded``: Ended as it should.

``failed``: Ended by an error.

``aborted``: Ended from outside.
"""


class RunStep(TypedDict, total=False):
    """A finished step of a host's loop: the AI SDK's step result. Its ``content`` is taken where there is one;
    otherwise reasoning, text, calls, files and sources. What of it cannot be kept is refused, with its place.
    """

    number: int
    """Its place in the run, from 0; the next one unless given. Recording a step again changes nothing."""
    content: Sequence[RunStepContent]
    """Everything in its order."""
    reasoningText: str
    """What the model thought."""
    text: str
    """What it wrote."""
    toolCalls: Sequence[RunStepCall]
    """What it called."""
    toolResults: Sequence[RunStepResult]
    """What came back. An outcome of a call of another step has to name its tool, and is kept with this one."""
    toolErrors: Sequence[RunStepError]
    """What failed."""
    files: Sequence[RunStepFile]
    """Files that the model made."""
    sources: Sequence[RunStepContent]
    """What the answer rests on, each as an entry of ``content`` would be."""
    experimental_steeringMessages: Sequence[RunStepMessage]
    """Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them."""
    finishReason: FinishReason
    """Why the model stopped."""
    usage: Usage
    """The provider's count for this call."""


class _RunStepCallRequired(TypedDict):
    toolCallId: str
    """Pairs the call with its outcome."""
    toolName: str
    """The tool."""


class RunStepCall(_RunStepCallRequired, total=False):
    """A tool call of a step."""

    input: Any
    """The arguments."""
    providerExecuted: bool
    """The provider runs the tool itself."""
    dynamic: bool
    """The tool is not one of those that pages know."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool."""
    providerMetadata: Any
    """What the provider wants to see again."""


class _RunStepContentRequired(TypedDict):
    type: RunStepContentType


class RunStepContent(_RunStepContentRequired, total=False):
    """One entry of a step's content."""

    text: str
    """Of text and reasoning."""
    citations: Any
    """What a text rests on."""
    toolCallId: str
    """Of calls and their outcomes."""
    toolName: str
    """The tool."""
    input: Any
    """The arguments."""
    output: Any
    """What the tool returned."""
    error: Any
    """Why the tool failed: a text, or an object with a ``message``."""
    preliminary: bool
    """Another output of the call follows."""
    providerExecuted: bool
    """The provider runs the tool itself."""
    dynamic: bool
    """The tool is not one of those that pages know."""
    title: str
    """How pages are to call the tool; of a source, its title."""
    toolMetadata: Any
    """What the host has noted of the tool."""
    approvalId: str
    """Of a question whether a call may be made, and of its answer."""
    toolCall: RunStepCall
    """The call that is asked for, or was."""
    approved: bool
    """The answer."""
    reason: str
    """Why it is asked, or why it was answered so."""
    isAutomatic: bool
    """The loop's own rules answer."""
    signature: str
    """What binds the question to its call."""
    inputSchemaInput: Any
    """The input before the loop has refined it."""
    sourceType: str
    """Of a source: ``url`` or ``document``."""
    id: str
    """Of a source."""
    url: str
    """Where a source is, or a file."""
    mediaType: str
    """Of a document or a file."""
    filename: str
    """Of a document or a file."""
    file: RunStepFile
    """Of a file that the model made."""
    kind: str
    """What a custom entry is: its provider, a dot, and the provider's word."""
    providerMetadata: Any
    """What the provider wants to see again."""

RunStepContentType: TypeAlias = Literal["text", "reasoning", "source", "source-url", "source-document", "file", "reasoning-file", "custom", "tool-call", "tool-result", "tool-error", "tool-output-denied", "tool-approval-request", "tool-approval-response"]
"""What an entry of a step's content is.

``text``: What the model wrote.

``reasoning``: What it thought.

``source``: What the answer rests on.

``source-url``: The same as pages have it.

``source-document``: The same as pages have it.

``file``: A file that the model made.

``reasoning-file``: A file that it made while it was thinking. This and what follows, but for calls, is of the
AI SDK 7.

``custom``: What only its provider knows.

``tool-call``: A call.

``tool-result``: What a call returned.

``tool-error``: Why it failed.

``tool-output-denied``: It was denied.

``tool-approval-request``: Somebody is asked whether a call may be made.

``tool-approval-response``: What they said.
"""


class _RunStepErrorRequired(TypedDict):
    toolCallId: str
    """The call that failed."""


class RunStepError(_RunStepErrorRequired, total=False):
    """A tool's failure: a text, or an object with a ``message``."""

    toolName: str
    """The tool; needed when the call is not of this step."""
    input: Any
    """The arguments of a call that is not of this step."""
    error: Any
    """Why, as the tool said it."""
    errorText: str
    """Why, as the model was told."""


class RunStepFile(TypedDict, total=False):
    """A file that the model made."""

    mediaType: str
    """Its media type."""
    base64: str
    """What is in it, unless ``url`` says where it is."""
    url: str
    """Its URL or data URL."""
    filename: str
    """Its name."""
    providerMetadata: Any
    """What the provider wants to see again."""


class RunStepMessage(TypedDict):
    """A user's message."""

    content: RunStepMessageContent
    """What the user says: a text, or texts, images and files."""


class _RunStepMessagePartRequired(TypedDict):
    type: RunStepMessagePartType


class RunStepMessagePart(_RunStepMessagePartRequired, total=False):
    """Text, an image or a file."""

    text: str
    """Of text."""
    image: Any
    """An image: a URL, or what is in it as base64."""
    data: Any
    """A file: a URL, what is in it as base64, or either as the AI SDK 7 tags it."""
    mediaType: str
    """What kind of file it is."""
    filename: str
    """Its name."""
    providerOptions: Any
    """What providers are to be told with it."""

RunStepMessagePartType: TypeAlias = Literal["text", "image", "file"]
"""What a part of a message is.

``text``: Text.

``image``: An image.

``file``: Any other file, or an image as well.
"""


class _RunStepResultRequired(TypedDict):
    toolCallId: str
    """The call that it answers."""


class RunStepResult(_RunStepResultRequired, total=False):
    """A tool's result."""

    toolName: str
    """The tool; needed when the call is not of this step."""
    input: Any
    """The arguments of a call that is not of this step."""
    output: Any
    """What the tool returned."""
    providerExecuted: bool
    """The provider runs the tool itself."""
    dynamic: bool
    """The tool is not one of those that pages know."""
    providerMetadata: Any
    """What the provider wants to see again."""


class RunWarning(TypedDict):
    """Something that went wrong beside a turn, which went on without it."""

    code: WarningCode
    """What."""
    server: str
    """The tool server, as its administrators call it."""
    message: str
    """In one line, what is known of it."""


class SearchAnswer(TypedDict):
    """What was found."""

    mode: SearchMode
    """By what."""
    hits: list[ChunkHit]
    """The chunks, best first."""

SearchMode: TypeAlias = Literal["hybrid", "text"]
"""By what pages are found.

``hybrid``: By meaning and by words.

``text``: By words alone.
"""

SecretForm: TypeAlias = Literal["legacy", "current"]
"""In which form secrets are sealed.

``legacy``: That of the system before, which it can read, and which is bound to no record.

``current``: Ours: bound to its record, and to the application secret by name.
"""


class SecretOptions(TypedDict, total=False):
    """How keys are kept."""

    write: SecretForm
    """The form in which keys are written: ``legacy``, which the system before reads, or ``current``. Defaults to
    ``legacy`` on a database of that system, and to ``current`` elsewhere. Both are read; on a database of
    turnkeep's own the old form, which is bound to no record, only with ``legacy``.
    """
    bindToAddress: bool
    """Send a stored key nowhere but to the address that was set when it was entered: whoever changes the address
    enters the key anew. ``false`` is for hosts whose workspaces' administrators are trusted with the keys
    themselves. Default ``true``.
    """


class SecretRotation(TypedDict):
    """What a rotation came to."""

    resealed: int
    """Secrets that were sealed anew, or would be in a dry run."""
    unreadable: int
    """Secrets that none of the application secrets opens. They stay as they are; people have to enter them
    again.
    """


class SettingsOptions(TypedDict, total=False):
    """Who may ask for workspaces' settings."""

    actor: ActorRule
    """Whether ``settings.get``, ``.update`` and ``.test`` must say who acts. Whoever is said to act must be an
    administrator in any case. Default ``"optional"``.
    """


class SettingsPatch(TypedDict, total=False):
    """A change of settings. What is absent stays; ``None`` takes a setting away. Keys are those of the driver
    that is set: ``""`` clears one, ``None`` leaves it.
    """

    driver: DriverName | None
    chatModel: str | None
    chatContextWindow: int | None
    """Tokens that the model's context holds."""
    chatApiStyle: ChatApiStyle | None
    """``openai-compatible`` where there is a base URL, unless set."""
    baseUrl: str | None
    embeddingModel: str | None
    embeddingBaseUrl: str | None
    """``baseUrl`` unless set."""
    sttModel: str | None
    sttBaseUrl: str | None
    """``baseUrl`` unless set."""
    sttApiStyle: SttApiStyle | None
    sttLanguage: str | None
    systemPrompt: str | None
    """The persona for chats without a role."""
    publicShareChatModel: str | None
    publicShareAssistantRoleId: str | None
    apiKey: str | None
    embeddingApiKey: str | None
    sttApiKey: str | None
    features: WorkspaceFeaturesPatch


class _SettingsTestRequired(TypedDict):
    ok: bool
    """Whether it works."""


class SettingsTest(_SettingsTestRequired, total=False):
    """What came of trying."""

    error: str
    """Why it does not, in one line."""


class ShownHit(TypedDict):
    """A hit that the person may see."""

    id: str
    title: str
    snippet: str


class _ShownMessageRequired(TypedDict):
    id: str
    role: MessageRole
    parts: list[MessagePart]


class ShownMessage(_ShownMessageRequired, total=False):
    """A message as pages show it."""

    metadata: ShownMetadata

ShownMetadata: TypeAlias = dict[str, Any]
"""How the stream told that a message ended, or a client's own metadata. What is always the same: ``chatId?``,
``runId?``, ``usage?``, ``failure?``, ``status?``, ``reason?``, ``error?``, ``truncatedOutputs?``,
``finishReason?``.
"""


class SignedProvenance(TypedDict):
    """A signed claim."""

    token: str
    """A JSON Web Token (HS256), to be sent along with what the agent does."""
    expiresAt: str
    """From when on it is refused."""


class SplitOptions(TypedDict, total=False):
    """How a text is split."""

    chunkSize: int
    """No chunk is longer. 1000 unless given."""
    chunkOverlap: int
    """How much of a chunk's end the next one may repeat. 200 unless given."""


class Stateless(TypedDict, total=False):
    """How a turn is that is not stored."""

    persona: str
    """The persona, whatever ``roleId`` says: that then gives the model only. At most 20,000 characters."""
    public: PublicTurn
    """The turn is for a visitor of public pages."""


class StatelessRun(TypedDict):
    """What is kept of a turn that is not stored: whose it was, and how it ended."""

    id: str
    """Its id."""
    workspaceId: str
    """The workspace that it belongs to."""
    createdBy: str
    """Who began it."""
    status: RunStatus
    """Where it is."""
    reason: RunReason | None
    """Why it did not succeed."""
    error: str | None
    """The error in one line, when it failed."""
    stepCount: int
    """How many steps it had."""
    stopRequestedAt: str | None
    """When a stop was asked for."""
    createdAt: str
    """When it was begun."""
    finishedAt: str | None
    """When it ended."""


class SteerAnswer(TypedDict):
    """That a message was accepted."""

    messageId: str
    """Its id."""
    place: SteeringPlace
    """Where it will be."""
    state: SteeringState
    """What has become of it so far."""


class _SteeringRequired(TypedDict):
    messageId: str
    """Its id: the client's own, or one that is made of it."""
    runId: str
    """The run that it was for."""
    chatId: str
    """The chat."""
    state: SteeringState
    """What has become of it."""
    message: Any
    """The user's message: ``{"parts": [...], "metadata"?}``."""
    createdAt: str
    """When it was accepted."""


class Steering(_SteeringRequired, total=False):
    """A message that was to join a run."""

    step: int
    """The step before whose answer it has entered."""

SteeringPlace: TypeAlias = Literal["this_run", "next_turn", "nowhere"]
"""Where a message that was accepted will be, as far as that is known when it is acknowledged.

``this_run``: In its run: before the answer of the next step, unless the run ends before that.

``next_turn``: In the chat's next turn: the run has ended, or is to stop.

``nowhere``: Nowhere: it was taken back.
"""

SteeringState: TypeAlias = Literal["waiting", "entered", "next_turn", "taken_back"]
"""What has become of a message that was to join a run.

``waiting``: It waits: for the next step of its run, or for the chat's next turn once that run has ended.

``entered``: It is in the log of its run, before the model's answer of ``step``.

``next_turn``: Its run had ended: it is a message of the chat now, of the turn that came next.

``taken_back``: It was taken back before any of that.
"""


class Step(TypedDict, total=False):
    """One finished model call with its tool outcomes, such as an AI SDK StepResult. Only these members are read:
    of a step with lists these, unless its content holds what they do not say; otherwise its content.
    """

    text: str | None
    toolCalls: Sequence[StepToolCall] | None
    toolResults: Sequence[StepToolResult] | None
    toolErrors: Sequence[StepToolError] | None
    """The real text of failed calls."""
    content: Sequence[RunStepContent] | None
    """Everything in its order."""
    experimental_steeringMessages: Sequence[RunStepMessage] | None
    """Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them."""
    usage: Any


class StepOverride(TypedDict):
    """What is different about a step."""

    toolChoice: NoTools
    system: str


class _StepToolCallRequired(TypedDict):
    toolCallId: str
    toolName: str


class StepToolCall(_StepToolCallRequired, total=False):
    """A tool call of a step."""

    input: Any


class StepToolError(TypedDict):
    """What came of a call that failed."""

    toolCallId: str
    toolName: str
    errorText: str


class _StepToolResultRequired(TypedDict):
    toolCallId: str
    toolName: str


class StepToolResult(_StepToolResultRequired, total=False):
    """A tool's result."""

    output: Any


class _StoreHealthRequired(TypedDict):
    kind: StoreKind
    """``sqlite`` or ``postgres``."""
    ok: bool
    """Whether it has taken a write just now."""


class StoreHealth(_StoreHealthRequired, total=False):
    """How the store is."""

    latencyMs: float
    """How long that took."""
    error: str
    """Why it has not answered."""

StoreKind: TypeAlias = Literal["sqlite", "postgres"]
"""Which database a store is."""

StreamFormat: TypeAlias = Literal["ui", "ag-ui"]
"""What a stream is in.

``ui``: Chunks of the AI SDK's UI message stream.

``ag-ui``: Events of AG-UI 1.0.
"""


class StreamMetadata(TypedDict, total=False):
    """What ``messageMetadata`` carries: the ids in the first chunk, the usage so far after each step, how it
    ended at the end.
    """

    chatId: str
    """The chat, which may have been created by this turn."""
    runId: str
    """The run."""
    usage: Usage
    """Tokens of all steps so far."""
    failure: RunFailure
    """What kind of failure ended the run."""
    status: EndedMessageStatus
    """The message's status, once that is final."""
    reason: RunReason
    """Why the run did not succeed."""
    error: str
    """The error in one line, when it failed."""
    waiting: Literal[True]
    """The run has not ended: it waits for somebody's answer."""
    truncatedOutputs: dict[str, int]
    """The calls of the step of whose outputs less is shown than there is, and how many bytes there are."""

StreamUsage: TypeAlias = Mapping[str, Any]
"""A usage as providers' libraries give it; ``outputTokenDetails.reasoningTokens`` wins over ``reasoningTokens``.
What is read of it: ``inputTokens?``, ``outputTokens?``, ``totalTokens?``, ``reasoningTokens?``,
``outputTokenDetails?``.
"""

StreamedPart: TypeAlias = Mapping[str, Any]
"""A part of a stream of the AI SDK, as far as it is read. What is read of it: ``type``, ``totalUsage?``."""

SttApiStyle: TypeAlias = Literal["multipart", "json"]
"""How recordings are sent."""

TailCursor: TypeAlias = Union[int, str]
"""A cursor as it was given out, or its number."""


class TailEnd(TypedDict):
    """How the run that was followed ended."""

    status: EndStatus
    """A final status."""
    reason: RunReason | None
    """Why it did not succeed."""
    error: str | None
    """The error in one line, when it failed."""


class _TailItemRequired(TypedDict):
    cursor: str
    """Where to go on after this chunk."""
    chunk: UIMessageChunk


class TailItem(_TailItemRequired, total=False):
    """A chunk of a run's log."""

    resync: bool
    """The place that was asked for is not known any more: what follows begins anew and replaces what was read
    before.
    """

TailStart: TypeAlias = Literal["snapshot", "start"]
"""Where a tail begins: with finished steps in compact form, or chunk by chunk."""

TaintMode: TypeAlias = Literal["off", "ask", "refuse"]
"""What becomes of calls that change something, once their turn has read content from outside.

``off``: They are made as any other.

``ask``: Somebody has to allow them first. In runs that cannot wait they are refused.

``refuse``: They are refused: the model is told why.
"""


class _TaintSourceRequired(TypedDict):
    origin: str
    """Where it is from: ``server:NAME`` for a tool of a tool server, ``tool:NAME`` for any other tool,
    ``provider:NAME`` for one that the provider runs itself, ``provider:sources`` for pages that it says it
    has used, ``page`` for the page that is open.
    """


class TaintSource(_TaintSourceRequired, total=False):
    """Content from outside that a turn has read: the first of its origin."""

    toolName: str
    """The tool."""
    toolCallId: str
    """Its call."""
    earlier: Literal[True]
    """The call is one of an earlier turn, of which the model is told."""


class TakenAudio(TypedDict):
    ok: Literal[True]
    baseMime: str
    format: str

Tier: TypeAlias = Literal["core", "deferred"]
"""When a model is told of a tool.

``core``: Whole, from the first step on.

``deferred``: In a line, until it asks for it.
"""


class TitlePrompt(TypedDict):
    """What a model is asked for a title."""

    system: str
    """The system prompt."""
    prompt: str
    """The user's message."""


class _ToolApprovalRequired(TypedDict):
    id: str


class ToolApproval(_ToolApprovalRequired, total=False):
    """That somebody is asked for a call, and what was said."""

    approved: bool
    reason: str
    requestReason: str
    isAutomatic: bool
    signature: str
    inputSchemaInput: Any


class _ToolDefinitionRequired(TypedDict):
    name: str
    """Letters, digits, ``_`` and ``-``, at most 64 of them."""


class ToolDefinition(_ToolDefinitionRequired, total=False):
    """What the model is told of a tool, and how turnkeep treats it."""

    description: str
    """What it does and when to use it, for the model."""
    inputSchema: Any
    """The JSON Schema of its arguments; an object without properties unless given."""
    validatesInput: bool
    """The tool checks its input itself, and may clean it: the schema is only what the model is told. Default
    ``false``.
    """
    readOnly: bool
    """It changes nothing. The calls of other tools are put on disk before they run. Default ``false``."""
    untrusted: bool
    """What it returns, and what its errors say, is content from outside: pages of others, mails, the web. With
    ``taint``, a turn that was told of it may not change anything any more by itself. A tool that only
    sometimes returns such content says so in its output instead, an object with ``untrusted: true``. Default
    ``false``.
    """
    timeoutMs: int
    """How long a call may take, in milliseconds; the engine's ``runs.toolTimeoutMs`` unless given."""
    unknownMembers: UnknownMembers
    """What becomes of members that the schema does not allow; the engine's ``runs.unknownMembers`` unless given."""
    shownOutputBytes: int
    """How many bytes of an output's JSON pages are shown, while it streams and ever after; beyond that it is
    shown in a shorter form of the same shape. The engine's ``runs.shownOutputBytes`` unless given.
    """
    approval: ApprovalPolicy
    """Which of its calls somebody has to allow first: ``never``, ``always``, or ``{when: SCHEMA}`` for those
    whose input fits this JSON Schema. The run waits meanwhile, for as long as it takes. Default ``"never"``.
    """
    editableInput: bool
    """Whoever allows a call may change its input, within the input's schema. Default ``false``."""
    answerSchema: Any
    """The tool is a question to a person, and this is the JSON Schema of the answer, which is the call's output.
    Nothing is run.
    """
    clientSide: bool
    """The tool is the client's: the call's output is what the client says. Nothing is run here. Default
    ``false``.
    """
    answerers: Sequence[str]
    """Users who may allow or answer its calls, instead of the chat's owner."""
    expiresAfterMs: int
    """After how many milliseconds a call that waits has expired, and counts as not allowed or not answered;
    never unless given.
    """
    effects: bool
    """Everything that a call changes it changes in one transaction in the store's own database, in which it also
    carries out the statement that it is given for that. Whoever goes on after a death knows then whether it
    was done; if not, it is made again. Default ``false``.
    """
    idempotent: Idempotent
    """A call that is made twice does no more than one that is made once: ``true``, or ``{key: NAME}`` where a
    member of the input is what tells such calls apart. Whoever goes on after a death makes it again, with the
    same key. Default ``"No"``.
    """
    tier: Tier
    """``core`` tools are told to the model whole, from the first step on. Of a ``deferred`` one it is told a
    line, in the tool ``loadTools``, by which it makes those callable that it needs, for the rest of the turn.
    Default ``"core"``.
    """
    catalogLine: str
    """That line; the beginning of the description unless given."""


class _ToolEffectRequired(TypedDict):
    key: str
    """The call's name over all runs; the same whenever the call is made."""


class ToolEffect(_ToolEffectRequired, total=False):
    """What a call of a tool with effects is noted by."""

    database: EffectDatabase
    """The store's database; none where nothing is stored of the turn."""


class TraceCall(TypedDict):
    """A call in the trace."""

    toolName: str
    input: Any


class TraceResult(TypedDict):
    """A result in the trace."""

    toolName: str
    output: Any

Trigger: TypeAlias = Literal["user", "autostart", "schedule", "api", "regenerate", "continue"]
"""What began a run.

``user``: A person wrote.

``autostart``: A role that begins by itself.

``schedule``: A schedule.

``api``: A program.

``regenerate``: A person wants an answer anew.

``continue``: Going on where a run had ended.
"""


class _TrimOptionsRequired(TypedDict):
    budgetTokens: int
    """How many tokens, as estimated here. At least one."""


class TrimOptions(_TrimOptionsRequired, total=False):
    """How a history is trimmed."""

    contextTokens: int
    """What the provider counted for the last call. When that is more than the estimate, estimates are raised."""
    keepTurns: int
    """How many of the newest turns are kept whatever they cost. At least one, and one unless given."""


class TrimmedHistory(TypedDict):
    """What of a history is kept."""

    messages: list[ModelMessage]
    """As they were given."""
    trimmed: bool
    """Whether something was left out."""
    estimatedTokens: int


class _TurnRequestRequired(TypedDict):
    workspaceId: str
    """The workspace."""
    userId: str
    """The user."""


class TurnRequest(_TurnRequestRequired, total=False):
    """What a turn is begun with."""

    chatId: str
    """The chat; it is created when there is none of this id, and when no id is given."""
    message: MessageInput
    """What the user wrote. It is passed over where an answer is generated anew, and needed otherwise."""
    roleId: str
    """The role of a chat that is created; a chat keeps the role that it was created with."""
    openPage: PageRef
    """The page that the user has open: what a client says of it where the engine has the host's check of pages,
    else resolved by the host.
    """
    pageTool: bool
    """Give the model the tool ``getCurrentPage``, which answers ``{page: {id, title}}``, or ``{page: ``None``}``
    where no page is open. A tool of the host's own that is named so takes its place. Default ``false``.
    """
    mcpTools: bool
    """Give the model the tools of the workspace's enabled tool servers (``mcp.create``), named after their
    servers, with what the administrators say about them. Tools of the host's own that are named so take their
    place. A server that cannot be used is missing, and told in the outcome's ``warnings``. Default ``false``.
    """
    docmost: DocmostAccess
    """Give the model tools for a Docmost server, by which it finds, reads and changes pages as the user, and
    ``getCurrentPage``. Tools of the host's own that are named so take their place.
    """
    tools: Sequence[ToolDefinition]
    """The tools of this turn, for hosts that answer calls through a mailbox."""
    provider: ProviderChoice
    """The provider; without it the one named ``default``, or the only one."""
    detached: bool
    """``false``: the run stops when its last reader goes away. Default ``true``."""
    trigger: Trigger
    """What begins the turn. Default ``"user"``."""
    messageId: str
    """As the AI SDK's clients send it. With ``regenerate-message``: the answer that is to be generated anew, or
    the user's message that is to be answered anew; the newest answer unless given. Otherwise: the user's
    message that this one is written in the place of, with everything after it. What was there before stays as
    a version.
    """
    busy: Busy
    """What to do when the chat is busy. Default ``"reject"``."""
    idempotencyKey: str
    """A second turn of the same user with the same key begins nothing and follows the first."""
    offeredTools: Sequence[str]
    """Names of tools that engines offer (``offer_tools``), instead of ``tools``. Such a run is driven by any
    engine that offers all of them: this one if it does, else the first that takes it, and another one when
    that engine is closed or its process dies. Its model is the one that its workspace and role, or that
    engine's options, say.
    """
    holdsChat: bool
    """Whether a run that waits for somebody's answer still holds its chat. ``false``: other turns may begin
    there meanwhile, and it goes on when the chat is free. Only with ``offeredTools``: other runs cannot wait.
    Default ``true``.
    """
    workspaceName: str
    """The workspace's name, instead of ``prompt.workspaceName``."""
    mcpInstructions: Sequence[McpGuidance]
    """Guidance for tools of connected servers, between the rules that nothing can remove."""
    extraRules: Sequence[str]
    """Rules that join the safety text, after those of ``prompt.extraRules``."""
    extraSystem: str
    """What else the host has to say to the model, between the rules that nothing can remove."""
    maxSteps: int
    """Model calls in this turn, the last of which is text only; ``runs.maxSteps`` unless given. 1 to 1000."""
    model: str
    """Another model of the provider that answers."""
    options: CallOptions
    """How the model is to answer in this turn; what is not set is as the provider's settings say."""
    budget: RunBudget
    """What this turn may spend. Once that is spent the run ends between two steps, as ``aborted`` with the
    reason ``budget``; when four fifths of it are, the model is asked for its last answer.
    """
    protocol: Protocol
    """``ai-6`` (the default) or ``ai-7``: what readers of this turn are told. Clients of version 7 of the AI SDK
    are told of steps that are withdrawn, of messages that join the run, and of what else only they know, by
    chunks of their own. Default ``"ai-6"``.
    """
    format: StreamFormat
    """``ui`` (the default), or ``ag-ui``: events of AG-UI 1.0 instead of chunks of the AI SDK. Default ``"ui"``."""
    resumable: bool
    """Every event of this turn's streams over HTTP has a place, its ``id``, from the first one on: what streams
    goes to disk as it streams. Otherwise that begins with the step after such a stream is first read. Default
    ``false``.
    """
    retries: TurnRetries
    """How often what fails is asked for again."""
    taint: TaintMode
    """What becomes of calls that change something once the turn has read content from outside, instead of
    ``runs.taint``: ``off``, ``ask`` or ``refuse``.
    """
    taintAllow: Sequence[AllowRule]
    """Calls that the turn may make all the same."""
    fallbacks: Sequence[FallbackModel]
    """The models that are asked when the turn's own fails and asking it again is no use, in order: at most 10.
    Which one answers is told in the stream and stays in the message, as a part ``data-model``.
    """
    history: Sequence[GivenMessage]
    """What was said before, oldest first, where the host keeps that itself: the model is told this instead of
    the chat's stored messages.
    """
    stateless: Stateless
    """Nothing of the turn is stored but its record (``runs.getStateless``) and what it uses: no chat, no
    message, no log. It is told ``history``, and streams, stops and is limited as any other; its ids are those
    of no chat.
    """


class TurnRetries(TypedDict, total=False):
    """How often a turn asks again."""

    step: int
    """How often a step whose answer broke off is asked for again of the same model; ``runs.stepRetries`` unless
    given. 0 to 10.
    """


class UiMessagePage(TypedDict):
    """A page of a chat's messages as clients of the AI SDK have them."""

    items: list[ShownMessage]
    """The messages, in the order that was asked for."""
    nextCursor: str | None
    """For ``cursor``: what comes after these; ``None`` at the end of the list."""
    prevCursor: str | None
    """For ``beforeCursor``: what comes before these; ``None`` at the list's beginning."""

UnknownMembers: TypeAlias = Literal["strip", "refuse"]
"""What becomes of members of an input that its schema forbids by ``additionalProperties: false``.

``strip``: They are taken out before the tool sees the input.

``refuse``: The call is refused, and the model is told.
"""

UnknownRole: TypeAlias = Literal["refuse", "fallback"]
"""What becomes of a chat that is to be created with a role that is deleted, disabled or not there.

``refuse``: It is not created: ``NOT_FOUND``.

``fallback``: It is created without a role.
"""


class Usage(TypedDict, total=False):
    """Tokens of a step or of a turn. A field that the provider did not report is absent, not zero."""

    inputTokens: int
    """Tokens of the prompt."""
    outputTokens: int
    """Tokens of the answer, reasoning included."""
    totalTokens: int
    """Both together."""
    reasoningTokens: int
    """Of the answer's tokens, those spent on reasoning."""
    cachedInputTokens: int
    """Of the prompt's tokens, those that the provider had kept from an earlier call."""

UsageBy: TypeAlias = Literal["day", "user", "chat", "kind", "model"]
"""What a report is grouped by.

``day``: Days of UTC.

``user``: Users.

``chat``: Chats.

``kind``: What providers were called for.

``model``: Models.
"""


class UsageLimits(TypedDict, total=False):
    """What users and workspaces may use, over windows that slide with time. What is not set is not limited."""

    userRequests: Window
    """Turns that a user of a workspace may begin: ``RATE_LIMITED`` beyond that. What is refused is not counted."""
    workspaceRequests: Window
    """Turns that may be begun in a workspace: ``RATE_LIMITED`` beyond that."""
    workspaceTokens: Window
    """Tokens that the calls of a workspace may use: ``BUDGET_EXHAUSTED`` beyond that for turns, vectors,
    transcripts and titles, and a run that is in progress by then ends between two steps, aborted with the
    reason ``budget``. Before a call, its prompt and 1,000 tokens of answer, or ``maxOutputTokens``, are set
    aside; what it has really used counts in their place when it is done.
    """
    publicRequests: Window
    """Turns that visitors of a workspace's public pages may begin: 100 in an hour unless given."""
    publicTokens: Window
    """Tokens that the calls of these turns may use: a million in a day unless given."""


class _UsageLineRequired(TypedDict):
    calls: int
    """How many calls there were."""
    estimatedCalls: int
    """Of these, those whose tokens are estimated, all or some: they were stopped, or the provider does not
    count.
    """
    inputTokens: int
    """Tokens of prompts."""
    cachedInputTokens: int
    """Of these, those that providers had kept from earlier calls."""
    outputTokens: int
    """Tokens of answers."""
    reasoningTokens: int
    """Of these, those spent on reasoning."""
    totalTokens: int
    """Prompts and answers together."""
    cost: float
    """What all of it costs, by the option ``prices`` as it is now."""
    unpricedCalls: int
    """Calls whose model has no price, and which are not in the cost."""


class UsageLine(_UsageLineRequired, total=False):
    """What calls that have something in common have used."""

    day: str
    """The day of UTC, as ``2026-01-31``, where days are told apart."""
    userId: str
    """The user, where users are told apart; ``None`` for calls of which that is not known."""
    chatId: str
    """The chat, where chats are told apart; ``None`` for calls for none."""
    kind: CallKind
    """What providers were called for, where that is told apart."""
    model: str
    """The model, where models are told apart; ``None`` for calls of which that is not known."""


class UsageOptions(TypedDict, total=False):
    """How the ledger of calls to providers is kept."""

    retentionMs: int
    """For how many milliseconds calls are kept in it, and at least as long as tokens are limited; for ever
    unless given.
    """


class UsageReport(TypedDict):
    """What was used."""

    lines: list[UsageLine]
    """The lines: the newest day first, then by user, chat, kind and model."""
    total: UsageLine
    """All of them together, also those that were left out."""
    truncated: bool
    """Whether lines were left out, because there are more than 10,000."""


class _UserMessageRequired(TypedDict):
    parts: Sequence[UserMessagePart]
    """At least one that says something."""


class UserMessage(_UserMessageRequired, total=False):
    """A user's message as clients of the AI SDK have it."""

    id: str
    """The client's own id for it: kept where it is a UUID, else the message gets one that is made of it. A
    message that is in the chat already is ``MESSAGE_EXISTS``.
    """
    role: ClientRole
    """Only a user's message begins a turn; a client's type may allow others."""
    metadata: Any
    """Kept, and given back by ``rowToUiMessage``."""

WaitKind: TypeAlias = Literal["approval", "question", "client_tool"]
"""What a call waits for.

``approval``: That somebody allows it.

``question``: What a person answers: that is its output.

``client_tool``: What a client has come to: that is its output.
"""


class _WaitingCallRequired(TypedDict):
    callId: str
    """The call."""
    kind: WaitKind
    """What it waits for."""
    toolName: str
    """Its tool."""
    input: Any
    """Its arguments."""


class WaitingCall(_WaitingCallRequired, total=False):
    """A call that waits, as it is shown to those who may answer."""

    schema: Any
    """The JSON Schema of the answer, or of an input that may be changed."""
    editable: Literal[True]
    """Whether whoever allows it may change its input."""
    expiresAt: str
    """From when on nobody may answer."""
    token: str
    """Stands for exactly this call: an answer that names it is for nothing else. Engines without an application
    secret give none.
    """
    taintedBy: list[TaintSource]
    """What the turn had read from outside when it made the call, the first of each origin; left out where it had
    read nothing, or ``taint`` is off.
    """


class _WaitingPageRequired(TypedDict):
    items: list[Run]
    """The runs, with what they wait for."""


class WaitingPage(_WaitingPageRequired, total=False):
    """A part of a list of runs that wait."""

    nextCursor: str
    """Where the next part begins, if there may be one."""

WarningCode: TypeAlias = Literal["mcp_unavailable", "mcp_tool_left_out", "mcp_tools_changed", "mcp_call_failed"]
"""What can go wrong beside a turn.

``mcp_unavailable``: A tool server could not be used: its tools are missing.

``mcp_tool_left_out``: A tool of a server cannot be used, and is missing.

``mcp_tools_changed``: A tool server has other tools than when the turn began.

``mcp_call_failed``: A call did not reach a tool server, or nothing came back.
"""


class Window(TypedDict):
    """So much in so long."""

    max: int
    """How much."""
    windowMs: int
    """In how many milliseconds, up to now."""


class WorkspaceFeatures(TypedDict):
    """What is on in a workspace."""

    chat: bool
    """Chats, and titles of pages."""
    autonomousRuns: bool
    """Turns that go on without a reader (``detached``), and runs that no person has begun (``trigger``)."""
    dictation: bool
    """Speech to text."""


class WorkspaceFeaturesPatch(TypedDict, total=False):
    """Features to be switched on or off; ``None`` sets one back, and one that is absent stays."""

    chat: bool | None
    autonomousRuns: bool | None
    dictation: bool | None


class _WorkspaceSettingsRequired(TypedDict):
    hasApiKey: bool
    hasEmbeddingApiKey: bool
    hasSttApiKey: bool
    features: WorkspaceFeatures
    """What is on in the workspace; the engine's option ``features`` says what becomes of the rest."""


class WorkspaceSettings(_WorkspaceSettingsRequired, total=False):
    """A workspace's settings as they are stored and shown. Of keys only whether they are set."""

    driver: DriverName | None
    chatModel: str | None
    chatContextWindow: int
    """Tokens that the model's context holds."""
    chatApiStyle: ChatApiStyle | None
    """``openai-compatible`` where there is a base URL, unless set."""
    baseUrl: str | None
    embeddingModel: str | None
    embeddingBaseUrl: str | None
    """``baseUrl`` unless set."""
    sttModel: str | None
    sttBaseUrl: str | None
    """``baseUrl`` unless set."""
    sttApiStyle: SttApiStyle | None
    sttLanguage: str | None
    systemPrompt: str | None
    """The persona for chats without a role."""
    publicShareChatModel: str | None
    publicShareAssistantRoleId: str | None
    hasBaseUrlLogin: bool
    """A user and a password were in the address; they are kept as a secret. Absent where there are none."""
    hasEmbeddingBaseUrlLogin: bool
    hasSttBaseUrlLogin: bool

AudioFormat: TypeAlias = Union[TakenAudio, RefusedAudio]
"""How a recording is sent."""


class _DynamicOutcomePartOutputAvailableRequired(TypedDict):
    state: Literal["output-available"]
    type: DynamicToolType
    toolName: str
    toolCallId: str
    input: Any
    output: Any


class DynamicOutcomePartOutputAvailable(_DynamicOutcomePartOutputAvailableRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]
    approval: ToolApproval


class _DynamicOutcomePartOutputErrorRequired(TypedDict):
    state: Literal["output-error"]
    type: DynamicToolType
    toolName: str
    toolCallId: str
    input: Any
    errorText: str


class DynamicOutcomePartOutputError(_DynamicOutcomePartOutputErrorRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]
    approval: ToolApproval


class _DynamicOutcomePartOutputDeniedRequired(TypedDict):
    state: Literal["output-denied"]
    type: DynamicToolType
    toolName: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class DynamicOutcomePartOutputDenied(_DynamicOutcomePartOutputDeniedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]


class _DynamicOutcomePartApprovalRequestedRequired(TypedDict):
    state: Literal["approval-requested"]
    type: DynamicToolType
    toolName: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class DynamicOutcomePartApprovalRequested(_DynamicOutcomePartApprovalRequestedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]


class _DynamicOutcomePartApprovalRespondedRequired(TypedDict):
    state: Literal["approval-responded"]
    type: DynamicToolType
    toolName: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class DynamicOutcomePartApprovalResponded(_DynamicOutcomePartApprovalRespondedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]

DynamicOutcomePart: TypeAlias = Union[DynamicOutcomePartOutputAvailable, DynamicOutcomePartOutputError, DynamicOutcomePartOutputDenied, DynamicOutcomePartApprovalRequested, DynamicOutcomePartApprovalResponded]
"""The same of a tool that pages do not know."""

MessageInput: TypeAlias = Union[str, UserMessage]
"""What a user wrote: text, or a message as clients of the AI SDK have it."""


class PartChunkDataSteering(TypedDict):
    type: Literal["data-steering"]
    """A message of the user has joined the run: its parts. To clients of ``ai`` 7 it is ``steering-message``."""
    id: str
    data: Any


class PartChunkDataWithdrawn(TypedDict):
    type: Literal["data-withdrawn"]
    """The step in progress is taken back. To clients of ``ai`` 7 it is ``reset-step``."""
    id: str
    data: Any


class PartChunkDataModel(TypedDict):
    type: Literal["data-model"]
    """Another model is asked."""
    id: str
    data: Any


class PartChunkDataCustom(TypedDict):
    type: Literal["data-custom"]
    """What only its provider knows. To clients of ``ai`` 7 it is ``custom``."""
    data: Any


class PartChunkDataReasoningFile(TypedDict):
    type: Literal["data-reasoning-file"]
    """A file of the reasoning. To clients of ``ai`` 7 it is ``reasoning-file``."""
    data: Any


class _PartChunkSourceUrlRequired(TypedDict):
    type: Literal["source-url"]
    sourceId: str
    url: str


class PartChunkSourceUrl(_PartChunkSourceUrlRequired, total=False):
    title: str
    providerMetadata: dict[str, Any]


class _PartChunkSourceDocumentRequired(TypedDict):
    type: Literal["source-document"]
    sourceId: str
    mediaType: str
    title: str


class PartChunkSourceDocument(_PartChunkSourceDocumentRequired, total=False):
    filename: str
    providerMetadata: dict[str, Any]


class _PartChunkFileRequired(TypedDict):
    type: Literal["file"]
    url: str
    mediaType: str


class PartChunkFile(_PartChunkFileRequired, total=False):
    providerMetadata: dict[str, Any]


class _PartChunkCustomRequired(TypedDict):
    type: Literal["custom"]
    """Only to clients of ``ai`` 7; to others as ``data-custom``."""
    kind: str


class PartChunkCustom(_PartChunkCustomRequired, total=False):
    providerMetadata: dict[str, Any]


class _PartChunkReasoningFileRequired(TypedDict):
    type: Literal["reasoning-file"]
    """Only to clients of ``ai`` 7; to others as ``data-reasoning-file``."""
    url: str
    mediaType: str


class PartChunkReasoningFile(_PartChunkReasoningFileRequired, total=False):
    providerMetadata: dict[str, Any]


class PartChunkSteeringMessage(TypedDict):
    type: Literal["steering-message"]
    """Only to clients of ``ai`` 7: a message of the user has joined the run. To others it is ``data-steering``."""
    id: str
    parts: list[MessagePart]


class PartChunkResetStep(TypedDict):
    type: Literal["reset-step"]
    """Only to clients of ``ai`` 7: the step in progress is taken back. To others it is ``data-withdrawn``."""


class _PartChunkToolApprovalResponseRequired(TypedDict):
    type: Literal["tool-approval-response"]
    """Only to clients of ``ai`` 7: what was said of a call that somebody was asked for."""
    approvalId: str
    approved: bool


class PartChunkToolApprovalResponse(_PartChunkToolApprovalResponseRequired, total=False):
    reason: str

PartChunk: TypeAlias = Union[PartChunkDataSteering, PartChunkDataWithdrawn, PartChunkDataModel, PartChunkDataCustom, PartChunkDataReasoningFile, PartChunkSourceUrl, PartChunkSourceDocument, PartChunkFile, PartChunkCustom, PartChunkReasoningFile, PartChunkSteeringMessage, PartChunkResetStep, PartChunkToolApprovalResponse]
"""A chunk that is a part of its message as well, or tells of a step."""

Prices: TypeAlias = Mapping[str, ModelPrice]
"""What models cost, by their ids."""

ProviderChoice: TypeAlias = Union[str, ProviderConfig]
"""The name of a configured provider, or settings of its own."""

Providers: TypeAlias = Mapping[str, ProviderConfig]
"""The providers that a host configured, by name."""

RunStepMessageContent: TypeAlias = Union[str, Sequence[RunStepMessagePart]]
"""A text, or texts, images and files."""


class _SaidPartTextRequired(TypedDict):
    type: Literal["text"]
    text: str


class SaidPartText(_SaidPartTextRequired, total=False):
    state: PartState
    providerMetadata: dict[str, Any]
    citations: list[Any]
    """What it rests on, as the AI SDK 7 lists it."""


class _SaidPartReasoningRequired(TypedDict):
    type: Literal["reasoning"]
    text: str


class SaidPartReasoning(_SaidPartReasoningRequired, total=False):
    state: PartState
    providerMetadata: dict[str, Any]

SaidPart: TypeAlias = Union[SaidPartText, SaidPartReasoning]
"""What a model wrote or thought."""

ShownRole: TypeAlias = Union[AgentRole, AgentRoleSummary]
"""A role: all of it for administrators, what it takes to choose one for everybody else."""


class _ToldPartTextRequired(TypedDict):
    type: Literal["text"]
    text: str


class ToldPartText(_ToldPartTextRequired, total=False):
    state: PartState


class _ToldPartFileRequired(TypedDict):
    type: Literal["file"]
    mediaType: str
    url: str


class ToldPartFile(_ToldPartFileRequired, total=False):
    filename: str


class ToldPartStepStart(TypedDict):
    type: Literal["step-start"]

ToldPart: TypeAlias = Union[ToldPartText, ToldPartFile, ToldPartStepStart]
"""A part that a model can be told."""


class _ToolOutcomePartOutputAvailableRequired(TypedDict):
    state: Literal["output-available"]
    type: str
    toolCallId: str
    input: Any
    output: Any


class ToolOutcomePartOutputAvailable(_ToolOutcomePartOutputAvailableRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]
    approval: ToolApproval


class _ToolOutcomePartOutputErrorRequired(TypedDict):
    state: Literal["output-error"]
    type: str
    toolCallId: str
    input: Any
    errorText: str


class ToolOutcomePartOutputError(_ToolOutcomePartOutputErrorRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]
    approval: ToolApproval


class _ToolOutcomePartOutputDeniedRequired(TypedDict):
    state: Literal["output-denied"]
    type: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class ToolOutcomePartOutputDenied(_ToolOutcomePartOutputDeniedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]


class _ToolOutcomePartApprovalRequestedRequired(TypedDict):
    state: Literal["approval-requested"]
    type: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class ToolOutcomePartApprovalRequested(_ToolOutcomePartApprovalRequestedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]


class _ToolOutcomePartApprovalRespondedRequired(TypedDict):
    state: Literal["approval-responded"]
    type: str
    toolCallId: str
    input: Any
    approval: ToolApproval


class ToolOutcomePartApprovalResponded(_ToolOutcomePartApprovalRespondedRequired, total=False):
    providerExecuted: bool
    callProviderMetadata: dict[str, Any]
    resultProviderMetadata: dict[str, Any]
    title: str
    toolMetadata: dict[str, Any]

ToolOutcomePart: TypeAlias = Union[ToolOutcomePartOutputAvailable, ToolOutcomePartOutputError, ToolOutcomePartOutputDenied, ToolOutcomePartApprovalRequested, ToolOutcomePartApprovalResponded]
"""A tool call with its outcome, or one that somebody is asked for."""

TraceEntry: TypeAlias = Union[TraceCall, TraceResult]
"""An entry of a message's trace. Calls as they come, then results; those of one step before those of the next."""

AssistantPart: TypeAlias = Union[SaidPart, ToolOutcomePart, DynamicOutcomePart, KeptPart, DataPart]
"""A part of an assistant's message as such hosts store it."""


class UIMessageChunkStart(TypedDict):
    type: Literal["start"]
    messageId: str
    messageMetadata: StreamMetadata


class UIMessageChunkStartStep(TypedDict):
    type: Literal["start-step"]


class _UIMessageChunkTextStartRequired(TypedDict):
    type: Literal["text-start"]
    id: str


class UIMessageChunkTextStart(_UIMessageChunkTextStartRequired, total=False):
    providerMetadata: dict[str, Any]


class _UIMessageChunkTextDeltaRequired(TypedDict):
    type: Literal["text-delta"]
    id: str
    delta: str


class UIMessageChunkTextDelta(_UIMessageChunkTextDeltaRequired, total=False):
    providerMetadata: dict[str, Any]


class _UIMessageChunkTextEndRequired(TypedDict):
    type: Literal["text-end"]
    id: str


class UIMessageChunkTextEnd(_UIMessageChunkTextEndRequired, total=False):
    providerMetadata: dict[str, Any]
    citations: Any
    """What the text rests on; for clients of ``ai`` 7 alone."""


class _UIMessageChunkReasoningStartRequired(TypedDict):
    type: Literal["reasoning-start"]
    id: str


class UIMessageChunkReasoningStart(_UIMessageChunkReasoningStartRequired, total=False):
    providerMetadata: dict[str, Any]


class _UIMessageChunkReasoningDeltaRequired(TypedDict):
    type: Literal["reasoning-delta"]
    id: str
    delta: str


class UIMessageChunkReasoningDelta(_UIMessageChunkReasoningDeltaRequired, total=False):
    providerMetadata: dict[str, Any]


class _UIMessageChunkReasoningEndRequired(TypedDict):
    type: Literal["reasoning-end"]
    id: str


class UIMessageChunkReasoningEnd(_UIMessageChunkReasoningEndRequired, total=False):
    providerMetadata: dict[str, Any]


class _UIMessageChunkToolInputStartRequired(TypedDict):
    type: Literal["tool-input-start"]
    toolCallId: str
    toolName: str


class UIMessageChunkToolInputStart(_UIMessageChunkToolInputStartRequired, total=False):
    providerExecuted: Literal[True]
    """The provider runs the tool itself."""
    providerMetadata: dict[str, Any]
    """What the provider wants to see again."""
    dynamic: Literal[True]
    """The tool is not one of those that the client knows."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool; for clients of ``ai`` 7 alone."""


class UIMessageChunkToolInputDelta(TypedDict):
    type: Literal["tool-input-delta"]
    toolCallId: str
    inputTextDelta: str


class _UIMessageChunkToolInputAvailableRequired(TypedDict):
    type: Literal["tool-input-available"]
    toolCallId: str
    toolName: str
    input: Any


class UIMessageChunkToolInputAvailable(_UIMessageChunkToolInputAvailableRequired, total=False):
    providerExecuted: Literal[True]
    """The provider runs the tool itself."""
    providerMetadata: dict[str, Any]
    """What the provider wants to see again."""
    dynamic: Literal[True]
    """The tool is not one of those that the client knows."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool; for clients of ``ai`` 7 alone."""


class _UIMessageChunkToolInputErrorRequired(TypedDict):
    type: Literal["tool-input-error"]
    toolCallId: str
    toolName: str
    input: Any
    errorText: str


class UIMessageChunkToolInputError(_UIMessageChunkToolInputErrorRequired, total=False):
    providerExecuted: Literal[True]
    """The provider runs the tool itself."""
    providerMetadata: dict[str, Any]
    """What the provider wants to see again."""
    dynamic: Literal[True]
    """The tool is not one of those that the client knows."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool; for clients of ``ai`` 7 alone."""


class _UIMessageChunkToolOutputAvailableRequired(TypedDict):
    type: Literal["tool-output-available"]
    toolCallId: str
    output: Any


class UIMessageChunkToolOutputAvailable(_UIMessageChunkToolOutputAvailableRequired, total=False):
    providerExecuted: Literal[True]
    """The provider runs the tool itself."""
    providerMetadata: dict[str, Any]
    """What the provider wants to see again."""
    dynamic: Literal[True]
    """The tool is not one of those that the client knows."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool; for clients of ``ai`` 7 alone."""


class UIMessageChunkToolOutputAvailableAgain(TypedDict):
    type: Literal["tool-output-available"]
    """An outcome that will be followed by another one."""
    toolCallId: str
    output: Any
    preliminary: Literal[True]
    """Always true."""


class _UIMessageChunkToolOutputErrorRequired(TypedDict):
    type: Literal["tool-output-error"]
    toolCallId: str
    errorText: str


class UIMessageChunkToolOutputError(_UIMessageChunkToolOutputErrorRequired, total=False):
    providerExecuted: Literal[True]
    """The provider runs the tool itself."""
    providerMetadata: dict[str, Any]
    """What the provider wants to see again."""
    dynamic: Literal[True]
    """The tool is not one of those that the client knows."""
    title: str
    """How pages are to call the tool."""
    toolMetadata: Any
    """What the host has noted of the tool; for clients of ``ai`` 7 alone."""


class _UIMessageChunkToolApprovalRequestRequired(TypedDict):
    type: Literal["tool-approval-request"]
    approvalId: str
    toolCallId: str


class UIMessageChunkToolApprovalRequest(_UIMessageChunkToolApprovalRequestRequired, total=False):
    reason: str
    """Why it is asked."""
    isAutomatic: Literal[True]
    """Rules answer it, nobody else."""
    signature: str
    """What binds the question to its call."""
    inputSchemaInput: Any
    """The input before it was refined."""
    approvalDescriptor: Any
    """What is to be shown of the question."""
    answerReason: str
    """Why it was allowed, where that is known already: what clients are told with the answer, and not with the
    question.
    """


class _UIMessageChunkToolOutputDeniedRequired(TypedDict):
    type: Literal["tool-output-denied"]
    toolCallId: str


class UIMessageChunkToolOutputDenied(_UIMessageChunkToolOutputDeniedRequired, total=False):
    reason: RunReason
    """For clients of ``ai`` 7 alone, which are told it as an answer of its own."""


class UIMessageChunkFinishStep(TypedDict):
    type: Literal["finish-step"]


class UIMessageChunkMessageMetadata(TypedDict):
    type: Literal["message-metadata"]
    messageMetadata: StreamMetadata


class _UIMessageChunkFinishRequired(TypedDict):
    type: Literal["finish"]
    finishReason: FinishReason


class UIMessageChunkFinish(_UIMessageChunkFinishRequired, total=False):
    messageMetadata: StreamMetadata


class UIMessageChunkAbort(TypedDict):
    type: Literal["abort"]
    reason: RunReason


class UIMessageChunkError(TypedDict):
    type: Literal["error"]
    errorText: str

UIMessageChunk: TypeAlias = Union[UIMessageChunkStart, UIMessageChunkStartStep, UIMessageChunkTextStart, UIMessageChunkTextDelta, UIMessageChunkTextEnd, UIMessageChunkReasoningStart, UIMessageChunkReasoningDelta, UIMessageChunkReasoningEnd, UIMessageChunkToolInputStart, UIMessageChunkToolInputDelta, UIMessageChunkToolInputAvailable, UIMessageChunkToolInputError, UIMessageChunkToolOutputAvailable, UIMessageChunkToolOutputAvailableAgain, UIMessageChunkToolOutputError, UIMessageChunkToolApprovalRequest, UIMessageChunkToolOutputDenied, UIMessageChunkFinishStep, UIMessageChunkMessageMetadata, UIMessageChunkFinish, UIMessageChunkAbort, UIMessageChunkError, PartChunk]
"""One chunk of the stream. Serialized, it is the JSON that the AI SDK's client reads."""

UserMessagePart: TypeAlias = Union[ToldPart, DataPart]
"""A part of a user's message."""

__all__ = [
    "Actor",
    "ActorRule",
    "AddressVerdict",
    "AgentRole",
    "AgentRoleSummary",
    "AllowRule",
    "Answered",
    "ApprovalPolicy",
    "AssistantFlush",
    "AssistantMetadata",
    "AssistantPart",
    "AudioFormat",
    "BegunRun",
    "Busy",
    "CallKind",
    "CallOptions",
    "Capability",
    "Chat",
    "ChatApiStyle",
    "ChatDocument",
    "ChatIds",
    "ChatOptions",
    "ChatPage",
    "ChatRow",
    "ChunkHit",
    "ClientRole",
    "CurrentPage",
    "CurrentPageRef",
    "DataPart",
    "DocmostAccess",
    "DocmostOptions",
    "DocumentFormat",
    "DriverName",
    "DynamicOutcomePart",
    "DynamicToolType",
    "EditSource",
    "EffectDatabase",
    "EffectStatement",
    "EndStatus",
    "EndedMessageStatus",
    "EngineOptions",
    "ErrorText",
    "ExistingRoles",
    "ExportLabels",
    "FailureKind",
    "FallbackModel",
    "FeatureGates",
    "FinalizePlan",
    "FinishReason",
    "FlushExtra",
    "Follow",
    "FoundMessage",
    "GivenMessage",
    "Health",
    "HttpOptions",
    "Idempotent",
    "ImportOutcome",
    "ImportedRole",
    "InProgress",
    "IndexOutcome",
    "IndexStatus",
    "IndexedNow",
    "KeptPart",
    "Lang",
    "ListedChat",
    "McpGuidance",
    "McpOptions",
    "McpProgram",
    "McpServer",
    "McpServerView",
    "McpTested",
    "McpTransport",
    "Message",
    "MessageInput",
    "MessageMetadata",
    "MessagePage",
    "MessagePart",
    "MessageRole",
    "MessageStatus",
    "MessageVersion",
    "ModelIndex",
    "ModelMessage",
    "ModelOverride",
    "ModelPrice",
    "NoTools",
    "NotIndexed",
    "NotificationHealth",
    "NotificationState",
    "OpenChat",
    "OutputTokenDetails",
    "PageHit",
    "PageRef",
    "PageToIndex",
    "PartChunk",
    "PartState",
    "PendingMigration",
    "Placeholders",
    "Prices",
    "PromptOptions",
    "Protocol",
    "Provenance",
    "ProviderChoice",
    "ProviderConfig",
    "Providers",
    "PublicTurn",
    "Purged",
    "RefusedAudio",
    "Reindexed",
    "RemovedChunks",
    "RequestLimits",
    "ResolvedAddress",
    "ResponseFormat",
    "RoleDriver",
    "RoleModelConfig",
    "RoleRow",
    "Run",
    "RunBudget",
    "RunFailure",
    "RunLimits",
    "RunOutcome",
    "RunReason",
    "RunRequest",
    "RunSignal",
    "RunStatus",
    "RunStep",
    "RunStepCall",
    "RunStepContent",
    "RunStepContentType",
    "RunStepError",
    "RunStepFile",
    "RunStepMessage",
    "RunStepMessageContent",
    "RunStepMessagePart",
    "RunStepMessagePartType",
    "RunStepResult",
    "RunWarning",
    "SaidPart",
    "SearchAnswer",
    "SearchMode",
    "SecretForm",
    "SecretOptions",
    "SecretRotation",
    "SettingsOptions",
    "SettingsPatch",
    "SettingsTest",
    "ShownHit",
    "ShownMessage",
    "ShownMetadata",
    "ShownRole",
    "SignedProvenance",
    "SplitOptions",
    "Stateless",
    "StatelessRun",
    "SteerAnswer",
    "Steering",
    "SteeringPlace",
    "SteeringState",
    "Step",
    "StepOverride",
    "StepToolCall",
    "StepToolError",
    "StepToolResult",
    "StoreHealth",
    "StoreKind",
    "StreamFormat",
    "StreamMetadata",
    "StreamUsage",
    "StreamedPart",
    "SttApiStyle",
    "TailCursor",
    "TailEnd",
    "TailItem",
    "TailStart",
    "TaintMode",
    "TaintSource",
    "TakenAudio",
    "Tier",
    "TitlePrompt",
    "ToldPart",
    "ToolApproval",
    "ToolDefinition",
    "ToolEffect",
    "ToolOutcomePart",
    "TraceCall",
    "TraceEntry",
    "TraceResult",
    "Trigger",
    "TrimOptions",
    "TrimmedHistory",
    "TurnRequest",
    "TurnRetries",
    "UIMessageChunk",
    "UiMessagePage",
    "UnknownMembers",
    "UnknownRole",
    "Usage",
    "UsageBy",
    "UsageLimits",
    "UsageLine",
    "UsageOptions",
    "UsageReport",
    "UserMessage",
    "UserMessagePart",
    "WaitKind",
    "WaitingCall",
    "WaitingPage",
    "WarningCode",
    "Window",
    "WorkspaceFeatures",
    "WorkspaceFeaturesPatch",
    "WorkspaceSettings",
]
