// Written by tools/surface from the description of the surface. Changes made here are overwritten.

/** Who asks. Everything stored belongs to a user of a workspace, and is given to nobody else. */
export interface Who {
  /** The workspace. */
  workspaceId: string;
  /** The user. */
  userId: string;
}

/** What went wrong, in terms of what the caller can do about it. Codes never change their meaning. */
export type ErrorCode =
  /** A field is missing or wrong; the message and `details.field` name it. */
  | 'INVALID_INPUT'
  /** The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off. */
  | 'FORBIDDEN'
  /** There is no such thing. */
  | 'NOT_FOUND'
  /** The payload is over its documented limit. */
  | 'PAYLOAD_TOO_LARGE'
  /** The media type is not on the list. */
  | 'UNSUPPORTED_MEDIA'
  /** There is no such thing yet, such as generating an answer anew. */
  | 'NOT_SUPPORTED'
  /** Another run is active in the chat; `details.activeRunId` names it. */
  | 'A_RUN_ALREADY_ACTIVE'
  /** The run could not be written. */
  | 'A_RUN_BEGIN_FAILED'
  /** Another process owns the run now. */
  | 'LEASE_LOST'
  /** A run other than the one to supersede is active. */
  | 'SUPERSEDE_TARGET_MISMATCH'
  /** The run to supersede did not settle in time. */
  | 'SUPERSEDE_TIMEOUT'
  /** The run to supersede is not a run of this chat. */
  | 'SUPERSEDE_INVALID'
  /** A message of this id is in the chat already. */
  | 'MESSAGE_EXISTS'
  /** Another role of the workspace has this name; the message says which. */
  | 'ROLE_NAME_TAKEN'
  /** The run, the call that is answered, or the message that is taken back does not wait, or not any more. */
  | 'NOT_WAITING'
  /** The answer is for another call, or for other arguments, than those that wait. */
  | 'ANSWER_MISMATCH'
  /** The time in which the call could be answered is over. */
  | 'ANSWER_EXPIRED'
  /** The run has ended, or has not begun: no message can join it. */
  | 'RUN_NOT_ACTIVE'
  /** The store cannot be reached or written. */
  | 'STORE_UNAVAILABLE'
  /** The engine is shutting down or closed. */
  | 'ENGINE_CLOSED'
  /** A stored secret cannot be read with the application secret in use. */
  | 'SECRET_UNREADABLE'
  /** No usable chat provider is configured. */
  | 'AI_NOT_CONFIGURED'
  /** No usable embedding provider is configured. */
  | 'EMBEDDING_NOT_CONFIGURED'
  /** No usable speech-to-text provider is configured. */
  | 'STT_NOT_CONFIGURED'
  /** The provider refused or failed. */
  | 'PROVIDER_ERROR'
  /** Too many requests in a window. */
  | 'RATE_LIMITED'
  /** The budget of the window is spent. */
  | 'BUDGET_EXHAUSTED'
  /** A bug of ours. */
  | 'INTERNAL';

/** What comes with an error of this code. */
export interface ErrorDetails {
  /** The place of what is wrong, such as `message.parts[0].type`. */
  INVALID_INPUT: { readonly field: string };
  UNSUPPORTED_MEDIA: { readonly field: string };
  /** The run that is in the way. */
  A_RUN_ALREADY_ACTIVE: { readonly activeRunId: string };
}

interface ErrorOf<Code extends ErrorCode> extends Error {
  readonly name: 'TurnkeepError';
  /** Stable; decide on this. */
  readonly code: Code;
  /** The HTTP status that suits the code, as a hint. */
  readonly httpStatus: number;
  /** What else is known. */
  readonly details: (Code extends keyof ErrorDetails ? ErrorDetails[Code] : {}) & Readonly<Record<string, unknown>>;
}

/** A failure of turnkeep. Some codes come with details of their own. */
export type TurnkeepError = { [Code in ErrorCode]: ErrorOf<Code> }[ErrorCode];

interface ErrorClass<Of extends TurnkeepError> {
  /** For `instanceof`; turnkeep makes them. */
  readonly prototype: Of;
  [Symbol.hasInstance](value: unknown): value is Of;
}

export declare const TurnkeepError: ErrorClass<TurnkeepError>;

/** A field is missing or wrong; the message and `details.field` name it. `INVALID_INPUT`, 400. */
export type InvalidInputError = ErrorOf<'INVALID_INPUT'>;
export declare const InvalidInputError: ErrorClass<InvalidInputError>;

/** The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off. `FORBIDDEN`, 403. */
export type ForbiddenError = ErrorOf<'FORBIDDEN'>;
export declare const ForbiddenError: ErrorClass<ForbiddenError>;

/** There is no such thing. `NOT_FOUND`, 404. */
export type NotFoundError = ErrorOf<'NOT_FOUND'>;
export declare const NotFoundError: ErrorClass<NotFoundError>;

/** The payload is over its documented limit. `PAYLOAD_TOO_LARGE`, 413. */
export type PayloadTooLargeError = ErrorOf<'PAYLOAD_TOO_LARGE'>;
export declare const PayloadTooLargeError: ErrorClass<PayloadTooLargeError>;

/** The media type is not on the list. `UNSUPPORTED_MEDIA`, 415. */
export type UnsupportedMediaError = ErrorOf<'UNSUPPORTED_MEDIA'>;
export declare const UnsupportedMediaError: ErrorClass<UnsupportedMediaError>;

/** There is no such thing yet, such as generating an answer anew. `NOT_SUPPORTED`, 501. */
export type NotSupportedError = ErrorOf<'NOT_SUPPORTED'>;
export declare const NotSupportedError: ErrorClass<NotSupportedError>;

/** Another run is active in the chat; `details.activeRunId` names it. `A_RUN_ALREADY_ACTIVE`, 409. */
export type RunAlreadyActiveError = ErrorOf<'A_RUN_ALREADY_ACTIVE'>;
export declare const RunAlreadyActiveError: ErrorClass<RunAlreadyActiveError>;

/** The run could not be written. `A_RUN_BEGIN_FAILED`, 503. */
export type RunBeginFailedError = ErrorOf<'A_RUN_BEGIN_FAILED'>;
export declare const RunBeginFailedError: ErrorClass<RunBeginFailedError>;

/** Another process owns the run now. `LEASE_LOST`, 409. */
export type LeaseLostError = ErrorOf<'LEASE_LOST'>;
export declare const LeaseLostError: ErrorClass<LeaseLostError>;

/** A run other than the one to supersede is active. `SUPERSEDE_TARGET_MISMATCH`, 409. */
export type SupersedeTargetMismatchError = ErrorOf<'SUPERSEDE_TARGET_MISMATCH'>;
export declare const SupersedeTargetMismatchError: ErrorClass<SupersedeTargetMismatchError>;

/** The run to supersede did not settle in time. `SUPERSEDE_TIMEOUT`, 409. */
export type SupersedeTimeoutError = ErrorOf<'SUPERSEDE_TIMEOUT'>;
export declare const SupersedeTimeoutError: ErrorClass<SupersedeTimeoutError>;

/** The run to supersede is not a run of this chat. `SUPERSEDE_INVALID`, 400. */
export type SupersedeInvalidError = ErrorOf<'SUPERSEDE_INVALID'>;
export declare const SupersedeInvalidError: ErrorClass<SupersedeInvalidError>;

/** A message of this id is in the chat already. `MESSAGE_EXISTS`, 409. */
export type MessageExistsError = ErrorOf<'MESSAGE_EXISTS'>;
export declare const MessageExistsError: ErrorClass<MessageExistsError>;

/** Another role of the workspace has this name; the message says which. `ROLE_NAME_TAKEN`, 409. */
export type RoleNameTakenError = ErrorOf<'ROLE_NAME_TAKEN'>;
export declare const RoleNameTakenError: ErrorClass<RoleNameTakenError>;

/** The run, the call that is answered, or the message that is taken back does not wait, or not any more. `NOT_WAITING`, 409. */
export type NotWaitingError = ErrorOf<'NOT_WAITING'>;
export declare const NotWaitingError: ErrorClass<NotWaitingError>;

/** The answer is for another call, or for other arguments, than those that wait. `ANSWER_MISMATCH`, 409. */
export type AnswerMismatchError = ErrorOf<'ANSWER_MISMATCH'>;
export declare const AnswerMismatchError: ErrorClass<AnswerMismatchError>;

/** The time in which the call could be answered is over. `ANSWER_EXPIRED`, 410. */
export type AnswerExpiredError = ErrorOf<'ANSWER_EXPIRED'>;
export declare const AnswerExpiredError: ErrorClass<AnswerExpiredError>;

/** The run has ended, or has not begun: no message can join it. `RUN_NOT_ACTIVE`, 409. */
export type RunNotActiveError = ErrorOf<'RUN_NOT_ACTIVE'>;
export declare const RunNotActiveError: ErrorClass<RunNotActiveError>;

/** The store cannot be reached or written. `STORE_UNAVAILABLE`, 503. */
export type StoreUnavailableError = ErrorOf<'STORE_UNAVAILABLE'>;
export declare const StoreUnavailableError: ErrorClass<StoreUnavailableError>;

/** The engine is shutting down or closed. `ENGINE_CLOSED`, 503. */
export type EngineClosedError = ErrorOf<'ENGINE_CLOSED'>;
export declare const EngineClosedError: ErrorClass<EngineClosedError>;

/** A stored secret cannot be read with the application secret in use. `SECRET_UNREADABLE`, 500. */
export type SecretUnreadableError = ErrorOf<'SECRET_UNREADABLE'>;
export declare const SecretUnreadableError: ErrorClass<SecretUnreadableError>;

/** No usable chat provider is configured. `AI_NOT_CONFIGURED`, 503. */
export type AiNotConfiguredError = ErrorOf<'AI_NOT_CONFIGURED'>;
export declare const AiNotConfiguredError: ErrorClass<AiNotConfiguredError>;

/** No usable embedding provider is configured. `EMBEDDING_NOT_CONFIGURED`, 503. */
export type EmbeddingNotConfiguredError = ErrorOf<'EMBEDDING_NOT_CONFIGURED'>;
export declare const EmbeddingNotConfiguredError: ErrorClass<EmbeddingNotConfiguredError>;

/** No usable speech-to-text provider is configured. `STT_NOT_CONFIGURED`, 503. */
export type SttNotConfiguredError = ErrorOf<'STT_NOT_CONFIGURED'>;
export declare const SttNotConfiguredError: ErrorClass<SttNotConfiguredError>;

/** The provider refused or failed. `PROVIDER_ERROR`, 502. */
export type ProviderError = ErrorOf<'PROVIDER_ERROR'>;
export declare const ProviderError: ErrorClass<ProviderError>;

/** Too many requests in a window. `RATE_LIMITED`, 429. */
export type RateLimitedError = ErrorOf<'RATE_LIMITED'>;
export declare const RateLimitedError: ErrorClass<RateLimitedError>;

/** The budget of the window is spent. `BUDGET_EXHAUSTED`, 429. */
export type BudgetExhaustedError = ErrorOf<'BUDGET_EXHAUSTED'>;
export declare const BudgetExhaustedError: ErrorClass<BudgetExhaustedError>;

/** A bug of ours. `INTERNAL`, 500. */
export type InternalError = ErrorOf<'INTERNAL'>;
export declare const InternalError: ErrorClass<InternalError>;

/** Who acts where rights matter, as the host says: the engine knows nobody's rights. */
export interface Actor {
  /** The user. */
  userId: string;
  /** Whether they may manage the workspace's settings. */
  isAdmin: boolean;
}

/** Whether operations on settings must say who acts. */
export type ActorRule =
  /** They may: where nobody acts, the host has looked who asks. */
  | 'optional'
  /** They must, so that nothing is open because it was forgotten. */
  | 'required';

/** Whether an address is allowed, and if not, why. */
export interface AddressVerdict {
  ok: boolean;
  reason?: string;
}

/** A role as the administrators of its workspace see it. */
export interface AgentRole {
  /** Its id. */
  id: string;
  /** Its name, which no other role of the workspace has that is not deleted. */
  name: string;
  /** A sign for lists. */
  emoji: string | null;
  /** What it is for. */
  description: string | null;
  /** The persona of its chats. */
  instructions: string;
  /** The model that it wants. */
  modelConfig: RoleModelConfig | null;
  /** Whether chats may be begun with it. A chat that has it goes on without it while it is disabled. */
  enabled: boolean;
  /** Whether a client sends the launch message by itself when a chat is begun with the role. */
  autoStart: boolean;
  /** What a client sends to begin with. */
  launchMessage: string | null;
  /** When it was created. */
  createdAt: string;
  /** When it was last changed. */
  updatedAt: string;
}

/** A role as everybody in its workspace sees it: what it takes to choose one. */
export interface AgentRoleSummary {
  /** Its id. */
  id: string;
  /** Its name. */
  name: string;
  /** A sign for lists. */
  emoji: string | null;
  /** What it is for. */
  description: string | null;
  /** Whether chats may be begun with it. */
  enabled: boolean;
  /** Whether a client sends the launch message by itself when a chat is begun with the role. */
  autoStart: boolean;
  /** What a client sends to begin with. */
  launchMessage: string | null;
}

/** Calls that a tainted turn may make without being asked. All that the rule says has to fit. */
export interface AllowRule {
  /** The tool's name; or the beginning of names, with `*` behind it (`*` alone: all tools). */
  tool: string;
  /**
   * A JSON Schema that the call's arguments have to fit, as they have been checked against the tool's own; all
   * arguments unless given.
   */
  arguments?: unknown;
  /**
   * Where everything that the turn has read from outside may be from: `server:NAME`, `tool:NAME`, `provider:NAME`,
   * `provider:sources`, `page`. Anything else that it has read, and the rule does not count. From anywhere unless
   * given.
   */
  origin?: readonly string[];
}

/** What has come of an answer. */
export interface Answered {
  /** The run. */
  runId: string;
  /** The call. */
  callId: string;
  /** How many calls of the run wait still; with none it goes on. */
  waiting: number;
}

/** Which calls of a tool somebody has to allow. */
export type ApprovalPolicy =
  | 'never'
  | 'always'
  | { when: unknown };

/** What the row of an assistant's message is to hold. */
export interface AssistantFlush {
  content: string;
  toolCalls: TraceEntry[] | null;
  metadata: AssistantMetadata;
  status: MessageStatus;
}

/** The metadata of an assistant's message that such a host stores. */
export interface AssistantMetadata {
  parts: AssistantPart[];
  finishReason?: string;
  usage?: Usage;
  contextTokens?: number;
  maxContextTokens?: number;
  error?: string;
}

/** A part of an assistant's message as such hosts store it. */
export type AssistantPart =
  | SaidPart
  | ToolOutcomePart
  | DynamicOutcomePart
  | KeptPart
  | DataPart;

/** How a recording is sent. */
export type AudioFormat =
  | TakenAudio
  | RefusedAudio;

/** A run that the host drives. */
export interface BegunRun {
  /** The run. */
  runId: string;
  /** Its chat. */
  chatId: string;
  /** The assistant's message, whose row the engine writes. */
  messageId: string;
  /** The run had been begun before, with the same idempotency key; it is not to be driven again. */
  repeated: boolean;
}

/**
 * What to do when a chat is busy: refuse with `A_RUN_ALREADY_ACTIVE`, wait until it is free, or stop the run that is
 * named and take its place.
 */
export type Busy =
  | 'reject'
  | 'enqueue'
  | { supersede: string };

/** What a provider was called for. */
export type CallKind =
  /** A step of a run. */
  | 'step'
  /** A step of a run for a visitor of public pages. */
  | 'publicStep'
  /** The title of a chat or of a page. */
  | 'title'
  /** A try of what a workspace has configured for chats. */
  | 'test'
  /** Vectors. */
  | 'embeddings'
  /** A transcript. */
  | 'transcription';

/**
 * How a model is to answer. What is not set is left to the provider; what a provider does not know is left out. Numbers
 * are sent as they were written.
 */
export interface CallOptions {
  /** How many tokens the answer may have. */
  maxOutputTokens?: number;
  /** Randomness, from 0; what the highest is depends on the provider. */
  temperature?: number;
  /** Nucleus sampling, 0 to 1. */
  topP?: number;
  /** Sampling from this many tokens only. */
  topK?: number;
  /** Against tokens that were used often. */
  frequencyPenalty?: number;
  /** Against tokens that were used at all. */
  presencePenalty?: number;
  /** Texts that end the answer. */
  stopSequences?: readonly string[];
  /** For answers that can be repeated, where the provider supports it. */
  seed?: number;
  /** What the answer has to look like. */
  responseFormat?: ResponseFormat;
  /** What only one provider knows, by the provider's name, as the AI SDK's `providerOptions`. */
  providerOptions?: Record<string, any>;
}

/** What can be tried out of a workspace's settings. */
export type Capability =
  /** A model answers. */
  | 'chat'
  /** Texts get vectors. */
  | 'embeddings'
  /** Recordings are transcribed. */
  | 'stt';

/** A row of `ai_chats`. */
export interface Chat {
  /** Its id. */
  id: string;
  /** The workspace that it belongs to. */
  workspaceId: string;
  /** Its owner. */
  creatorId: string;
  /** Its title, once it has one. */
  title: string | null;
  /** The role that it was created with. */
  roleId: string | null;
  /** The page that was open when it was created. */
  pageId: string | null;
  /** When it was created. */
  createdAt: string;
  /** When it was last changed. */
  updatedAt: string;
}

/** `openai-compatible`, or the official API. */
export type ChatApiStyle = 'openai-compatible' | 'openai';

/** What a JSON export holds. */
export interface ChatDocument {
  chatId: string;
  title?: string;
  exportedAt?: string;
  rows: readonly ChatRow[];
}

/** Which ids chats may be called by. */
export type ChatIds =
  /** UUIDs. */
  | 'uuid'
  /** Whatever a client has made up, too: it stands for one chat of this user in this workspace, always the same. */
  | 'any';

/** How chats are treated. */
export interface ChatOptions {
  /**
   * Which ids they may be called by.
   * @default 'uuid'
   */
  ids?: ChatIds;
  /**
   * What becomes of one that is to be created with a role that is deleted, disabled or not there. A chat that has such
   * a role goes on without it in any case.
   * @default 'refuse'
   */
  unknownRole?: UnknownRole;
  /** Chats that have not been changed for so long, in milliseconds, are removed for good. They are kept by default. */
  retentionMs?: number;
  /** Chats that were deleted so long ago, in milliseconds, are removed for good. They are kept by default. */
  deletedRetentionMs?: number;
}

/** A page of the list of chats. */
export interface ChatPage {
  /** The chats, newest first. */
  items: ListedChat[];
  /** For `cursor`: what comes after these; null at the end of the list. */
  nextCursor: string | null;
  /** For `beforeCursor`: what comes before these; null at the list's beginning. */
  prevCursor: string | null;
}

/** A stored message, as far as it is read. */
export interface ChatRowFields {
  id?: string;
  role: string;
  content?: string | null;
  metadata?: unknown;
  status?: string | null;
  createdAt?: Date | string | null;
}

/** `ChatRowFields`, of an object that may hold more. */
export type ChatRow = ChatRowFields | (ChatRowFields & Record<string, unknown>);

/** A chunk that was found. */
export interface ChunkHit {
  /** Its page. */
  pageId: string;
  /** The space of its page. */
  spaceId: string | null;
  /** The title of its page. */
  title: string | null;
  /** Its number in the page. */
  chunkIndex: number;
  /** Where it begins in the page's chunks put together, in UTF-16 units. */
  start: number;
  /** How long it is, in UTF-16 units. */
  length: number;
  /** The chunk, with the headings that lead to it. */
  content: string;
  /** Its beginning. */
  snippet: string;
  /** `1 / (60 + rank)` for each ranking that it has a place in, added up. */
  score: number;
  /** The model of its vector. */
  model: string;
  /** The dimensions of its vector. */
  dimensions: number;
}

/** Who a client says that wrote a message. */
export type ClientRole = 'system' | 'user' | 'assistant';

/** What a model is told of the page that the person has open. */
export interface CurrentPage {
  page: CurrentPageRef | null;
}

/** A page with its title. */
export interface CurrentPageRef {
  id: string;
  title: string;
}

/** A part for the client, which is kept and which no model is told. */
export interface DataPart {
  type: `data-${string}`;
  id?: string;
  data: unknown;
}

/** A Docmost server, and how a turn uses it. */
export interface DocmostAccess {
  /**
   * The server's address, with or without `/api` at its end. It must be a public one, or one that the option
   * `http.allowPrivate` has.
   */
  baseUrl: string;
  /**
   * The user's access token. Where it is not given it is asked for (`docmostTokens`). It is sent to `baseUrl`, and kept
   * nowhere: not for turns with `offeredTools`, which others may drive.
   */
  token?: string;
  /**
   * The names of the tools that the model has; unless given, all but those that change a part of a page.
   * `getCurrentPage` it has in any case.
   */
  tools?: readonly string[];
  /**
   * Only tools that change nothing.
   * @default false
   */
  readOnly?: boolean;
  /**
   * Also the tools that change a part of a page. They read it as the server last saved it and replace it as a whole:
   * what somebody types there in the same seconds is lost.
   * @default false
   */
  editInPlace?: boolean;
}

/** How Docmost servers are used. */
export interface DocmostOptions {
  /**
   * How long a request may take.
   * @default 30000
   */
  requestTimeoutMs?: number;
  /**
   * How many bytes an answer may have. A page that is larger cannot be read.
   * @default 4194304
   */
  maxResponseBytes?: number;
}

/** Which document a chat is exported as. */
export type DocumentFormat = 'markdown' | 'json';

/** Which driver speaks to a provider. */
export type DriverName = 'openai' | 'openai-compatible' | 'gemini' | 'ollama' | 'anthropic';

/** The same of a tool that pages do not know. */
export type DynamicOutcomePart =
  | { state: 'output-available'; type: DynamicToolType; toolName: string; toolCallId: string; input: unknown; output: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval?: ToolApproval }
  | { state: 'output-error'; type: DynamicToolType; toolName: string; toolCallId: string; input: unknown; errorText: string; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval?: ToolApproval }
  | { state: 'output-denied'; type: DynamicToolType; toolName: string; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval }
  | { state: 'approval-requested'; type: DynamicToolType; toolName: string; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval }
  | { state: 'approval-responded'; type: DynamicToolType; toolName: string; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval };

/** The type of such a part. */
export type DynamicToolType = 'dynamic-tool';

/** Who has edited. */
export type EditSource =
  /** A person. */
  | 'user'
  /** The agent of a chat. */
  | 'agent';

/** A database that a store and its tools have in common. */
export type EffectDatabase = 'sqlite' | 'postgres';

/** A statement with its parameters. */
export interface EffectStatement {
  sql: string;
  params: (string | null)[];
}

/** How a run may end. */
export type EndStatus = 'succeeded' | 'failed' | 'aborted';

/** How a message may end. */
export type EndedMessageStatus = 'completed' | 'error' | 'aborted';

/** How an engine is opened. */
export interface EngineSettings {
  /** `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. */
  store: string;
  /**
   * What this process is called in leases; every opening adds a unique part of its own. On PostgreSQL, what the same
   * instance has left when it died is free as soon as it comes back.
   */
  instanceId?: string;
  /** The secret that stored keys are sealed with. Without it no keys can be stored. */
  appSecret?: string;
  /**
   * Application secrets of before: what is sealed with them is read, and sealed anew with `appSecret` in the
   * background.
   */
  previousAppSecrets?: readonly string[];
  /** How keys are kept. */
  secrets?: SecretOptions;
  /** Limits of runs. */
  runs?: RunLimits;
  /** The providers, by name. */
  providers?: Providers;
  /** What goes into every system prompt. */
  prompt?: PromptOptions;
  /** How providers are reached. */
  http?: HttpOptions;
  /** How the tool servers of workspaces are used. */
  mcp?: McpOptions;
  /** How Docmost servers are used, by turns that have them. */
  docmost?: DocmostOptions;
  /** Limits of single requests. */
  requests?: RequestLimits;
  /**
   * Name chats that have no name after their first turn has succeeded, whoever drove it, by a second request to the
   * workspace's model.
   * @default false
   */
  generateChatTitles?: boolean;
  /** How chats are treated. */
  chats?: ChatOptions;
  /** Who may ask for workspaces' settings. */
  settings?: SettingsOptions;
  /**
   * What becomes of what a workspace has switched off: `enforce`, `strict` or `report`.
   * @default 'enforce'
   */
  features?: FeatureGates;
  /** What users and workspaces may use, counted in the store for all processes together. */
  limits?: UsageLimits;
  /** What models cost, by their ids: for budgets of money, and for reports. */
  prices?: Prices;
  /** How the ledger of calls to providers is kept. */
  usage?: UsageOptions;
  /**
   * In whose words pages are told why a run failed: `safe`, or `provider`. The outcome, the rows and the log have what
   * the provider said in any case.
   * @default 'safe'
   */
  errorText?: ErrorText;
}

/**
 * In whose words pages are told why a run failed. The log, the rows and the outcome have the provider's in any case.
 */
export type ErrorText =
  /** In a sentence of ours for each kind of failure. */
  | 'safe'
  /** In those of the provider. */
  | 'provider';

/** What becomes of a new role whose name another role of the workspace has. */
export type ExistingRoles =
  /** Nothing is written: `ROLE_NAME_TAKEN`. */
  | 'fail'
  /** The role that is there stays as it is. */
  | 'skip'
  /** The role that is there gets the fields of the new one, and keeps its id. */
  | 'replace';

/** The words that a host may replace; what it leaves out stays in the export's language. */
export interface ExportLabels {
  /** Title of a chat without one. */
  untitled?: string;
  /** The model's name above its messages. */
  aiAgent?: string;
  /** The person's name above theirs. */
  you?: string;
  /** What a tool without a label of its own is called; `{name}` stands for its name. */
  ranTool?: string;
  /** The note under a message that is still being written. */
  stillGenerating?: string;
  /** Labels of tools, by name. */
  tools?: Record<string, string>;
}

/** What kind of failure it is, in terms of what can be done about it. */
export type FailureKind =
  /** The key is wrong, missing, or has no permission. */
  | 'authentication'
  /** The account has no credits left. */
  | 'billing'
  /** Too many requests for now. */
  | 'rate_limit'
  /** The conversation is too long for the model. */
  | 'context_overflow'
  /** There is no such model, or not for this account. */
  | 'model_not_found'
  /** The provider cannot answer at the moment. */
  | 'overloaded'
  /** There is no way to the provider. */
  | 'unreachable'
  /** The connection broke off. */
  | 'connection_lost'
  /** The provider sent nothing for too long. */
  | 'silence'
  /** The answer cannot be read, is not whole, or has nothing in it. */
  | 'bad_response'
  /** The provider withheld the answer. */
  | 'content_filter'
  /** The model would not answer. */
  | 'refused'
  /** The provider takes no such request. */
  | 'invalid_request'
  /** The answer passed one of the engine's limits. */
  | 'limit'
  /** A bug of ours, or a store that refused a write for good. */
  | 'internal';

/** A model that is asked when another one fails. */
export interface FallbackModel {
  /** The model. */
  model: string;
  /**
   * Its provider: the name of a configured one or, in turns that bring their tools, settings. The turn's own unless
   * given.
   */
  provider?: ProviderChoice;
  /** How it is to answer; what is not set is as its provider's settings say. */
  options?: CallOptions;
  /**
   * The kinds of failures in which it is asked: `rate_limit`, `overloaded`, `unreachable`, `connection_lost`,
   * `silence`, `bad_response`, `billing` and `model_not_found` unless given.
   */
  on?: readonly FailureKind[];
}

/** What becomes of what a workspace has switched off: `chat`, `autonomousRuns` and `dictation`. */
export type FeatureGates =
  /** It is refused. What was never switched is on. */
  | 'enforce'
  /** It is refused. What was never switched is off, as in Docmost. */
  | 'strict'
  /** It is told to hosts, which look after it themselves. What was never switched is on. */
  | 'report';

/** How the end of a turn is to be written. */
export type FinalizePlan =
  | { kind: 'update'; id: string }
  | { kind: 'insert' };

/** Why the model stopped, in the AI SDK's words. */
export type FinishReason =
  /** It was done. */
  | 'stop'
  /** It ran into the output limit. */
  | 'length'
  /** Its output was withheld. */
  | 'content-filter'
  /** It wants its tool calls answered. */
  | 'tool-calls'
  /** The stream broke or carried an error. */
  | 'error'
  /**
   * It was cut short by whoever drives the loop; a word of the AI SDK 7, which clients of version 6 are told as
   * `other`.
   */
  | 'interrupted'
  /** The answer broke off and was asked for again: the step is in the log and in no message. A word of ours. */
  | 'withdrawn'
  /** Something else, or nothing was said; `unknown` in the words of earlier versions. */
  | 'other';

/** What is said of a message besides its steps. */
export interface FlushExtra {
  finishReason?: string;
  usage?: StreamUsage | null;
  contextTokens?: number;
  maxContextTokens?: number;
  error?: string;
}

/** A run to be followed by `tail`, also when it has ended by then. */
export interface Follow {
  /** The run. */
  runId: string;
  /** The message that it writes. */
  messageId: string | null;
  /** Where to go on; null: with the first chunk. */
  cursor: string | null;
}

/** A message that was found. */
export interface FoundMessage {
  /** Its chat. */
  chatId: string;
  /** The chat's title, once it has one. */
  chatTitle: string | null;
  /** The message. */
  messageId: string;
  /** Who wrote it. */
  role: MessageRole;
  /** One line of its text, around the first word that was found. */
  snippet: string;
  /** When it was written. */
  createdAt: string;
}

/** A message of a history that the host keeps itself, as clients of the AI SDK have it. */
export interface GivenMessage {
  /** Who wrote it: `user` or `assistant`. */
  role: MessageRole;
  /** Its parts. */
  parts: readonly MessagePart[];
}

/** How the engine is. */
export interface Health {
  /** Its store. */
  store: StoreHealth;
  /** Whether other processes are heard at once or by polling. */
  notifications: NotificationHealth;
  /** Runs of this process, also those that wait for their chat. */
  activeRuns: number;
}

/** How providers and tool servers are reached. Times are in milliseconds. */
export interface HttpOptions {
  /**
   * A proxy's URL, or `environment` for what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say. None otherwise: a proxy
   * that somebody else put into the environment would see the traffic.
   */
  proxy?: string;
  /** A file with certificates in PEM form that are trusted besides the machine's. */
  caFile?: string;
  /** Such certificates themselves. */
  caPem?: string;
  /**
   * Trust the certificate authorities that come with turnkeep, besides the machine's. Where the machine has none (slim
   * container images), they are trusted in any case.
   * @default false
   */
  bundledRoots?: boolean;
  /**
   * How long a connection may take to open.
   * @default 30000
   */
  connectTimeoutMs?: number;
  /**
   * How long an unused connection is kept. Shorter than what balancers allow, so that none is used that they have
   * dropped.
   * @default 10000
   */
  keepAliveMs?: number;
  /**
   * How often a request is sent at most, when it is refused or lost before the first byte of an answer.
   * @default 3
   */
  maxTries?: number;
  /**
   * The wait before the second try of a request that a provider refused without saying when to come back; it doubles.
   * After a lost connection it is a tenth of that.
   * @default 1500
   */
  retryWaitMs?: number;
  /**
   * Hosts of private networks that workspaces may name in their settings: a name, an IP address or a network such as
   * `10.0.0.0/8`, with or without a port. Without them, settings lead to public addresses only. What the engine is
   * opened with, and what a turn brings, may name any address.
   */
  allowPrivate?: readonly string[];
  /**
   * What requests say that they come from, in the header `User-Agent`: some gateways account by it. `turnkeep/` and its
   * version unless given.
   */
  userAgent?: string;
}

/** Whether doing something twice is as good as doing it once. */
export type Idempotent =
  | 'No'
  | 'Yes'
  | { By: string };

/** What an import has done with a role of its document. */
export type ImportOutcome =
  /** There was none of its name. */
  | 'created'
  /** The one that was there has its fields now. */
  | 'replaced'
  /** The one that was there stays as it was. */
  | 'skipped';

/** A role of a document that was imported. */
export interface ImportedRole {
  /** The role of this name that is there now. */
  id: string;
  /** Its name. */
  name: string;
  /** What was done. */
  outcome: ImportOutcome;
}

/** What becomes of the message that the run in progress writes. */
export type InProgress =
  /** It is left out, and whoever follows the run is told all of it. */
  | 'omit'
  /** It is there with its finished steps, and the cursor is behind these. */
  | 'include';

/** What has become of a page. */
export type IndexOutcome =
  /** Its chunks are in the place of those that were there. */
  | 'indexed'
  /** What is there was made of the same by the same model. */
  | 'unchanged'
  /** It has no text, or lies in the trash: nothing of it is there any more. */
  | 'removed';

/** What there is of a workspace in the index. */
export interface IndexStatus {
  /** How many pages. */
  pages: number;
  /** How many chunks. */
  chunks: number;
  /** By which models their vectors are. */
  models: ModelIndex[];
}

/** A page that was given. */
export interface IndexedNow {
  /** What was done. */
  outcome: IndexOutcome;
  /** How many chunks of it there are now. */
  chunks: number;
  /** The model of their vectors; `null` where there are none. */
  model: string | null;
  /** Their dimensions; `null` where there are none. */
  dimensions: number | null;
}

/** What else a step holds. */
export type KeptPart =
  | { type: 'step-start' }
  | { type: 'file'; mediaType: string; url: string; filename?: string; providerMetadata?: Record<string, any> }
  | { type: 'reasoning-file'; mediaType: string; url: string; providerMetadata?: Record<string, any> }
  | { type: 'source-url'; sourceId: string; url: string; title?: string; providerMetadata?: Record<string, any> }
  | { type: 'source-document'; sourceId: string; mediaType: string; title: string; filename?: string; providerMetadata?: Record<string, any> }
  | { type: 'custom'; kind: string; providerMetadata?: Record<string, any> };

/** A language of exports. */
export type Lang = 'en' | 'ru';

/** A chat as a list shows it. */
export interface ListedChat {
  /** Its id. */
  id: string;
  /** The workspace that it belongs to. */
  workspaceId: string;
  /** Its owner. */
  creatorId: string;
  /** Its title, once it has one. */
  title: string | null;
  /** The role that it was created with. */
  roleId: string | null;
  /** The role's name, while the role is in use. */
  roleName: string | null;
  /** The role's emoji, while the role is in use. */
  roleEmoji: string | null;
  /** The page that was open when it was created. */
  pageId: string | null;
  /** The page's title, where the database has the host's pages. */
  pageTitle: string | null;
  /** When it was created. */
  createdAt: string;
  /** When it was last changed. */
  updatedAt: string;
}

/** What the administrators wrote about a connected tool server. */
export interface McpGuidance {
  serverName: string;
  toolPrefix: string;
  instructions?: string | null;
}

/** How the tool servers of workspaces are used. Times are in milliseconds. */
export interface McpOptions {
  /**
   * How long a server may take until its tools are known. A turn that asks for them begins as late as that, at most.
   * @default 5000
   */
  connectTimeoutMs?: number;
  /**
   * How long a call may take.
   * @default 900000
   */
  callTimeoutMs?: number;
  /**
   * How long a server may say nothing during a call.
   * @default 300000
   */
  silenceMs?: number;
  /**
   * How long a connection, and the list of tools that came over it, serves a workspace's next turns.
   * @default 60000
   */
  keepMs?: number;
  /**
   * If a turn's servers have more tools than this, the model is told a line of each instead of all of them, and asks
   * for those that it needs (`loadTools`). All of them are told unless given.
   */
  deferAbove?: number;
  /**
   * How many bytes of a result are kept; of more, a note says how much is missing.
   * @default 1048576
   */
  maxResultBytes?: number;
  /**
   * Programs that speak the protocol over their input and output, by names that workspaces may use (`transport`
   * `stdio`). There are none unless they are listed here: what runs on this machine is for whoever runs it to say.
   */
  programs?: Record<string, McpProgram>;
}

/** A program that is a tool server. */
export interface McpProgram {
  /** What is started. */
  command: string;
  /** Its arguments. */
  args?: readonly string[];
  /** Its environment, besides `PATH`. Nothing else of this process's environment is given to it. */
  env?: Record<string, string>;
}

/** A tool server's row, as far as it is read. */
export interface McpServerFields {
  id: string;
  name: string;
  /** `http` or `sse`. */
  transport: string;
  url: string;
  enabled?: boolean | null;
  /** The tools that may be used; all of them when there is no list. */
  toolAllowlist?: readonly string[] | null;
  instructions?: string | null;
  /** The headers in the clear. */
  headers?: Record<string, string> | null;
  /** The headers as they are stored. */
  headersEnc?: string | null;
}

/** `McpServerFields`, of an object that may hold more. */
export type McpServer = McpServerFields | (McpServerFields & Record<string, unknown>);

/** What clients may see. */
export interface McpServerView {
  /** Its id. */
  id: string;
  /** Its display name. */
  name: string;
  /** `http` or `sse`. */
  transport: string;
  /** Where it is, with what looks like a secret masked. */
  url: string;
  /** Whether its tools are offered. */
  enabled: boolean;
  /** The tools that may be used, or all. */
  toolAllowlist: string[] | null;
  /** Whether requests carry headers of the administrator's. */
  hasHeaders: boolean;
  /** Guidance for the model. */
  instructions: string | null;
  /** The names of these headers, as far as they can be read. */
  headerNames: string[];
}

/** What came of trying a tool server. */
export interface McpTested {
  /** Whether it answers. */
  ok: boolean;
  /** Why it does not, in one line. */
  error?: string;
  /** Its tools, by its own names: those that a list of allowed tools may have. */
  tools?: string[];
  /** Why others of its tools cannot be used. */
  leftOut?: string[];
}

/** Which wire a tool server speaks. */
export type McpTransport =
  /** Streamable HTTP. */
  | 'http'
  /** Server-sent events, as servers had them before that. */
  | 'sse'
  /** The lines of a program that whoever runs the server allows. */
  | 'stdio';

/** A message as it is stored. */
export interface Message {
  id: string;
  chatId: string;
  /** The workspace. */
  workspaceId: string;
  /** Who wrote it, for a user's message. */
  userId: string | null;
  role: MessageRole;
  /** Its text. */
  content: string;
  /** The flat trace of its tool calls and results. */
  toolCalls: unknown[] | null;
  metadata: MessageMetadata | null;
  /** How far it has come. Null: written before statuses existed, completed. */
  status: MessageStatus | null;
  createdAt: string;
  updatedAt: string;
  /** What pages are told of its failure, where a host's function says it. */
  errorText?: string;
}

/** What a user wrote: text, or a message as clients of the AI SDK have it. */
export type MessageInput =
  | string
  | UserMessage;

/** What a message's row says besides its text. */
export interface MessageMetadata {
  parts: MessagePart[];
  finishReason?: string;
  usage?: Usage;
  /** How full the context was. */
  contextTokens?: number;
  /** How much it holds. */
  maxContextTokens?: number;
  error?: string;
  failure?: RunFailure;
  /** The model was not told of earlier messages of the chat. */
  historyLeftOut?: boolean;
  /** Why its run did not succeed. */
  reason?: RunReason;
  /** The client's own, of a user's message. */
  metadata?: unknown;
  /** How many steps of the log the row shows. */
  stepsPersisted?: number;
  /** The calls of whose outputs less is shown than there is, and how many bytes of JSON there are. */
  truncatedOutputs?: Record<string, number>;
}

/** A page of a chat's messages. */
export interface MessagePage {
  /** The messages, in the order that was asked for. */
  items: Message[];
  /** For `cursor`: what comes after these; null at the end of the list. */
  nextCursor: string | null;
  /** For `beforeCursor`: what comes before these; null at the list's beginning. */
  prevCursor: string | null;
}

/** A part of a stored message, in the AI SDK's shapes. */
export interface MessagePart {
  type: string;
  [key: string]: unknown;
}

export type MessageRole = 'user' | 'assistant';

export type MessageStatus = 'streaming' | 'completed' | 'error' | 'aborted';

/** One of the versions of a message. */
export interface MessageVersion {
  /** Whether it is the one that the chat has now. */
  current: boolean;
  /** The message. */
  message: Message;
}

/** The vectors of one model. */
export interface ModelIndex {
  /** The model. */
  model: string;
  /** The dimensions of its vectors. */
  dimensions: number;
  /** How many pages have them. */
  pages: number;
  /** How many chunks have them. */
  chunks: number;
}

/** A message as models are told it, in any library's form. */
export interface ModelMessage {
  role: string;
  [key: string]: unknown;
}

/** The model that a role asks for. */
export interface ModelOverride {
  driver?: string;
  chatModel?: string;
  roleName?: string;
}

/** What a model costs, in whatever unit of money the host counts. */
export interface ModelPrice {
  /** A million tokens of prompts. */
  input: number;
  /** A million tokens of answers, reasoning included. */
  output: number;
  /**
   * A million tokens of prompts that the provider had kept; as others unless given. Budgets count all of them as
   * others.
   */
  cachedInput?: number;
}

/** No tools. */
export type NoTools = 'none';

/** Why a page of several could not be indexed. What was there of it is still there. */
export interface NotIndexed {
  /** The page. */
  pageId: string;
  /** The code of its error. */
  code: string;
  /** What went wrong, in a line. */
  message: string;
}

/** What is known of the hints of a store. */
export interface NotificationHealth {
  /** Whether they arrive. */
  state: NotificationState;
  /** Notifications that this process has sent, each about any number of runs. */
  sent: number;
  /** Notifications of other processes that have arrived. */
  heard: number;
}

/** Whether hints arrive. */
export type NotificationState =
  /** One of our own has arrived a moment ago. */
  | 'live'
  /** They do not arrive; everything is found by polling. */
  | 'polling'
  /** This store has none. */
  | 'none';

/** A chat as it was at one moment. */
export interface OpenChat {
  /** The messages, oldest first. */
  messages: Message[];
  /** The run that brings what is missing of them; null when the chat is free. */
  follow: Follow | null;
}

export interface OutputTokenDetails {
  reasoningTokens?: number;
}

/** What a search has found. */
export interface PageHitFields {
  pageId: string;
  title?: string | null;
  content?: string | null;
}

/** `PageHitFields`, of an object that may hold more. */
export type PageHit = PageHitFields | (PageHitFields & Record<string, unknown>);

/** A page that a person has open. */
export interface PageRef {
  id?: string | null;
  title?: string | null;
  /** It is somebody else's: its title is content from outside, and taints the turn (`docs/taint.md`). */
  untrusted?: boolean;
}

/** A page as the host has it. */
export interface PageToIndex {
  /** Its id: at most 255 bytes. */
  id: string;
  /** The space that it is in: at most 255 bytes. */
  spaceId?: string;
  /** Its title, which stands above each of its chunks that are made of `content`. */
  title?: string;
  /** Its text, for pages without `content`, or whose `content` has nodes that are not known. */
  text?: string;
  /** Its document, as ProseMirror and Tiptap write it: `{"type": "doc", "content": […]}`. */
  content?: unknown;
  /**
   * It lies in the trash: nothing of it is to be found.
   * @default false
   */
  trashed?: boolean;
}

/** A chunk that is a part of its message as well, or tells of a step. */
export type PartChunk =
  | { type: 'data-steering'; id: string; data: unknown }
  | { type: 'data-withdrawn'; id: string; data: unknown }
  | { type: 'data-model'; id: string; data: unknown }
  | { type: 'data-custom'; data: unknown }
  | { type: 'data-reasoning-file'; data: unknown }
  | { type: 'source-url'; sourceId: string; url: string; title?: string; providerMetadata?: Record<string, any> }
  | { type: 'source-document'; sourceId: string; mediaType: string; title: string; filename?: string; providerMetadata?: Record<string, any> }
  | { type: 'file'; url: string; mediaType: string; providerMetadata?: Record<string, any> }
  | { type: 'custom'; kind: string; providerMetadata?: Record<string, any> }
  | { type: 'reasoning-file'; url: string; mediaType: string; providerMetadata?: Record<string, any> }
  | { type: 'steering-message'; id: string; parts: MessagePart[] }
  | { type: 'reset-step' }
  | { type: 'tool-approval-response'; approvalId: string; approved: boolean; reason?: string };

/** Whether a part is whole. */
export type PartState = 'streaming' | 'done';

/** A migration that opening a database would apply. */
export interface PendingMigration {
  version: number;
  name: string;
  /** What it would add to the database as it is. */
  additions: string[];
}

/** How a client library writes the places of parameters: `?`, `$1` or `%s`. */
export type Placeholders = 'question' | 'dollar' | 'format';

/** What models cost, by their ids. */
export type Prices = Record<string, ModelPrice>;

/** The host's share of the system prompt. */
export interface PromptOptions {
  /** The workspace's name. */
  workspaceName?: string;
  /** The persona for chats without a role. */
  adminPrompt?: string;
  /** What the product is called, for the default persona. */
  productName?: string;
  /** Rules that join the safety text. */
  extraRules?: readonly string[];
}

/** Which version of the AI SDK a client is of. */
export type Protocol =
  /** `ai` 6, and whoever reads what `ai` 6 reads. */
  | 'ai-6'
  /** `ai` 7, which takes back steps that are withdrawn, and knows of more that a step may hold. */
  | 'ai-7';

/** What a claim says: an access is by the agent of this chat, on behalf of this user. */
export interface Provenance {
  /** The workspace of the chat. */
  workspaceId: string;
  /** The user whose chat it is. */
  userId: string;
  /** The chat. */
  chatId: string;
  /** The run, where the claim was signed for one. */
  runId: string | null;
  /** From when on the claim is refused. */
  expiresAt: string;
}

/** The name of a configured provider, or settings of its own. */
export type ProviderChoice =
  | string
  | ProviderConfig;

/** Settings of one provider, given by the host at open or with a turn. */
export interface ProviderConfig {
  /** The driver: `openai`, `openai-compatible`, `gemini`, `ollama` or `anthropic`. */
  driver: DriverName;
  /** The model's id. */
  model?: string;
  /**
   * Where the API is, such as `https://api.example.com/v1`; the provider's own place when it is empty. User and
   * password in it are sent as basic authentication, in the place of a key that would go in the same header.
   */
  baseUrl?: string;
  /** The key. It is sent to `baseUrl` and appears nowhere else. */
  apiKey?: string;
  /** How many tokens the model's context holds. */
  contextWindow?: number;
  /** How the model is to answer. */
  options?: CallOptions;
}

/** The providers that a host configured, by name. */
export type Providers = Record<string, ProviderConfig>;

/**
 * A turn for a visitor of public pages. What the host says of the page decides first, in the order of these members,
 * and always with the same `NOT_FOUND`; then whether somebody can answer (`AI_NOT_CONFIGURED`), whether there are
 * tokens and requests left (`BUDGET_EXHAUSTED`, `RATE_LIMITED`), and last what the visitor has written.
 */
export interface PublicTurn {
  /** Whether the workspace has an assistant on its public pages. */
  enabled: boolean;
  /** The share that the visitor has named. */
  shareId: string;
  /** The page that the visitor has named. */
  pageId: string;
  /** The page as the host has found it, if visitors may read it in that share. */
  page?: PageRef;
  /** Whether workspace and space allow sharing. */
  sharingAllowed: boolean;
  /** What the shared pages are called. */
  shareTitle?: string;
  /**
   * The conversation as the visitor's client has sent it: at most 30 messages of texts, each of at most 8,000
   * characters. The last one that counts must be the visitor's.
   */
  messages: readonly MessagePart[];
}

/** What became of a chat that was removed for good. */
export interface Purged {
  /**
   * Whether what it had left in the SQLite file has been overwritten, too. It is not while somebody reads an older
   * state of the file, or where there is no room to write it anew; a later purge, of any chat, does it. On PostgreSQL,
   * where the server reuses the space by itself, always true.
   */
  scrubbed: boolean;
}

export interface RefusedAudio {
  ok: false;
}

/** What has become of several pages. */
export interface Reindexed {
  /** How many were indexed. */
  indexed: number;
  /** How many were unchanged. */
  unchanged: number;
  /** How many have no text or lie in the trash. */
  removed: number;
  /** How many chunks were written. */
  chunks: number;
  /** Those that could not be indexed. */
  failed: NotIndexed[];
}

/** What was removed from the index. */
export interface RemovedChunks {
  /** How many chunks. */
  chunks: number;
}

/** How long requests outside of runs may take, in milliseconds. */
export interface RequestLimits {
  /**
   * All requests of one call for embeddings together.
   * @default 120000
   */
  embeddingTimeoutMs?: number;
  /**
   * A transcript.
   * @default 300000
   */
  transcriptionTimeoutMs?: number;
  /**
   * A title.
   * @default 60000
   */
  titleTimeoutMs?: number;
  /**
   * A test of the chat settings.
   * @default 30000
   */
  testTimeoutMs?: number;
  /**
   * The host's check of a page that a user has open; when it takes longer there is no page.
   * @default 10000
   */
  pageCheckTimeoutMs?: number;
}

/** An address as resolvers give it. */
export interface ResolvedAddress {
  address: string;
  family?: number;
}

/** What an answer has to look like. Without a schema it is any JSON. */
export interface ResponseFormat {
  /** Its JSON Schema. */
  schema?: unknown;
  /** What it is called. */
  name?: string;
  /** What it is for. */
  description?: string;
}

/** The drivers that a role may name. */
export type RoleDriver =
  /** OpenAI, or whatever speaks its protocol. */
  | 'openai'
  /** Gemini. */
  | 'gemini'
  /** Ollama. */
  | 'ollama';

/** The model that a role's chats get, in place of the workspace's. */
export interface RoleModelConfig {
  driver?: RoleDriver;
  /** At most 200 characters. */
  chatModel?: string;
}

/** A role's row, as far as it is read. */
export interface RoleRowFields {
  name?: string | null;
  modelConfig?: unknown;
}

/** `RoleRowFields`, of an object that may hold more. */
export type RoleRow = RoleRowFields | (RoleRowFields & Record<string, unknown>);

/** A row of `ai_chat_runs`, without what only the engine needs (owner, epoch, lease). */
export interface Run {
  /** Its id. */
  id: string;
  /** The chat that it belongs to. */
  chatId: string;
  /** The workspace that it belongs to. */
  workspaceId: string;
  /** Who began it. */
  createdBy: string;
  /** What began it. */
  trigger: Trigger;
  /** Where it is. */
  status: RunStatus;
  /** Why it did not succeed. */
  reason: RunReason | null;
  /** The error in one line, when it failed. */
  error: string | null;
  /** What kind of failure it was, when that is known. */
  failure: RunFailure | null;
  /** What a run waits for whose status is `waiting`. */
  waitingFor?: WaitingCall[];
  /** Steps in the log. The last one of a run that failed or was aborted may have been cut off. */
  stepCount: number;
  /** When a stop was asked for. */
  stopRequestedAt: string | null;
  /** The message that shows it. */
  assistantMessageId: string | null;
  /** When it was begun. */
  createdAt: string;
  /** When a process took it up. */
  startedAt: string | null;
  /** When it settled. */
  finishedAt: string | null;
  /** When it was last written. */
  updatedAt: string;
}

/** What a turn may spend; what is not set is not limited. The last call may go beyond it. */
export interface RunBudget {
  /** Tokens of all its calls, prompts included. Where a provider does not count, answers are estimated. */
  tokens?: number;
  /** Calls of the model, the last of which is text only. */
  calls?: number;
  /** How long it may take, in milliseconds. */
  timeMs?: number;
  /** How much money, in the unit of the option `prices`, which must have the model that answers. */
  cost?: number;
}

/** A failure as outcomes, messages and streams carry it. */
export interface RunFailure {
  /** What kind it is. A row may have one of another version's. */
  kind: FailureKind;
  /** The HTTP status, or the one that an error inside of an answer stands for. */
  statusCode?: number;
  /** Whether the same turn may well succeed a little later. */
  retryable: boolean;
  /** One line for people. */
  message: string;
}

/** Limits of runs. Times are in milliseconds. */
export interface RunLimits {
  /**
   * Model calls in a turn, the last of which is text only.
   * @default 20
   */
  maxSteps?: number;
  /**
   * How long a run stays its owner's without a sign of life; renewed at a third of it.
   * @default 15000
   */
  leaseMs?: number;
  /**
   * How long a provider may send nothing of its answer. Frames that carry none of it do not count.
   * @default 900000
   */
  providerSilenceMs?: number;
  /** The same until the first piece of an answer, where that is to be different. */
  firstChunkMs?: number;
  /** How long a step may take, with its tools; a run that takes longer is aborted with what it has. */
  stepTimeoutMs?: number;
  /**
   * How often a step is asked for again whose answer broke off: the connection was lost, the provider had too much to
   * do or fell silent. What had streamed of it is withdrawn. At most 10.
   * @default 1
   */
  stepRetries?: number;
  /** How long a run may take. */
  runTimeoutMs?: number;
  /**
   * Abort a run whose model's output goes round in circles.
   * @default true
   */
  degenerationGuard?: boolean;
  /**
   * How long a tool may take that does not say so itself.
   * @default 900000
   */
  toolTimeoutMs?: number;
  /**
   * How many bytes one answer may have: its text, reasoning, files and the inputs of its calls.
   * @default 33554432
   */
  maxAnswerBytes?: number;
  /**
   * How many tool calls one answer may have.
   * @default 256
   */
  maxCallsPerStep?: number;
  /**
   * How many of a step's calls run at once.
   * @default 32
   */
  maxParallelCalls?: number;
  /**
   * How long the input of a call may be checked against its schema.
   * @default 2000
   */
  inputCheckMs?: number;
  /**
   * How many of a chat's newest messages a model is told, at most; at least 1.
   * @default 100
   */
  historyMessages?: number;
  /**
   * What becomes of members of a tool's input that its schema does not allow, where the tool does not say.
   * @default 'strip'
   */
  unknownMembers?: UnknownMembers;
  /**
   * How many bytes of a tool's output pages are shown, where the tool does not say.
   * @default 262144
   */
  shownOutputBytes?: number;
  /**
   * How often stops from other processes are looked for.
   * @default 250
   */
  stopPollMs?: number;
  /**
   * How often the log of a run of another process is looked at while somebody follows it.
   * @default 100
   */
  tailPollMs?: number;
  /**
   * How long the streamed chunks of a settled run are kept for readers that come back. Its steps stay.
   * @default 600000
   */
  chunkRetentionMs?: number;
  /**
   * How long a run that is to be superseded may take to settle.
   * @default 30000
   */
  supersedeTimeoutMs?: number;
  /**
   * Bring the message row up to date at every step, for hosts that read the table by themselves while a run goes on.
   * Otherwise that is done about once a second while the row is small, and then at the end.
   * @default false
   */
  refreshEveryStep?: boolean;
  /**
   * How many runs of others an engine that offers tools drives at a time.
   * @default 64
   */
  maxOfferedRuns?: number;
  /**
   * For how long a write is attempted again while the store cannot be reached; then the run ends here. What can never
   * succeed ends it at once.
   * @default 600000
   */
  storePatienceMs?: number;
  /**
   * How long a host's own loop may take to finish a run that was asked to stop; then the engine settles it. Defaults to
   * two leases.
   */
  stopDeadlineMs?: number;
  /** How long a host's own loop may record nothing; then its run is aborted as `timeout`. Unlimited by default. */
  hostedSilenceMs?: number;
  /**
   * How many turns of one chat may wait for it.
   * @default 20
   */
  maxWaitingPerChat?: number;
  /**
   * How many turns of one user may wait, in all chats.
   * @default 200
   */
  maxWaitingPerUser?: number;
  /**
   * How many messages may wait for a run that they are to join.
   * @default 20
   */
  maxSteering?: number;
  /**
   * What becomes of calls that change something once their turn has read content from outside (results of tools that
   * are `untrusted`, of tool servers, and of tools that a provider runs): `off`, `ask` (recommended) or `refuse`.
   * @default 'off'
   */
  taint?: TaintMode;
}

/** How a turn ended. It is given out only after it is on disk. */
export interface RunOutcome {
  /** The run. */
  runId: string;
  /** Its chat. */
  chatId: string;
  /** The assistant's message. */
  messageId: string;
  /** `succeeded`, `failed` or `aborted`. */
  status: EndStatus;
  /** Why it did not succeed. */
  reason: RunReason | null;
  /** The error in one line, when it failed. */
  error: string | null;
  /** What kind of failure it was, when it failed. */
  failure: RunFailure | null;
  /** The last step's finish reason. */
  finishReason: FinishReason | null;
  /** Tokens of all steps. */
  usage: Usage | null;
  /** Steps in the log. The last one of a run that failed or was aborted may have been cut off. */
  stepCount: number;
  /** What went wrong beside it, where that is known: only whoever drives a run knows it. */
  warnings?: RunWarning[];
}

/** Why a run did not succeed. */
export type RunReason =
  /** Somebody asked it to stop. */
  | 'stopped'
  /** Another run took its place. */
  | 'superseded'
  /** Its client went away and it was not detached. */
  | 'disconnected'
  /** The process that ran it died or lost its lease. */
  | 'worker_lost'
  /** The engine was closed. */
  | 'shutdown'
  /** A time limit ran out. */
  | 'timeout'
  /** A budget was spent. */
  | 'budget'
  /** The model's output had fallen into a loop. */
  | 'degenerate'
  /** The provider refused or failed. */
  | 'provider_error'
  /** A bug of ours, or a store that refused a write for good. */
  | 'internal';

/** What a run of a host is begun with. */
export interface RunRequestFields {
  /** The workspace. */
  workspaceId: string;
  /** The user. */
  userId: string;
  /** The chat; it is created when there is none of this id, and when no id is given. */
  chatId?: string;
  /** What the user wrote; nothing when the host has stored that itself. */
  message?: MessageInput;
  /** The role of a chat that is created. */
  roleId?: string;
  /**
   * The page that the user has open: what a client says of it where the engine has the host's check of pages, else
   * resolved by the host.
   */
  openPage?: PageRef;
  /**
   * What begins the run.
   * @default 'api'
   */
  trigger?: Trigger;
  /** The message that is to be answered anew, or in the place of which the user has written; see `TurnRequest`. */
  messageId?: string;
  /**
   * What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop later.
   * @default 'reject'
   */
  busy?: Busy;
  /** A second begin of the same user with the same key begins nothing. */
  idempotencyKey?: string;
}

/** Why a host is to end its loop. */
export type RunSignal =
  /** Somebody asked the run to stop: cancel what is under way and finish it as `aborted`. */
  | 'stopped'
  /** Another run is to take its place: as `Stopped`. */
  | 'superseded'
  /** The engine is closing. The run is settled without the host. */
  | 'shutdown'
  /** The run is another process's; nothing more can be written. */
  | 'lease_lost'
  /** The run has ended. */
  | 'settled';

/** Where a run is in its life. Only the last three are final. */
export type RunStatus =
  /** Waiting for its turn or for a worker. */
  | 'pending'
  /** Owned by a process. */
  | 'running'
  /** Waiting for somebody's answer, as nobody's: there is no process, task or lease. */
  | 'waiting'
  /** Ended as it should. */
  | 'succeeded'
  /** Ended by an error. */
  | 'failed'
  /** Ended from outside. */
  | 'aborted';

/**
 * A finished step of a host's loop: the AI SDK's step result. Its `content` is taken where there is one; otherwise
 * reasoning, text, calls, files and sources. What of it cannot be kept is refused, with its place.
 */
export interface RunStep {
  /** Its place in the run, from 0; the next one unless given. Recording a step again changes nothing. */
  number?: number;
  /** Everything in its order. */
  content?: readonly RunStepContent[];
  /** What the model thought. */
  reasoningText?: string;
  /** What it wrote. */
  text?: string;
  /** What it called. */
  toolCalls?: readonly RunStepCall[];
  /** What came back. An outcome of a call of another step has to name its tool, and is kept with this one. */
  toolResults?: readonly RunStepResult[];
  /** What failed. */
  toolErrors?: readonly RunStepError[];
  /** Files that the model made. */
  files?: readonly RunStepFile[];
  /** What the answer rests on, each as an entry of `content` would be. */
  sources?: readonly RunStepContent[];
  /** Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them. */
  experimental_steeringMessages?: readonly RunStepMessage[];
  /** Why the model stopped. */
  finishReason?: FinishReason;
  /** The provider's count for this call. */
  usage?: Usage;
}

/** A tool call of a step. */
export interface RunStepCall {
  /** Pairs the call with its outcome. */
  toolCallId: string;
  /** The tool. */
  toolName: string;
  /** The arguments. */
  input?: unknown;
  /** The provider runs the tool itself. */
  providerExecuted?: boolean;
  /** The tool is not one of those that pages know. */
  dynamic?: boolean;
  /** How pages are to call the tool. */
  title?: string;
  /** What the host has noted of the tool. */
  toolMetadata?: unknown;
  /** What the provider wants to see again. */
  providerMetadata?: unknown;
}

/** One entry of a step's content. */
export interface RunStepContent {
  type: RunStepContentType;
  /** Of text and reasoning. */
  text?: string;
  /** What a text rests on. */
  citations?: unknown;
  /** Of calls and their outcomes. */
  toolCallId?: string;
  /** The tool. */
  toolName?: string;
  /** The arguments. */
  input?: unknown;
  /** What the tool returned. */
  output?: unknown;
  /** Why the tool failed: a text, or an object with a `message`. */
  error?: unknown;
  /** Another output of the call follows. */
  preliminary?: boolean;
  /** The provider runs the tool itself. */
  providerExecuted?: boolean;
  /** The tool is not one of those that pages know. */
  dynamic?: boolean;
  /** How pages are to call the tool; of a source, its title. */
  title?: string;
  /** What the host has noted of the tool. */
  toolMetadata?: unknown;
  /** Of a question whether a call may be made, and of its answer. */
  approvalId?: string;
  /** The call that is asked for, or was. */
  toolCall?: RunStepCall;
  /** The answer. */
  approved?: boolean;
  /** Why it is asked, or why it was answered so. */
  reason?: string;
  /** The loop's own rules answer. */
  isAutomatic?: boolean;
  /** What binds the question to its call. */
  signature?: string;
  /** The input before the loop has refined it. */
  inputSchemaInput?: unknown;
  /** Of a source: `url` or `document`. */
  sourceType?: string;
  /** Of a source. */
  id?: string;
  /** Where a source is, or a file. */
  url?: string;
  /** Of a document or a file. */
  mediaType?: string;
  /** Of a document or a file. */
  filename?: string;
  /** Of a file that the model made. */
  file?: RunStepFile;
  /** What a custom entry is: its provider, a dot, and the provider's word. */
  kind?: string;
  /** What the provider wants to see again. */
  providerMetadata?: unknown;
}

/** What an entry of a step's content is. */
export type RunStepContentType =
  /** What the model wrote. */
  | 'text'
  /** What it thought. */
  | 'reasoning'
  /** What the answer rests on. */
  | 'source'
  /** The same as pages have it. */
  | 'source-url'
  /** The same as pages have it. */
  | 'source-document'
  /** A file that the model made. */
  | 'file'
  /** A file that it made while it was thinking. This and what follows, but for calls, is of the AI SDK 7. */
  | 'reasoning-file'
  /** What only its provider knows. */
  | 'custom'
  /** A call. */
  | 'tool-call'
  /** What a call returned. */
  | 'tool-result'
  /** Why it failed. */
  | 'tool-error'
  /** It was denied. */
  | 'tool-output-denied'
  /** Somebody is asked whether a call may be made. */
  | 'tool-approval-request'
  /** What they said. */
  | 'tool-approval-response';

/** A tool's failure: a text, or an object with a `message`. */
export interface RunStepError {
  /** The call that failed. */
  toolCallId: string;
  /** The tool; needed when the call is not of this step. */
  toolName?: string;
  /** The arguments of a call that is not of this step. */
  input?: unknown;
  /** Why, as the tool said it. */
  error?: unknown;
  /** Why, as the model was told. */
  errorText?: string;
}

/** A file that the model made. */
export interface RunStepFile {
  /** Its media type. */
  mediaType?: string;
  /** What is in it, unless `url` says where it is. */
  base64?: string;
  /** Its URL or data URL. */
  url?: string;
  /** Its name. */
  filename?: string;
  /** What the provider wants to see again. */
  providerMetadata?: unknown;
}

/** A user's message. */
export interface RunStepMessage {
  /** What the user says: a text, or texts, images and files. */
  content: RunStepMessageContent;
}

/** A text, or texts, images and files. */
export type RunStepMessageContent =
  | string
  | readonly RunStepMessagePart[];

/** Text, an image or a file. */
export interface RunStepMessagePart {
  type: RunStepMessagePartType;
  /** Of text. */
  text?: string;
  /** An image: a URL, or what is in it as base64. */
  image?: unknown;
  /** A file: a URL, what is in it as base64, or either as the AI SDK 7 tags it. */
  data?: unknown;
  /** What kind of file it is. */
  mediaType?: string;
  /** Its name. */
  filename?: string;
  /** What providers are to be told with it. */
  providerOptions?: unknown;
}

/** What a part of a message is. */
export type RunStepMessagePartType =
  /** Text. */
  | 'text'
  /** An image. */
  | 'image'
  /** Any other file, or an image as well. */
  | 'file';

/** A tool's result. */
export interface RunStepResult {
  /** The call that it answers. */
  toolCallId: string;
  /** The tool; needed when the call is not of this step. */
  toolName?: string;
  /** The arguments of a call that is not of this step. */
  input?: unknown;
  /** What the tool returned. */
  output?: unknown;
  /** The provider runs the tool itself. */
  providerExecuted?: boolean;
  /** The tool is not one of those that pages know. */
  dynamic?: boolean;
  /** What the provider wants to see again. */
  providerMetadata?: unknown;
}

/** Something that went wrong beside a turn, which went on without it. */
export interface RunWarning {
  /** What. */
  code: WarningCode;
  /** The tool server, as its administrators call it. */
  server: string;
  /** In one line, what is known of it. */
  message: string;
}

/** What a model wrote or thought. */
export type SaidPart =
  | { type: 'text'; text: string; state?: PartState; providerMetadata?: Record<string, any>; citations?: unknown[] }
  | { type: 'reasoning'; text: string; state?: PartState; providerMetadata?: Record<string, any> };

/** What was found. */
export interface SearchAnswer {
  /** By what. */
  mode: SearchMode;
  /** The chunks, best first. */
  hits: ChunkHit[];
}

/** By what pages are found. */
export type SearchMode =
  /** By meaning and by words. */
  | 'hybrid'
  /** By words alone. */
  | 'text';

/** In which form secrets are sealed. */
export type SecretForm =
  /** That of the system before, which it can read, and which is bound to no record. */
  | 'legacy'
  /** Ours: bound to its record, and to the application secret by name. */
  | 'current';

/** How keys are kept. */
export interface SecretOptions {
  /**
   * The form in which keys are written: `legacy`, which the system before reads, or `current`. Defaults to `legacy` on
   * a database of that system, and to `current` elsewhere. Both are read; on a database of turnkeep's own the old form,
   * which is bound to no record, only with `legacy`.
   */
  write?: SecretForm;
  /**
   * Send a stored key nowhere but to the address that was set when it was entered: whoever changes the address enters
   * the key anew. `false` is for hosts whose workspaces' administrators are trusted with the keys themselves.
   * @default true
   */
  bindToAddress?: boolean;
}

/** What a rotation came to. */
export interface SecretRotation {
  /** Secrets that were sealed anew, or would be in a dry run. */
  resealed: number;
  /** Secrets that none of the application secrets opens. They stay as they are; people have to enter them again. */
  unreadable: number;
}

/** Who may ask for workspaces' settings. */
export interface SettingsOptions {
  /**
   * Whether `settings.get`, `.update` and `.test` must say who acts. Whoever is said to act must be an administrator in
   * any case.
   * @default 'optional'
   */
  actor?: ActorRule;
}

/**
 * A change of settings. What is absent stays; null takes a setting away. Keys are those of the driver that is set: `""`
 * clears one, null leaves it.
 */
export interface SettingsPatch {
  driver?: DriverName | null;
  chatModel?: string | null;
  /** Tokens that the model's context holds. */
  chatContextWindow?: number | null;
  /** `openai-compatible` where there is a base URL, unless set. */
  chatApiStyle?: ChatApiStyle | null;
  baseUrl?: string | null;
  embeddingModel?: string | null;
  /** `baseUrl` unless set. */
  embeddingBaseUrl?: string | null;
  sttModel?: string | null;
  /** `baseUrl` unless set. */
  sttBaseUrl?: string | null;
  sttApiStyle?: SttApiStyle | null;
  sttLanguage?: string | null;
  /** The persona for chats without a role. */
  systemPrompt?: string | null;
  publicShareChatModel?: string | null;
  publicShareAssistantRoleId?: string | null;
  apiKey?: string | null;
  embeddingApiKey?: string | null;
  sttApiKey?: string | null;
  features?: WorkspaceFeaturesPatch;
}

/** What came of trying. */
export interface SettingsTest {
  /** Whether it works. */
  ok: boolean;
  /** Why it does not, in one line. */
  error?: string;
}

/** A hit that the person may see. */
export interface ShownHit {
  id: string;
  title: string;
  snippet: string;
}

/** A message as pages show it. */
export interface ShownMessage {
  id: string;
  role: MessageRole;
  metadata?: ShownMetadata;
  parts: MessagePart[];
}

/** How the stream told that a message ended, or a client's own metadata. */
export interface ShownMetadata {
  chatId?: string;
  runId?: string;
  usage?: Usage;
  failure?: RunFailure;
  status?: MessageStatus;
  reason?: RunReason;
  error?: string;
  truncatedOutputs?: Record<string, number>;
  finishReason?: string;
  [key: string]: unknown;
}

/** A role: all of it for administrators, what it takes to choose one for everybody else. */
export type ShownRole =
  | AgentRole
  | AgentRoleSummary;

/** A signed claim. */
export interface SignedProvenance {
  /** A JSON Web Token (HS256), to be sent along with what the agent does. */
  token: string;
  /** From when on it is refused. */
  expiresAt: string;
}

/** How a text is split. */
export interface SplitOptions {
  /** No chunk is longer. 1000 unless given. */
  chunkSize?: number;
  /** How much of a chunk's end the next one may repeat. 200 unless given. */
  chunkOverlap?: number;
}

/** How a turn is that is not stored. */
export interface Stateless {
  /** The persona, whatever `roleId` says: that then gives the model only. At most 20,000 characters. */
  persona?: string;
  /** The turn is for a visitor of public pages. */
  public?: PublicTurn;
}

/** What is kept of a turn that is not stored: whose it was, and how it ended. */
export interface StatelessRun {
  /** Its id. */
  id: string;
  /** The workspace that it belongs to. */
  workspaceId: string;
  /** Who began it. */
  createdBy: string;
  /** Where it is. */
  status: RunStatus;
  /** Why it did not succeed. */
  reason: RunReason | null;
  /** The error in one line, when it failed. */
  error: string | null;
  /** How many steps it had. */
  stepCount: number;
  /** When a stop was asked for. */
  stopRequestedAt: string | null;
  /** When it was begun. */
  createdAt: string;
  /** When it ended. */
  finishedAt: string | null;
}

/** That a message was accepted. */
export interface SteerAnswer {
  /** Its id. */
  messageId: string;
  /** Where it will be. */
  place: SteeringPlace;
  /** What has become of it so far. */
  state: SteeringState;
}

/** A message that was to join a run. */
export interface Steering {
  /** Its id: the client's own, or one that is made of it. */
  messageId: string;
  /** The run that it was for. */
  runId: string;
  /** The chat. */
  chatId: string;
  /** What has become of it. */
  state: SteeringState;
  /** The step before whose answer it has entered. */
  step?: number;
  /** The user's message: `{"parts": [...], "metadata"?}`. */
  message: unknown;
  /** When it was accepted. */
  createdAt: string;
}

/** Where a message that was accepted will be, as far as that is known when it is acknowledged. */
export type SteeringPlace =
  /** In its run: before the answer of the next step, unless the run ends before that. */
  | 'this_run'
  /** In the chat's next turn: the run has ended, or is to stop. */
  | 'next_turn'
  /** Nowhere: it was taken back. */
  | 'nowhere';

/** What has become of a message that was to join a run. */
export type SteeringState =
  /** It waits: for the next step of its run, or for the chat's next turn once that run has ended. */
  | 'waiting'
  /** It is in the log of its run, before the model's answer of `step`. */
  | 'entered'
  /** Its run had ended: it is a message of the chat now, of the turn that came next. */
  | 'next_turn'
  /** It was taken back before any of that. */
  | 'taken_back';

/**
 * One finished model call with its tool outcomes, such as an AI SDK StepResult. Only these members are read: of a step
 * with lists these, unless its content holds what they do not say; otherwise its content.
 */
export interface Step {
  text?: string | null;
  toolCalls?: readonly StepToolCall[] | null;
  toolResults?: readonly StepToolResult[] | null;
  /** The real text of failed calls. */
  toolErrors?: readonly StepToolError[] | null;
  /** Everything in its order. */
  content?: readonly RunStepContent[] | null;
  /** Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them. */
  experimental_steeringMessages?: readonly RunStepMessage[] | null;
  usage?: unknown;
}

/** What is different about a step. */
export interface StepOverride {
  toolChoice: NoTools;
  system: string;
}

/** A tool call of a step. */
export interface StepToolCall {
  toolCallId: string;
  toolName: string;
  input?: unknown;
}

/** What came of a call that failed. */
export interface StepToolError {
  toolCallId: string;
  toolName: string;
  errorText: string;
}

/** A tool's result. */
export interface StepToolResult {
  toolCallId: string;
  toolName: string;
  output?: unknown;
}

/** How the store is. */
export interface StoreHealth {
  /** `sqlite` or `postgres`. */
  kind: StoreKind;
  /** Whether it has taken a write just now. */
  ok: boolean;
  /** How long that took. */
  latencyMs?: number;
  /** Why it has not answered. */
  error?: string;
}

/** Which database a store is. */
export type StoreKind = 'sqlite' | 'postgres';

/** What a stream is in. */
export type StreamFormat =
  /** Chunks of the AI SDK's UI message stream. */
  | 'ui'
  /** Events of AG-UI 1.0. */
  | 'ag-ui';

/**
 * What `messageMetadata` carries: the ids in the first chunk, the usage so far after each step, how it ended at the
 * end.
 */
export interface StreamMetadata {
  /** The chat, which may have been created by this turn. */
  chatId?: string;
  /** The run. */
  runId?: string;
  /** Tokens of all steps so far. */
  usage?: Usage;
  /** What kind of failure ended the run. */
  failure?: RunFailure;
  /** The message's status, once that is final. */
  status?: EndedMessageStatus;
  /** Why the run did not succeed. */
  reason?: RunReason;
  /** The error in one line, when it failed. */
  error?: string;
  /** The run has not ended: it waits for somebody's answer. */
  waiting?: true;
  /** The calls of the step of whose outputs less is shown than there is, and how many bytes there are. */
  truncatedOutputs?: Record<string, number>;
}

/** A usage as providers' libraries give it; `outputTokenDetails.reasoningTokens` wins over `reasoningTokens`. */
export interface StreamUsageFields {
  inputTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
  reasoningTokens?: number;
  outputTokenDetails?: OutputTokenDetails;
}

/** `StreamUsageFields`, of an object that may hold more. */
export type StreamUsage = StreamUsageFields | (StreamUsageFields & Record<string, unknown>);

/** A part of a stream of the AI SDK, as far as it is read. */
export interface StreamedPartFields {
  type: string;
  totalUsage?: StreamUsage;
}

/** `StreamedPartFields`, of an object that may hold more. */
export type StreamedPart = StreamedPartFields | (StreamedPartFields & Record<string, unknown>);

/** How recordings are sent. */
export type SttApiStyle = 'multipart' | 'json';

/** A cursor as it was given out, or its number. */
export type TailCursor =
  | number
  | string;

/** How the run that was followed ended. */
export interface TailEnd {
  /** A final status. */
  status: EndStatus;
  /** Why it did not succeed. */
  reason: RunReason | null;
  /** The error in one line, when it failed. */
  error: string | null;
}

/** A chunk of a run's log. */
export interface TailItem {
  /** Where to go on after this chunk. */
  cursor: string;
  chunk: UIMessageChunk;
  /** The place that was asked for is not known any more: what follows begins anew and replaces what was read before. */
  resync?: boolean;
}

/** Where a tail begins: with finished steps in compact form, or chunk by chunk. */
export type TailStart = 'snapshot' | 'start';

/** What becomes of calls that change something, once their turn has read content from outside. */
export type TaintMode =
  /** They are made as any other. */
  | 'off'
  /** Somebody has to allow them first. In runs that cannot wait they are refused. */
  | 'ask'
  /** They are refused: the model is told why. */
  | 'refuse';

/** Content from outside that a turn has read: the first of its origin. */
export interface TaintSource {
  /**
   * Where it is from: `server:NAME` for a tool of a tool server, `tool:NAME` for any other tool, `provider:NAME` for
   * one that the provider runs itself, `provider:sources` for pages that it says it has used, `page` for the page that
   * is open.
   */
  origin: string;
  /** The tool. */
  toolName?: string;
  /** Its call. */
  toolCallId?: string;
  /** The call is one of an earlier turn, of which the model is told. */
  earlier?: true;
}

export interface TakenAudio {
  ok: true;
  baseMime: string;
  format: string;
}

/** When a model is told of a tool. */
export type Tier =
  /** Whole, from the first step on. */
  | 'core'
  /** In a line, until it asks for it. */
  | 'deferred';

/** What a model is asked for a title. */
export interface TitlePrompt {
  /** The system prompt. */
  system: string;
  /** The user's message. */
  prompt: string;
}

/** A part that a model can be told. */
export type ToldPart =
  | { type: 'text'; text: string; state?: PartState }
  | { type: 'file'; mediaType: string; url: string; filename?: string }
  | { type: 'step-start' };

/** That somebody is asked for a call, and what was said. */
export interface ToolApproval {
  id: string;
  approved?: boolean;
  reason?: string;
  requestReason?: string;
  isAutomatic?: boolean;
  signature?: string;
  inputSchemaInput?: unknown;
}

/** What a call of a tool with effects is noted by. */
export interface ToolEffect {
  /** The call's name over all runs; the same whenever the call is made. */
  key: string;
  /** The store's database; none where nothing is stored of the turn. */
  database?: EffectDatabase;
}

/** A tool call with its outcome, or one that somebody is asked for. */
export type ToolOutcomePart =
  | { state: 'output-available'; type: `tool-${string}`; toolCallId: string; input: unknown; output: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval?: ToolApproval }
  | { state: 'output-error'; type: `tool-${string}`; toolCallId: string; input: unknown; errorText: string; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval?: ToolApproval }
  | { state: 'output-denied'; type: `tool-${string}`; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval }
  | { state: 'approval-requested'; type: `tool-${string}`; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval }
  | { state: 'approval-responded'; type: `tool-${string}`; toolCallId: string; input: unknown; providerExecuted?: boolean; callProviderMetadata?: Record<string, any>; resultProviderMetadata?: Record<string, any>; title?: string; toolMetadata?: Record<string, any>; approval: ToolApproval };

/** A call in the trace. */
export interface TraceCall {
  toolName: string;
  input: unknown;
}

/** An entry of a message's trace. Calls as they come, then results; those of one step before those of the next. */
export type TraceEntry =
  | TraceCall
  | TraceResult;

/** A result in the trace. */
export interface TraceResult {
  toolName: string;
  output: unknown;
}

/** What began a run. */
export type Trigger =
  /** A person wrote. */
  | 'user'
  /** A role that begins by itself. */
  | 'autostart'
  /** A schedule. */
  | 'schedule'
  /** A program. */
  | 'api'
  /** A person wants an answer anew. */
  | 'regenerate'
  /** Going on where a run had ended. */
  | 'continue';

/** How a history is trimmed. */
export interface TrimOptions {
  /** How many tokens, as estimated here. At least one. */
  budgetTokens: number;
  /** What the provider counted for the last call. When that is more than the estimate, estimates are raised. */
  contextTokens?: number;
  /** How many of the newest turns are kept whatever they cost. At least one, and one unless given. */
  keepTurns?: number;
}

/** What of a history is kept. */
export interface TrimmedHistory {
  /** As they were given. */
  messages: ModelMessage[];
  /** Whether something was left out. */
  trimmed: boolean;
  estimatedTokens: number;
}

/** What a turn is begun with. */
export interface TurnRequestFields {
  /** The workspace. */
  workspaceId: string;
  /** The user. */
  userId: string;
  /** The chat; it is created when there is none of this id, and when no id is given. */
  chatId?: string;
  /** What the user wrote. It is passed over where an answer is generated anew, and needed otherwise. */
  message?: MessageInput;
  /** The role of a chat that is created; a chat keeps the role that it was created with. */
  roleId?: string;
  /**
   * The page that the user has open: what a client says of it where the engine has the host's check of pages, else
   * resolved by the host.
   */
  openPage?: PageRef;
  /**
   * Give the model the tool `getCurrentPage`, which answers `{page: {id, title}}`, or `{page: null}` where no page is
   * open. A tool of the host's own that is named so takes its place.
   * @default false
   */
  pageTool?: boolean;
  /**
   * Give the model the tools of the workspace's enabled tool servers (`mcp.create`), named after their servers, with
   * what the administrators say about them. Tools of the host's own that are named so take their place. A server that
   * cannot be used is missing, and told in the outcome's `warnings`.
   * @default false
   */
  mcpTools?: boolean;
  /**
   * Give the model tools for a Docmost server, by which it finds, reads and changes pages as the user, and
   * `getCurrentPage`. Tools of the host's own that are named so take their place.
   */
  docmost?: DocmostAccess;
  /** The tools of this turn, for hosts that answer calls through a mailbox. */
  tools?: readonly [];
  /** The provider; without it the one named `default`, or the only one. */
  provider?: ProviderChoice;
  /**
   * `false`: the run stops when its last reader goes away.
   * @default true
   */
  detached?: boolean;
  /**
   * What begins the turn.
   * @default 'user'
   */
  trigger?: Trigger;
  /**
   * As the AI SDK's clients send it. With `regenerate-message`: the answer that is to be generated anew, or the user's
   * message that is to be answered anew; the newest answer unless given. Otherwise: the user's message that this one is
   * written in the place of, with everything after it. What was there before stays as a version.
   */
  messageId?: string;
  /**
   * What to do when the chat is busy.
   * @default 'reject'
   */
  busy?: Busy;
  /** A second turn of the same user with the same key begins nothing and follows the first. */
  idempotencyKey?: string;
  /**
   * Names of tools that engines offer (`offerTools`), instead of `tools`. Such a run is driven by any engine that
   * offers all of them: this one if it does, else the first that takes it, and another one when that engine is closed
   * or its process dies. Its model is the one that its workspace and role, or that engine's options, say.
   */
  offeredTools?: readonly string[];
  /**
   * Whether a run that waits for somebody's answer still holds its chat. `false`: other turns may begin there
   * meanwhile, and it goes on when the chat is free. Only with `offeredTools`: other runs cannot wait.
   * @default true
   */
  holdsChat?: boolean;
  /** The workspace's name, instead of `prompt.workspaceName`. */
  workspaceName?: string;
  /** Guidance for tools of connected servers, between the rules that nothing can remove. */
  mcpInstructions?: readonly McpGuidance[];
  /** Rules that join the safety text, after those of `prompt.extraRules`. */
  extraRules?: readonly string[];
  /** What else the host has to say to the model, between the rules that nothing can remove. */
  extraSystem?: string;
  /** Model calls in this turn, the last of which is text only; `runs.maxSteps` unless given. 1 to 1000. */
  maxSteps?: number;
  /** Another model of the provider that answers. */
  model?: string;
  /** How the model is to answer in this turn; what is not set is as the provider's settings say. */
  options?: CallOptions;
  /**
   * What this turn may spend. Once that is spent the run ends between two steps, as `aborted` with the reason `budget`;
   * when four fifths of it are, the model is asked for its last answer.
   */
  budget?: RunBudget;
  /**
   * `ai-6` (the default) or `ai-7`: what readers of this turn are told. Clients of version 7 of the AI SDK are told of
   * steps that are withdrawn, of messages that join the run, and of what else only they know, by chunks of their own.
   * @default 'ai-6'
   */
  protocol?: Protocol;
  /**
   * `ui` (the default), or `ag-ui`: events of AG-UI 1.0 instead of chunks of the AI SDK.
   * @default 'ui'
   */
  format?: StreamFormat;
  /**
   * Every event of this turn's streams over HTTP has a place, its `id`, from the first one on: what streams goes to
   * disk as it streams. Otherwise that begins with the step after such a stream is first read.
   * @default false
   */
  resumable?: boolean;
  /** How often what fails is asked for again. */
  retries?: TurnRetries;
  /**
   * What becomes of calls that change something once the turn has read content from outside, instead of `runs.taint`:
   * `off`, `ask` or `refuse`.
   */
  taint?: TaintMode;
  /** Calls that the turn may make all the same. */
  taintAllow?: readonly AllowRule[];
  /**
   * The models that are asked when the turn's own fails and asking it again is no use, in order: at most 10. Which one
   * answers is told in the stream and stays in the message, as a part `data-model`.
   */
  fallbacks?: readonly FallbackModel[];
  /**
   * What was said before, oldest first, where the host keeps that itself: the model is told this instead of the chat's
   * stored messages.
   */
  history?: readonly GivenMessage[];
  /**
   * Nothing of the turn is stored but its record (`runs.getStateless`) and what it uses: no chat, no message, no log.
   * It is told `history`, and streams, stops and is limited as any other; its ids are those of no chat.
   */
  stateless?: Stateless;
}

/** How often a turn asks again. */
export interface TurnRetries {
  /**
   * How often a step whose answer broke off is asked for again of the same model; `runs.stepRetries` unless given. 0 to
   * 10.
   */
  step?: number;
}

/** One chunk of the stream. Serialized, it is the JSON that the AI SDK's client reads. */
export type UIMessageChunk =
  | { type: 'start'; messageId: string; messageMetadata: StreamMetadata }
  | { type: 'start-step' }
  | { type: 'text-start'; id: string; providerMetadata?: Record<string, any> }
  | { type: 'text-delta'; id: string; delta: string; providerMetadata?: Record<string, any> }
  | { type: 'text-end'; id: string; providerMetadata?: Record<string, any>; citations?: unknown }
  | { type: 'reasoning-start'; id: string; providerMetadata?: Record<string, any> }
  | { type: 'reasoning-delta'; id: string; delta: string; providerMetadata?: Record<string, any> }
  | { type: 'reasoning-end'; id: string; providerMetadata?: Record<string, any> }
  | { type: 'tool-input-start'; toolCallId: string; toolName: string; providerExecuted?: true; providerMetadata?: Record<string, any>; dynamic?: true; title?: string; toolMetadata?: unknown }
  | { type: 'tool-input-delta'; toolCallId: string; inputTextDelta: string }
  | { type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown; providerExecuted?: true; providerMetadata?: Record<string, any>; dynamic?: true; title?: string; toolMetadata?: unknown }
  | { type: 'tool-input-error'; toolCallId: string; toolName: string; input: unknown; providerExecuted?: true; providerMetadata?: Record<string, any>; dynamic?: true; title?: string; toolMetadata?: unknown; errorText: string }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown; providerExecuted?: true; providerMetadata?: Record<string, any>; dynamic?: true; title?: string; toolMetadata?: unknown }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown; preliminary: true }
  | { type: 'tool-output-error'; toolCallId: string; errorText: string; providerExecuted?: true; providerMetadata?: Record<string, any>; dynamic?: true; title?: string; toolMetadata?: unknown }
  | { type: 'tool-approval-request'; approvalId: string; toolCallId: string; reason?: string; isAutomatic?: true; signature?: string; inputSchemaInput?: unknown; approvalDescriptor?: unknown; answerReason?: string }
  | { type: 'tool-output-denied'; toolCallId: string; reason?: RunReason }
  | { type: 'finish-step' }
  | { type: 'message-metadata'; messageMetadata: StreamMetadata }
  | { type: 'finish'; finishReason: FinishReason; messageMetadata?: StreamMetadata }
  | { type: 'abort'; reason: RunReason }
  | { type: 'error'; errorText: string }
  | PartChunk;

/** A page of a chat's messages as clients of the AI SDK have them. */
export interface UiMessagePage {
  /** The messages, in the order that was asked for. */
  items: ShownMessage[];
  /** For `cursor`: what comes after these; null at the end of the list. */
  nextCursor: string | null;
  /** For `beforeCursor`: what comes before these; null at the list's beginning. */
  prevCursor: string | null;
}

/** What becomes of members of an input that its schema forbids by `additionalProperties: false`. */
export type UnknownMembers =
  /** They are taken out before the tool sees the input. */
  | 'strip'
  /** The call is refused, and the model is told. */
  | 'refuse';

/** What becomes of a chat that is to be created with a role that is deleted, disabled or not there. */
export type UnknownRole =
  /** It is not created: `NOT_FOUND`. */
  | 'refuse'
  /** It is created without a role. */
  | 'fallback';

/** Tokens of a step or of a turn. A field that the provider did not report is absent, not zero. */
export interface Usage {
  /** Tokens of the prompt. */
  inputTokens?: number;
  /** Tokens of the answer, reasoning included. */
  outputTokens?: number;
  /** Both together. */
  totalTokens?: number;
  /** Of the answer's tokens, those spent on reasoning. */
  reasoningTokens?: number;
  /** Of the prompt's tokens, those that the provider had kept from an earlier call. */
  cachedInputTokens?: number;
}

/** What a report is grouped by. */
export type UsageBy =
  /** Days of UTC. */
  | 'day'
  /** Users. */
  | 'user'
  /** Chats. */
  | 'chat'
  /** What providers were called for. */
  | 'kind'
  /** Models. */
  | 'model';

/** What users and workspaces may use, over windows that slide with time. What is not set is not limited. */
export interface UsageLimits {
  /** Turns that a user of a workspace may begin: `RATE_LIMITED` beyond that. What is refused is not counted. */
  userRequests?: Window;
  /** Turns that may be begun in a workspace: `RATE_LIMITED` beyond that. */
  workspaceRequests?: Window;
  /**
   * Tokens that the calls of a workspace may use: `BUDGET_EXHAUSTED` beyond that for turns, vectors, transcripts and
   * titles, and a run that is in progress by then ends between two steps, aborted with the reason `budget`. Before a
   * call, its prompt and 1,000 tokens of answer, or `maxOutputTokens`, are set aside; what it has really used counts in
   * their place when it is done.
   */
  workspaceTokens?: Window;
  /** Turns that visitors of a workspace's public pages may begin: 100 in an hour unless given. */
  publicRequests?: Window;
  /** Tokens that the calls of these turns may use: a million in a day unless given. */
  publicTokens?: Window;
}

/** What calls that have something in common have used. */
export interface UsageLine {
  /** The day of UTC, as `2026-01-31`, where days are told apart. */
  day?: string;
  /** The user, where users are told apart; null for calls of which that is not known. */
  userId?: string;
  /** The chat, where chats are told apart; null for calls for none. */
  chatId?: string;
  /** What providers were called for, where that is told apart. */
  kind?: CallKind;
  /** The model, where models are told apart; null for calls of which that is not known. */
  model?: string;
  /** How many calls there were. */
  calls: number;
  /** Of these, those whose tokens are estimated, all or some: they were stopped, or the provider does not count. */
  estimatedCalls: number;
  /** Tokens of prompts. */
  inputTokens: number;
  /** Of these, those that providers had kept from earlier calls. */
  cachedInputTokens: number;
  /** Tokens of answers. */
  outputTokens: number;
  /** Of these, those spent on reasoning. */
  reasoningTokens: number;
  /** Prompts and answers together. */
  totalTokens: number;
  /** What all of it costs, by the option `prices` as it is now. */
  cost: number;
  /** Calls whose model has no price, and which are not in the cost. */
  unpricedCalls: number;
}

/** How the ledger of calls to providers is kept. */
export interface UsageOptions {
  /**
   * For how many milliseconds calls are kept in it, and at least as long as tokens are limited; for ever unless given.
   */
  retentionMs?: number;
}

/** What was used. */
export interface UsageReport {
  /** The lines: the newest day first, then by user, chat, kind and model. */
  lines: UsageLine[];
  /** All of them together, also those that were left out. */
  total: UsageLine;
  /** Whether lines were left out, because there are more than 10,000. */
  truncated: boolean;
}

/** A user's message as clients of the AI SDK have it. */
export interface UserMessage {
  /**
   * The client's own id for it: kept where it is a UUID, else the message gets one that is made of it. A message that
   * is in the chat already is `MESSAGE_EXISTS`.
   */
  id?: string;
  /** Only a user's message begins a turn; a client's type may allow others. */
  role?: ClientRole;
  /** Kept, and given back by `rowToUiMessage`. */
  metadata?: unknown;
  /** At least one that says something. */
  parts: readonly UserMessagePart[];
}

/** A part of a user's message. */
export type UserMessagePart =
  | ToldPart
  | DataPart;

/** What a call waits for. */
export type WaitKind =
  /** That somebody allows it. */
  | 'approval'
  /** What a person answers: that is its output. */
  | 'question'
  /** What a client has come to: that is its output. */
  | 'client_tool';

/** A call that waits, as it is shown to those who may answer. */
export interface WaitingCall {
  /** The call. */
  callId: string;
  /** What it waits for. */
  kind: WaitKind;
  /** Its tool. */
  toolName: string;
  /** Its arguments. */
  input: unknown;
  /** The JSON Schema of the answer, or of an input that may be changed. */
  schema?: unknown;
  /** Whether whoever allows it may change its input. */
  editable?: true;
  /** From when on nobody may answer. */
  expiresAt?: string;
  /**
   * Stands for exactly this call: an answer that names it is for nothing else. Engines without an application secret
   * give none.
   */
  token?: string;
  /**
   * What the turn had read from outside when it made the call, the first of each origin; left out where it had read
   * nothing, or `taint` is off.
   */
  taintedBy?: TaintSource[];
}

/** A part of a list of runs that wait. */
export interface WaitingPage {
  /** The runs, with what they wait for. */
  items: Run[];
  /** Where the next part begins, if there may be one. */
  nextCursor?: string;
}

/** What can go wrong beside a turn. */
export type WarningCode =
  /** A tool server could not be used: its tools are missing. */
  | 'mcp_unavailable'
  /** A tool of a server cannot be used, and is missing. */
  | 'mcp_tool_left_out'
  /** A tool server has other tools than when the turn began. */
  | 'mcp_tools_changed'
  /** A call did not reach a tool server, or nothing came back. */
  | 'mcp_call_failed';

/** So much in so long. */
export interface Window {
  /** How much. */
  max: number;
  /** In how many milliseconds, up to now. */
  windowMs: number;
}

/** What is on in a workspace. */
export interface WorkspaceFeatures {
  /** Chats, and titles of pages. */
  chat: boolean;
  /** Turns that go on without a reader (`detached`), and runs that no person has begun (`trigger`). */
  autonomousRuns: boolean;
  /** Speech to text. */
  dictation: boolean;
}

/** Features to be switched on or off; null sets one back, and one that is absent stays. */
export interface WorkspaceFeaturesPatch {
  chat?: boolean | null;
  autonomousRuns?: boolean | null;
  dictation?: boolean | null;
}

/** A workspace's settings as they are stored and shown. Of keys only whether they are set. */
export interface WorkspaceSettings {
  driver?: DriverName | null;
  chatModel?: string | null;
  /** Tokens that the model's context holds. */
  chatContextWindow?: number;
  /** `openai-compatible` where there is a base URL, unless set. */
  chatApiStyle?: ChatApiStyle | null;
  baseUrl?: string | null;
  embeddingModel?: string | null;
  /** `baseUrl` unless set. */
  embeddingBaseUrl?: string | null;
  sttModel?: string | null;
  /** `baseUrl` unless set. */
  sttBaseUrl?: string | null;
  sttApiStyle?: SttApiStyle | null;
  sttLanguage?: string | null;
  /** The persona for chats without a role. */
  systemPrompt?: string | null;
  publicShareChatModel?: string | null;
  publicShareAssistantRoleId?: string | null;
  hasApiKey: boolean;
  hasEmbeddingApiKey: boolean;
  hasSttApiKey: boolean;
  /** A user and a password were in the address; they are kept as a secret. Absent where there are none. */
  hasBaseUrlLogin?: boolean;
  hasEmbeddingBaseUrlLogin?: boolean;
  hasSttBaseUrlLogin?: boolean;
  /** What is on in the workspace; the engine's option `features` says what becomes of the rest. */
  features: WorkspaceFeatures;
}

/** Methods of `engine.runs`. */
export interface RunsOperations {
  /**
   * One run.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  get(params: Who & {
    /** The run. */
    runId: string;
  }): Promise<Run>;
  /**
   * The newest run of a chat; null in a chat that never had one, or that is not there (yet).
   * @throws {TurnkeepError} FORBIDDEN
   */
  latestForChat(params: Who & {
    /** The chat. */
    chatId: string;
  }): Promise<Run | null>;
  /**
   * The run that holds a chat; null when the chat is free, or not there (yet).
   * @throws {TurnkeepError} FORBIDDEN
   */
  activeForChat(params: Who & {
    /** The chat. */
    chatId: string;
  }): Promise<Run | null>;
  /**
   * The newest runs of a chat, newest first; those that wait come before all others.
   * @throws {TurnkeepError} FORBIDDEN
   */
  list(params: Who & {
    /** The chat. */
    chatId: string;
    /** At most so many; 50 unless given. */
    limit?: number;
    /** A run's id: those that come after it in the list. */
    before?: string;
  }): Promise<Run[]>;
  /**
   * What is kept of a turn that is not stored: whose it was, and how it ended.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND
   */
  getStateless(params: Who & {
    /** The run. */
    runId: string;
  }): Promise<StatelessRun>;
  /**
   * Answers a call that a run waits for, once and for good, from any process: a call that needs an approval with
   * `approved`, a question or a tool of the client's with `output` (or `approved: false`, which says that there will be
   * none). The run goes on when all of its calls are answered, in an engine that offers its tools. `waiting` says how
   * many are left.
   * @throws {TurnkeepError} NOT_WAITING, ANSWER_MISMATCH, ANSWER_EXPIRED, INVALID_INPUT, NOT_FOUND, FORBIDDEN
   */
  answer(params: Who & {
    /** The run. */
    runId: string;
    /** The call. */
    callId: string;
    /** Whether the call may be made. */
    approved?: boolean;
    /** The call's output; it has to fit the question's schema. */
    output?: unknown;
    /** Arguments that the call is made with instead of its own, where its tool allows that. */
    input?: unknown;
    /** Why; the model is told. */
    reason?: string;
    /** The call's `token`, as it was listed: the answer is then for exactly this call with these arguments. */
    token?: string;
  }): Promise<Answered>;
  /**
   * Runs that wait for an answer, with what they wait for (`waitingFor`), in the order of their ids. Whoever is no
   * administrator sees those that they have begun.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  waiting(params: Who & {
    /** Who asks. */
    actor: Actor;
    /** The runs of one chat, among those. */
    chatId?: string;
    /** What comes behind this cursor of an earlier part. */
    cursor?: string;
    /** At most so many; 50 unless given. */
    limit?: number;
  }): Promise<WaitingPage>;
  /**
   * Lets a user's message join a run that has not ended, of whichever process. It is on disk when this answers. It
   * enters before the answer of the run's next step, and a run that would have succeeded makes one more step for it; if
   * the run ends otherwise, or has no step left, the message is the chat's next turn's. `place` says which of the two
   * is to be expected. A message of an id, or with a key, that was accepted before is that one: `state` says what has
   * become of it.
   * @throws {TurnkeepError} RUN_NOT_ACTIVE, MESSAGE_EXISTS, RATE_LIMITED, INVALID_INPUT, NOT_FOUND, FORBIDDEN
   */
  steer(params: Who & {
    /** The run. */
    runId: string;
    /** The message, as a turn is begun with. */
    message: MessageInput;
    /** What stands for the message where it has no id: a second one of the same key is the first. */
    idempotencyKey?: string;
  }): Promise<SteerAnswer>;
  /**
   * Takes a message back that waits: for its run, or for the next turn. Taking it back again changes nothing.
   * @throws {TurnkeepError} NOT_WAITING, NOT_FOUND, FORBIDDEN
   */
  unsteer(params: Who & {
    /** The message's id, as `runs.steer` has answered it. */
    messageId: string;
  }): Promise<Steering>;
  /**
   * The messages that wait, in their order: for the next step of a run, or, where that has ended, for the chat's next
   * turn.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  queue(params: Who & {
    /** Those of one run, */
    runId?: string;
    /** or those of a whole chat. */
    chatId?: string;
  }): Promise<Steering[]>;
  /**
   * All messages that were accepted for a run, in their order, with what has become of each.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  steering(params: Who & {
    /** The run. */
    runId: string;
  }): Promise<Steering[]>;
  /**
   * For a host with a loop of its own (`runs.begin`): lets the messages that wait for its run enter before the step
   * that it records next, and answers them, to be told to the model. They are in the log then. Asking again before the
   * step is recorded answers the same ones.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN, LEASE_LOST
   */
  takeSteering(params: Who & {
    /** The run. */
    runId: string;
  }): Promise<Steering[]>;
  /** Settles what dead processes have left, as opening an engine does. Answers how many runs that were. */
  sweep(): Promise<number>;
  /**
   * Puts a finished step of a host's own loop on disk, and answers its number. Recording a step again by its number
   * changes nothing. After `STORE_UNAVAILABLE` the step may be recorded again.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN, LEASE_LOST
   */
  recordStep(params: Who & {
    /** The run. */
    runId: string;
    /** The step. */
    step: RunStep;
  }): Promise<number>;
  /**
   * Ends a run that the host drives. Ending it again the same way changes nothing.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN, LEASE_LOST
   */
  finish(params: Who & {
    /** The run. */
    runId: string;
    /** `succeeded`, `failed` or `aborted`. */
    status: EndStatus;
    /** Why it did not succeed; `internal` for a run that failed and what it was stopped for otherwise, unless given. */
    reason?: RunReason;
    /** The error in one line, of a run that failed. */
    error?: string;
    /** Why the model stopped, unless the last step said it. */
    finishReason?: FinishReason;
    /** A last step, or what there was of it, written together with the end. */
    step?: RunStep;
  }): Promise<void>;
  /**
   * Waits until the host is to end the loop of its run, and says why.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  signal(params: Who & {
    /** The run. */
    runId: string;
  }): Promise<RunSignal>;
}

/** Methods of `engine.chats`. */
export interface ChatsOperations {
  /**
   * A new chat, before anybody has written in it. A turn makes the chat that it is begun in by itself; this is for
   * hosts that show a chat before that. One that is there already, and the caller's, is returned as it is.
   * @throws {TurnkeepError} INVALID_INPUT, NOT_FOUND, FORBIDDEN
   */
  create(params: Who & {
    /** Its id; one is made up unless given. */
    chatId?: string;
    /** Its title: 1 to 255 characters. */
    title?: string;
    /** Its role, for ever. */
    roleId?: string;
    /** The page that it is about. */
    pageId?: string;
  }): Promise<Chat>;
  /**
   * The user's chats, newest first, a page at a time, each with the name and emoji of its role and the title of its
   * page.
   */
  list(params: Who & {
    /** At most so many: 1 to 100; 20 unless given. */
    limit?: number;
    /** What comes after this cursor, the `nextCursor` of a page. */
    cursor?: string;
    /** What comes before this cursor, the `prevCursor` of a page. */
    beforeCursor?: string;
  }): Promise<ChatPage>;
  /** The user's newest chat that was created on a page; null when there is none. */
  latestForPage(params: Who & {
    /** The page. */
    pageId: string;
  }): Promise<Chat | null>;
  /**
   * Gives a chat another title. The chat as it is then.
   * @throws {TurnkeepError} INVALID_INPUT, NOT_FOUND, FORBIDDEN
   */
  rename(params: Who & {
    /** The chat. */
    chatId: string;
    /** 1 to 255 characters, without the white space around them. */
    title: string;
  }): Promise<Chat>;
  /**
   * Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  delete(params: Who & {
    /** The chat. */
    chatId: string;
  }): Promise<void>;
  /**
   * Removes a chat for good, deleted before or not: its runs are stopped, and then nothing of it is left in rows, log,
   * search, or files. A SQLite file is written anew for that, which takes as long as copying it.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  purge(params: Who & {
    /** The chat. */
    chatId: string;
  }): Promise<Purged>;
  /**
   * A chat that has what another one has up to a message, or a step of one, and then goes its own way; with its title,
   * its role and its page. Both share what they have: a fork costs next to nothing, however long the other chat is. In
   * tables that a host had before, whose own statements know of no forks, it has copies. Whatever becomes of either
   * chat, edits and purges too, the other one stays as it is. Of a message that is being written the fork has the
   * finished steps.
   * @throws {TurnkeepError} INVALID_INPUT, NOT_FOUND, FORBIDDEN
   */
  fork(params: Who & {
    /** The chat that is forked. */
    chatId: string;
    /** The last message that the fork has, or one of its versions; the newest message unless given. */
    messageId?: string;
    /** The last step of that message that the fork has, from 0; all of them unless given. */
    step?: number;
    /** The fork's id; one is made up unless given. */
    forkId?: string;
    /** The fork's title: 1 to 255 characters; that of the other chat unless given. */
    title?: string;
  }): Promise<Chat>;
  /**
   * One chat: its title, its role, the page that was open when it was created.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  get(params: Who & {
    /** The chat. */
    chatId: string;
  }): Promise<Chat>;
  /**
   * The messages of a chat, oldest first; none of a chat that is not there (yet). A message in progress has every
   * finished step.
   * @throws {TurnkeepError} FORBIDDEN
   */
  messages(params: Who & {
    /** The chat. */
    chatId: string;
    /** Only so many, the newest; all of them unless given. */
    limit?: number;
    /** A message's id: only those that are older. */
    before?: string;
  }): Promise<Message[]>;
  /**
   * The messages of a chat, a page at a time, by cursors; none of a chat that is not there (yet). A message in progress
   * has every finished step.
   * @throws {TurnkeepError} FORBIDDEN
   */
  messagePage(params: Who & {
    /** The chat. */
    chatId: string;
    /**
     * Begin with the newest message; with the oldest unless given.
     * @default false
     */
    newestFirst?: boolean;
    /** At most so many: 1 to 100; 50 unless given. */
    limit?: number;
    /** What comes after this cursor, the `nextCursor` of a page. */
    cursor?: string;
    /** What comes before this cursor, the `prevCursor` of a page. */
    beforeCursor?: string;
  }): Promise<MessagePage>;
  /**
   * As `chats.messagePage`, with messages as clients of the AI SDK have them.
   * @throws {TurnkeepError} FORBIDDEN
   */
  uiMessagePage(params: Who & {
    /** The chat. */
    chatId: string;
    /**
     * Begin with the newest message; with the oldest unless given.
     * @default false
     */
    newestFirst?: boolean;
    /** At most so many: 1 to 100; 50 unless given. */
    limit?: number;
    /** What comes after this cursor, the `nextCursor` of a page. */
    cursor?: string;
    /** What comes before this cursor, the `prevCursor` of a page. */
    beforeCursor?: string;
    /**
     * Which clients the messages are for.
     * @default 'ai-6'
     */
    protocol?: Protocol;
  }): Promise<UiMessagePage>;
  /**
   * All versions of a message, oldest first: it, and what stood in its place before it was edited or generated anew.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  versions(params: Who & {
    /** The chat. */
    chatId: string;
    /** The message, or any version of it. */
    messageId: string;
  }): Promise<MessageVersion[]>;
  /**
   * The messages of the user's chats that have all words of a query, newest first, each with a line of its text.
   * English and Russian words are found in their other forms, too. A message in progress is found once it has ended.
   * @throws {TurnkeepError} INVALID_INPUT, FORBIDDEN
   */
  search(params: Who & {
    /** Words; everything between them is passed over. */
    query: string;
    /** In this chat alone. */
    chatId?: string;
    /** At most so many: 1 to 100; 20 unless given. */
    limit?: number;
    /** A message's id, the last of a page: only those that are older. */
    before?: string;
  }): Promise<FoundMessage[]>;
  /**
   * What a page needs to show a chat and to go on with it: messages, and the run that brings what they lack. The two
   * fit together, also when the run has ended by the time that it is followed.
   * @throws {TurnkeepError} FORBIDDEN
   */
  open(params: Who & {
    /** The chat. */
    chatId: string;
    /** Only so many messages, the newest. */
    limit?: number;
    /**
     * What becomes of the message that a run is writing: left out (`omit`), and following the run brings all of it; or
     * there with its finished steps (`include`), and the cursor is behind them.
     * @default 'omit'
     */
    inProgress?: InProgress;
  }): Promise<OpenChat>;
  /**
   * A chat as one document: Markdown to be read, or JSON that `chats.import` takes.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN
   */
  export(params: Who & {
    /** The chat. */
    chatId: string;
    /** `markdown` (the default) or `json`. */
    format?: DocumentFormat;
    /** A language tag; Russian for `ru…`, English otherwise. */
    lang?: string;
    /** Words of the host's own, in place of the language's. */
    labels?: ExportLabels;
  }): Promise<string>;
  /**
   * A new chat made of a JSON export. Chat and messages get ids of their own.
   * @throws {TurnkeepError} INVALID_INPUT
   */
  import(params: Who & {
    /** The document. */
    document: string;
  }): Promise<Chat>;
}

/** Methods of `engine.roles`. */
export interface RolesOperations {
  /**
   * Creates a role. Its name must differ from those of the workspace's other roles; lengths are counted in characters.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT, ROLE_NAME_TAKEN
   */
  create(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. */
    actor: Actor;
    /** At most 200 characters. */
    name: string;
    /**
     * The persona of its chats: at most 20,000 characters. It takes the place of the administrators' prompt, inside of
     * the safety frame.
     */
    instructions: string;
    /** A sign for lists: at most 32 characters. */
    emoji?: string;
    /** What it is for: at most 2,000 characters. */
    description?: string;
    /** The model that its chats get, in place of the workspace's. */
    modelConfig?: RoleModelConfig;
    /** Whether chats may be begun with it; true unless given. */
    enabled?: boolean;
    /** Whether a client sends the launch message by itself when a chat is begun with the role; true unless given. */
    autoStart?: boolean;
    /** What a client sends to begin with: at most 2,000 characters. */
    launchMessage?: string;
  }): Promise<AgentRole>;
  /**
   * Changes a role. What is not given stays; blank text clears what a role may be without, and so does an empty model.
   * Chats that have the role follow the change with their next turn.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND, INVALID_INPUT, ROLE_NAME_TAKEN
   */
  update(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. */
    actor: Actor;
    /** The role. */
    roleId: string;
    /** At most 200 characters, not blank. */
    name?: string;
    /** A sign for lists: at most 32 characters. */
    emoji?: string | null;
    /** What it is for: at most 2,000 characters. */
    description?: string | null;
    /** The persona of its chats: at most 20,000 characters, not blank. */
    instructions?: string;
    /** The model that its chats get, in place of the workspace's. */
    modelConfig?: RoleModelConfig | null;
    /** Whether chats may be begun with it. */
    enabled?: boolean;
    /** Whether a client sends the launch message by itself when a chat is begun with the role. */
    autoStart?: boolean;
    /** What a client sends to begin with: at most 2,000 characters. */
    launchMessage?: string | null;
  }): Promise<AgentRole>;
  /**
   * Deletes a role. Chats that have it keep its id and go on without it; its name may be used again.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND
   */
  delete(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. */
    actor: Actor;
    /** The role. */
    roleId: string;
  }): Promise<void>;
  /**
   * The workspace's roles in the order in which they were created, disabled ones included: whole for administrators,
   * and for everybody else what it takes to choose one.
   */
  list(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who asks. */
    actor: Actor;
  }): Promise<ShownRole[]>;
  /**
   * One role, as `roles.list` has it.
   * @throws {TurnkeepError} NOT_FOUND
   */
  get(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who asks. */
    actor: Actor;
    /** The role. */
    roleId: string;
  }): Promise<ShownRole>;
  /**
   * Roles as one document (YAML) that `roles.importBundle` takes, there or in another workspace. It has no ids.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND, PAYLOAD_TOO_LARGE
   */
  exportBundle(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. */
    actor: Actor;
    /** Only these; all roles of the workspace unless given. */
    roleIds?: readonly string[];
  }): Promise<string>;
  /**
   * Creates the roles of a document (YAML, at most 1 MiB and 1,000 roles), all of them or none. What is wrong in it is
   * named by its path, such as `bundle.roles[2].name`. Anchors, aliases and tags are not taken.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT, PAYLOAD_TOO_LARGE, ROLE_NAME_TAKEN
   */
  importBundle(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. */
    actor: Actor;
    /** The document. */
    bundle: string;
    /**
     * What becomes of a role whose name another one has.
     * @default 'fail'
     */
    existing?: ExistingRoles;
  }): Promise<ImportedRole[]>;
}

/** Methods of `engine.provenance`. */
export interface ProvenanceOperations {
  /**
   * Signs a short-lived claim that whoever has it acts for the agent of this chat, for hosts whose other endpoints mark
   * what agents do. The engine needs its `appSecret`.
   * @throws {TurnkeepError} NOT_FOUND, FORBIDDEN, INVALID_INPUT
   */
  sign(params: Who & {
    /** The chat; it must be the user's. */
    chatId: string;
    /** A run of the chat. */
    runId?: string;
    /** Who is to take the claim: at most 255 bytes; `turnkeep` unless given. */
    audience?: string;
    /**
     * How long it holds, in milliseconds: 300000 unless given, from 1000 to 86400000. Rounded down to whole seconds.
     */
    ttlMs?: number;
  }): Promise<SignedProvenance>;
  /**
   * What a claim says that was signed with this engine's `appSecret`, or with a previous one. A claim that is not taken
   * is `FORBIDDEN`, with `details.reason`: `malformed`, `signature`, `audience` or `expired`. Nothing is looked up: the
   * chat may have been deleted since.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  verify(params: {
    /** As `provenance.sign` has made it. */
    token: string;
    /** Whom the claim must have been signed for; `turnkeep` unless given. */
    audience?: string;
  }): Promise<Provenance>;
}

/** Methods of `engine.search`. */
export interface SearchOperations {
  /**
   * Indexes a page, in the place of what was there of it: its chunks, under the headings that lead to them, with
   * vectors by the workspace's embedding model. A page without text, or in the trash, is removed. What is there stays,
   * and nothing is asked of the provider, where it was made of the same by the same model.
   * @throws {TurnkeepError} INVALID_INPUT, PAYLOAD_TOO_LARGE, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR
   */
  index(params: {
    /** The workspace. */
    workspaceId: string;
    /** The page. */
    page: PageToIndex;
    /**
     * Index it even if it is unchanged.
     * @default false
     */
    force?: boolean;
  }): Promise<IndexedNow>;
  /**
   * Indexes pages as `search.index` does, several to one request of the provider's. A page that fails costs the others
   * nothing, and is listed. A host that goes through all of its pages makes one call after another: their answers are
   * its progress, and it may stop between any two.
   * @throws {TurnkeepError} INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR
   */
  reindex(params: {
    /** The workspace. */
    workspaceId: string;
    /** The pages: at most 100, each once. */
    pages: readonly PageToIndex[];
    /**
     * Index them even if they are unchanged.
     * @default false
     */
    force?: boolean;
  }): Promise<Reindexed>;
  /**
   * Removes a page from the index, or everything of the workspace.
   * @throws {TurnkeepError} INVALID_INPUT
   */
  remove(params: {
    /** The workspace. */
    workspaceId: string;
    /** The page. */
    pageId?: string;
    /**
     * All pages, in the place of `pageId`.
     * @default false
     */
    everything?: boolean;
  }): Promise<RemovedChunks>;
  /**
   * What there is of a workspace in the index, and by which models. Vectors of another model than the workspace has now
   * are not compared: such pages are found by their words until they are indexed anew.
   */
  status(params: {
    /** The workspace. */
    workspaceId: string;
  }): Promise<IndexStatus>;
  /**
   * The chunks that answer a question best, by meaning and by words, of the pages that the user may read. The host says
   * which: by `pageIds`, by `spaceIds`, or by both, and then a page must be in both. From an empty list nothing is
   * found. Without an embedding model the words count alone, and the answer says so.
   * @throws {TurnkeepError} INVALID_INPUT, PROVIDER_ERROR, EMBEDDING_NOT_CONFIGURED
   */
  query(params: Who & {
    /** What is looked for: at most 8,000 characters. */
    query: string;
    /** Only in these pages: at most 100,000. */
    pageIds?: readonly string[];
    /** Only in pages of these spaces: at most 100,000. */
    spaceIds?: readonly string[];
    /** `text`: by words alone, without a request to the provider. `hybrid`: by both or not at all. */
    mode?: SearchMode;
    /** At most so many hits: 1 to 100; 10 unless given. */
    limit?: number;
    /** So many chunks of each of the two rankings count: 1 to 1,000; 50 unless given. */
    candidates?: number;
  }): Promise<SearchAnswer>;
}

/** Methods of `engine.settings`. */
export interface SettingsOperations {
  /**
   * A workspace's settings, for its administrators; of keys only whether they are set.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  get(workspaceId: string, actor?: Actor): Promise<WorkspaceSettings>;
  /**
   * Changes a workspace's settings and keys, all or nothing, and answers them as `settings.get` does. To set keys, the
   * engine needs its `appSecret`.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  update(workspaceId: string, settings: SettingsPatch, actor?: Actor): Promise<WorkspaceSettings>;
  /**
   * Tries what a workspace has configured, or a provider that it could have, with the cheapest request that there is.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  test(workspaceId: string, capability?: Capability, actor?: Actor, provider?: ProviderChoice): Promise<SettingsTest>;
}

/** Methods of `engine.secrets`. */
export interface SecretsOperations {
  /**
   * Seals stored keys anew under the engine's `appSecret`, in the form of its option `secrets.write`. On a database of
   * turnkeep's own that also happens by itself after opening; on an adopted one nothing is rewritten but by this call.
   * @throws {TurnkeepError} INVALID_INPUT
   */
  rotate(params?: {
    /**
     * Tell how many keys it would touch, and touch none.
     * @default false
     */
    dryRun?: boolean;
  }): Promise<SecretRotation>;
}

/** Methods of `engine.mcp`. */
export interface McpOperations {
  /**
   * Adds a tool server whose tools turns of the workspace may have (`mcpTools`). Its address must be a public one, or
   * one that the option `http.allowPrivate` has; that is looked at here, and again whenever a connection is made.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  create(params: {
    /** The workspace. */
    workspaceId: string;
    /** What it is called: at most 200 characters. Its tools' names begin with it. */
    name: string;
    /**
     * `http` (streamable HTTP), `sse` (what servers had before that), or `stdio`: a program of the option
     * `mcp.programs`.
     */
    transport: McpTransport;
    /** Its address: at most 2,048 bytes. With `stdio` the name of the program. */
    url: string;
    /** Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`. */
    actor?: Actor;
    /**
     * Headers that go with every request. They are kept sealed, for which the engine needs its `appSecret`, and shown
     * by their names only. Blank ones are none.
     */
    headers?: Record<string, string>;
    /** The tools that may be used, by the server's own names; all when there are none. */
    toolAllowlist?: readonly string[];
    /** Guidance for the model, which is told it when the server contributes a tool: at most 4,000 characters. */
    instructions?: string;
    /** Whether its tools are offered; true unless given. */
    enabled?: boolean;
  }): Promise<McpServerView>;
  /**
   * Changes a tool server. What is not given stays; an address that is given as it was shown counts as not given.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND, INVALID_INPUT
   */
  update(params: {
    /** The workspace. */
    workspaceId: string;
    /** The server. */
    serverId: string;
    /** Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`. */
    actor?: Actor;
    /** What it is called: at most 200 characters. */
    name?: string;
    /** `http`, `sse` or `stdio`. */
    transport?: McpTransport;
    /**
     * Its address: at most 2,048 bytes. Where it leads to another place, headers must be given again, unless the option
     * `secrets.bindToAddress` is off.
     */
    url?: string;
    /** The headers from now on, all of them; `{}` or null for none. */
    headers?: Record<string, string> | null;
    /** The tools that may be used, by the server's own names; all when there are none. */
    toolAllowlist?: readonly string[] | null;
    /** Guidance for the model: at most 4,000 characters; null or blank for none. */
    instructions?: string | null;
    /** Whether its tools are offered. */
    enabled?: boolean;
  }): Promise<McpServerView>;
  /**
   * Deletes a tool server. Turns that are under way keep its tools until they end.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND
   */
  delete(params: {
    /** The workspace. */
    workspaceId: string;
    /** The server. */
    serverId: string;
    /** Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`. */
    actor?: Actor;
  }): Promise<void>;
  /**
   * The workspace's tool servers in the order in which they were created, disabled ones included. Of headers there are
   * the names, and what looks like a secret in an address is masked.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  list(params: {
    /** The workspace. */
    workspaceId: string;
    /** Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`. */
    actor?: Actor;
  }): Promise<McpServerView[]>;
  /**
   * Tries a tool server: whether it answers, and with which tools. A disabled one may be tried, too.
   * @throws {TurnkeepError} FORBIDDEN, NOT_FOUND
   */
  test(params: {
    /** The workspace. */
    workspaceId: string;
    /** The server. */
    serverId: string;
    /** Who acts: an administrator. It may be left out unless the option `settings.actor` is `required`. */
    actor?: Actor;
  }): Promise<McpTested>;
}

/** Methods of `engine.usage`. */
export interface UsageOperations {
  /**
   * What calls to providers have used in a workspace, and what that costs by the option `prices`: those of runs, one
   * for each step, also of stopped ones, and those for titles, vectors and transcripts. Whoever is no administrator
   * sees their own.
   * @throws {TurnkeepError} FORBIDDEN, INVALID_INPUT
   */
  report(params: Who & {
    /** Who asks. */
    actor: Actor;
    /** The calls for one chat. */
    chatId?: string;
    /** Calls from this moment on, such as `2026-01-01T00:00:00Z`. */
    since?: string;
    /** Calls before this moment. */
    until?: string;
    /** What is told apart; nothing unless given, and then there is one line at most. */
    by?: readonly UsageBy[];
  }): Promise<UsageReport>;
}

/** Methods of `engine`. */
export interface EngineOperations {
  /**
   * Vectors for texts, in their order, by the workspace's embedding model.
   * @throws {TurnkeepError} INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR
   */
  embed(params: {
    /** The workspace. */
    workspaceId: string;
    /** The texts. */
    texts: readonly string[];
    /**
     * Who makes them instead of whom the workspace's settings name: `model` is the embedding model. It is stored
     * nowhere.
     */
    provider?: ProviderChoice;
  }): Promise<number[][]>;
  /**
   * What is said in a recording of at most 25 MiB; empty text when nothing is said.
   * @throws {TurnkeepError} FORBIDDEN, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA, STT_NOT_CONFIGURED, PROVIDER_ERROR
   */
  transcribe(params: {
    /** The workspace. */
    workspaceId: string;
    /** The recording, in base64. */
    audio: NodeJS.ArrayBufferView;
    /** Its media type, such as `audio/webm`. */
    mime: string;
    /**
     * Who transcribes instead of whom the workspace's settings name: an `openai` or `openai-compatible` service,
     * `model` being its speech-to-text model. It is stored nowhere.
     */
    provider?: ProviderChoice;
  }): Promise<string>;
  /**
   * A title for a page with this content. Nothing is stored.
   * @throws {TurnkeepError} FORBIDDEN, AI_NOT_CONFIGURED, PROVIDER_ERROR
   */
  generateTitle(params: {
    /** The workspace. */
    workspaceId: string;
    /** The page's text. */
    content: string;
    /** Who answers instead of whom the workspace's settings name. It is stored nowhere. */
    provider?: ProviderChoice;
  }): Promise<string>;
  /** How the engine is; asks the store. A store that does not answer is not an error: `ok` is false then. */
  health(): Promise<Health>;
}

/** The row of an assistant message after these steps: the first one, one in between, or the last. */
export declare function flushAssistant(steps: readonly Step[], inProgressText: string, status: MessageStatus, extra?: FlushExtra | null): AssistantFlush;

/** The parts of an assistant message. The fallback is its text when no step has one. */
export declare function assistantParts(steps: readonly Step[] | null | undefined, fallbackText: string): AssistantPart[];

/** The trace of calls and results; null when there is none. */
export declare function serializeSteps(steps?: readonly Step[] | null): TraceEntry[] | null;

/**
 * The value itself when its JSON has at most 4000 bytes, or when it has none; else a copy with long strings, long
 * arrays and deep objects cut short.
 */
export declare function compactToolOutput(value: unknown): unknown;

/**
 * A stored row as a message for pages. Of a row that the engine wrote also how it ended, as the stream tells it; of a
 * user's its client's own metadata.
 */
export declare function rowToUiMessage(row: ChatRow, protocol?: Protocol | null): ShownMessage;

/** How the end of a turn is to be written: an update of the row of this id, or a new row. */
export declare function planFinalizeAssistant(assistantId?: string | null): FinalizePlan;

/** The sum of two usages; nothing when there is neither. */
export declare function accumulateStepUsage(acc?: Usage | null, step?: Usage | null): Usage | undefined;

/** The four figures of a usage that are kept; nothing when there is no usage. */
export declare function normalizeUsage(usage?: StreamUsage | null): Usage | undefined;

/**
 * The message metadata that goes with a part of a stream: the chat's id at the start, usage at the end of a step or of
 * all; nothing for other parts.
 */
export declare function chatStreamMetadata(part: StreamedPart, chatId: string, cumulativeUsage?: Usage | null): StreamMetadata | undefined;

/** A chat as Markdown. */
export declare function buildChatMarkdown(params: {
    title?: string | null;
    chatId: string;
    rows: readonly ChatRow[];
    /** A language tag; Russian for `ru…`, English otherwise. */
    lang?: string | null;
    /** Words of the host's own, in place of the language's. */
    labels?: ExportLabels | null;
    /** Now, unless given. */
    exportedAt?: Date | string | null;
  }): string;

/** A chat as a JSON document, which `parseChatJson` reads. */
export declare function buildChatJson(params: {
    title?: string | null;
    chatId: string;
    rows: readonly ChatRow[];
    /** Now, unless given. */
    exportedAt?: Date | string | null;
  }): string;

/** What a document of `buildChatJson` holds. */
export declare function parseChatJson(text: string): ChatDocument;

/** The language of exports for a language tag. */
export declare function normalizeLang(tag?: string | null): Lang;

/** The system prompt: the persona and what goes with it, between two copies of the safety text. */
export declare function buildSystemPrompt(params?: {
    workspaceName?: string | null;
    /** The persona for chats without a role. */
    adminPrompt?: string | null;
    roleInstructions?: string | null;
    /** The page that the person has open. */
    openedPage?: PageRef | null;
    /** Guidance for the tools of connected servers. */
    mcpInstructions?: readonly McpGuidance[] | null;
    /** What the product is called, for the default persona. */
    productName?: string | null;
    /** Rules that join the safety text. Nothing replaces it. */
    extraRules?: readonly string[] | null;
    /** What else the host has to say, between the two copies of the safety text. */
    extraSystem?: string | null;
  }): string;

/** What the tool `getCurrentPage` tells a model of the page that the person has open; null where there is no id. */
export declare function resolveCurrentPageResult(openedPage?: PageRef | null): CurrentPage;

/** A chat title made of what a model wrote; null when nothing is left of it. */
export declare function cleanChatTitle(text: string): string | null;

/** What a model is asked for the title of a chat that begins with this text. */
export declare function chatTitlePrompt(text: string): TitlePrompt;

/** What a model is asked for the title of a page of this content. */
export declare function pageTitlePrompt(content: string): TitlePrompt;

/** What is different about the last allowed step, which goes without tools; nothing for the others. */
export declare function prepareAgentStep(stepNumber: number, system: string, maxSteps?: number | null): StepOverride | undefined;

/** A page title made of what a model wrote. */
export declare function cleanGeneratedTitle(text: string): string;

/** A failure of a provider on one line. */
export declare function describeProviderError(err?: unknown | null, fallback?: string | null): string;

/** Whether asking the provider again is of no use. */
export declare function isFatalProviderError(err?: unknown | null): boolean;

/** The model that a role asks for; nothing when it asks for none. */
export declare function roleModelOverride(role?: RoleRow | null): ModelOverride | undefined;

/** How a recording of this media type is sent; not `ok` for audio that is not on the list. */
export declare function resolveAudioFormat(mime: string): AudioFormat;

/** Whether a tool server may have this address. */
export declare function isIpAllowed(ip: string): AddressVerdict;

/** Whether a tool server may have all of these addresses. The reason names none of them. */
export declare function validateResolvedAddresses(addresses: readonly ResolvedAddress[]): AddressVerdict;

/** The search hits that the person may see, the best one of each page. */
export declare function selectAccessibleHits(hits: readonly PageHit[], accessiblePageIds: ReadonlySet<string> | readonly string[], cap: number): ShownHit[];

/** A name made of the characters that tool names may have. */
export declare function sanitizeToolName(value: string): string;

/** The prefix of the names of a server's tools. */
export declare function toolNamePrefix(serverName: string): string;

/** A tool name, cut to the length that providers accept. */
export declare function capToolName(value: string): string;

/** A tool name that is not among those that are taken. */
export declare function disambiguateToolName(name: string, serverId: string, taken: ReadonlySet<string> | readonly string[]): string;

/** The chunks of a text for embedding. */
export declare function splitText(text: string, options?: SplitOptions | null): string[];

/** Whether a model has fallen into repeating itself. */
export declare function isDegenerateOutput(text: string): boolean;

/** The text without the repetitions at its end. */
export declare function truncateDegenerateOutput(text: string): string;

/**
 * The text as databases take it: U+0000 and half a surrogate pair, which JavaScript's strings may hold, become U+FFFD.
 */
export declare function storableText(text: string): string;

/** The source that a write of a page carries: the agent's once the agent has had a part in it. */
export declare function resolveEditSource(gathered: EditSource | null | undefined, edit: EditSource): EditSource;

/**
 * Whether a page must be kept as a snapshot of its history before it is written: what is in no snapshot yet is a
 * person's, and the write the agent's, or the other way round.
 */
export declare function cutsSnapshot(lastSource: string | null | undefined, source: EditSource, pending: boolean): boolean;

/**
 * What a tool with effects carries out in the transaction in which it changes something, once and before it commits: it
 * notes there that the call has been done. The statement fails where the call was done before, was given up, or its run
 * has ended; the transaction then has to be rolled back.
 */
export declare function effectStatement(params: {
    /** What the call has come with. */
    effect: ToolEffect;
    /** The call's output, which the model is told if the process ends before it can be told otherwise. */
    result?: unknown | null;
    /** How the client library writes the places of parameters; as the database does unless given. */
    placeholders?: Placeholders | null;
    /** The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given. */
    schema?: string | null;
  }): EffectStatement;

/** A tool server without the values of its headers: their names only. */
export declare function toView(server: McpServer): McpServerView;
