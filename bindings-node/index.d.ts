import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';

/** Who asks. Everything stored belongs to a user of a workspace, and is given to nobody else. */
export interface Who {
  workspaceId: string;
  userId: string;
}

export type ErrorCode =
  | 'INVALID_INPUT'
  | 'FORBIDDEN'
  | 'NOT_FOUND'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA'
  | 'NOT_SUPPORTED'
  | 'A_RUN_ALREADY_ACTIVE'
  | 'A_RUN_BEGIN_FAILED'
  | 'LEASE_LOST'
  | 'SUPERSEDE_TARGET_MISMATCH'
  | 'SUPERSEDE_TIMEOUT'
  | 'SUPERSEDE_INVALID'
  | 'MESSAGE_EXISTS'
  | 'STORE_UNAVAILABLE'
  | 'ENGINE_CLOSED'
  | 'SECRET_UNREADABLE'
  | 'AI_NOT_CONFIGURED'
  | 'EMBEDDING_NOT_CONFIGURED'
  | 'STT_NOT_CONFIGURED'
  | 'PROVIDER_ERROR'
  | 'RATE_LIMITED'
  | 'BUDGET_EXHAUSTED'
  | 'INTERNAL';

interface ErrorOf<Code extends ErrorCode, Details> extends Error {
  readonly name: 'TurnkeepError';
  /** Stable; decide on this. */
  readonly code: Code;
  /** The HTTP status that suits the code, as a hint. */
  readonly httpStatus: number;
  /** What else is known. */
  readonly details: Details & Readonly<Record<string, unknown>>;
}

/** A failure of turnkeep. Some codes come with details of their own. */
export type TurnkeepError =
  | ErrorOf<'INVALID_INPUT' | 'UNSUPPORTED_MEDIA', { readonly field: string }>
  /** The run that is in the way. */
  | ErrorOf<'A_RUN_ALREADY_ACTIVE', { readonly activeRunId: string }>
  | ErrorOf<Exclude<ErrorCode, 'INVALID_INPUT' | 'UNSUPPORTED_MEDIA' | 'A_RUN_ALREADY_ACTIVE'>, {}>;

export declare const TurnkeepError: {
  /** For `instanceof`; turnkeep makes them. */
  readonly prototype: TurnkeepError;
  [Symbol.hasInstance](value: unknown): value is TurnkeepError;
};

/** Where a model is called. */
export interface ProviderConfig {
  driver: 'openai' | 'openai-compatible' | 'gemini' | 'ollama' | 'anthropic';
  model: string;
  /** Such as `https://api.example.com/v1`. Needed for `openai-compatible`; the others have a place of their own. */
  baseUrl?: string;
  /** Sent to the provider; it appears nowhere else. `openai`, `gemini` and `anthropic` need one. */
  apiKey?: string;
  /** Tokens that the model's context holds. */
  contextWindow?: number;
  /** How the model is to answer. What is not set is left to the provider. */
  options?: CallOptions;
}

/** How a model is to answer. What a provider does not know is left out. */
export interface CallOptions {
  maxOutputTokens?: number;
  temperature?: number;
  topP?: number;
  topK?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  stopSequences?: readonly string[];
  seed?: number;
  /** What the answer has to look like; any JSON without a schema. */
  responseFormat?: { schema?: Record<string, unknown>; name?: string; description?: string };
  /** What only one provider knows, by its name, as the AI SDK's `providerOptions`. */
  providerOptions?: Record<string, Record<string, unknown>>;
}

/** What a tool is told about its call. */
export interface ToolContext {
  toolCallId: string;
  toolName: string;
  chatId: string;
  runId: string;
  messageId: string;
  /** Aborted when the run is stopped or the call's time is up. */
  signal: AbortSignal;
  /** The same, under the AI SDK's name. */
  readonly abortSignal: AbortSignal;
}

/** JSON Schema, a Standard Schema, or a schema of the AI SDK. */
export type InputSchema = object;

/**
 * A tool without its name. Those of the AI SDK are taken; what turnkeep does not do of what they ask for
 * (`needsApproval`, `toModelOutput`, `onInputAvailable`, …) is refused by name.
 */
export interface ToolSpec<Input = any> {
  /** What it does and when to use it, for the model. */
  description?: string;
  /**
   * What the input is, as JSON Schema, as a Standard Schema that says its JSON Schema (Zod 3 and 4, ArkType, …), or as the
   * AI SDK's `jsonSchema()` makes it. The code is called only with input that fits; a schema that checks values itself does
   * so, and the code is given what it makes of them.
   */
  inputSchema?: InputSchema | (() => InputSchema);
  /** What the output has to fit. Only a schema that checks values itself. */
  outputSchema?: object;
  /** It changes nothing. The calls of other tools are put on disk before they run. */
  readOnly?: boolean;
  /** How long a call may take. */
  timeoutMs?: number;
  /** What becomes of members that the schema does not allow; `runs.unknownMembers` unless given. */
  unknownMembers?: 'strip' | 'refuse';
  /**
   * How many bytes of an output's JSON pages are shown, while it streams and after a reload; `runs.shownOutputBytes` unless
   * given. Beyond that it is shown in a shorter form of the same shape, and `truncatedOutputs` of the message's metadata
   * says so. The model is told of it in any case.
   */
  shownOutputBytes?: number;
  /**
   * The code. What it returns (or its promise) is the output, of a generator or an async iterable the last value; what comes
   * before that, readers are shown as preliminary results (some of it, where it comes faster than it can be shown);
   * `undefined` is null; what it throws, the model is told.
   */
  execute(input: Input, context: ToolContext): unknown;
}

export interface Tool<Input = any> extends ToolSpec<Input> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
}

/** Tools as a list, or as an object whose keys are their names. */
export type Tools = readonly Tool[] | Readonly<Record<string, ToolSpec>>;

export interface EngineOptions {
  /** `sqlite:PATH`, `sqlite::memory:` or `postgres://…`. */
  store: string;
  /** What this process is called in leases. */
  instanceId?: string;
  runs?: {
    /** Model calls in a turn, the last of which is text only. Default 20. */
    maxSteps?: number;
    /** How long a run stays its owner's without a sign of life. Default 15000. */
    leaseMs?: number;
    /** How long a provider may send nothing of its answer. Default 900000. */
    providerSilenceMs?: number;
    /** The same until the first piece of an answer, where that is to be different. */
    firstChunkMs?: number;
    /** How long a step may take, with its tools; a run that takes longer is aborted with what it has. No limit unless given. */
    stepTimeoutMs?: number;
    /** How long a run may take. No limit unless given. */
    runTimeoutMs?: number;
    /** Abort a run whose model's output goes round in circles. Default true. */
    degenerationGuard?: boolean;
    /** How long a tool may take that does not say so itself. Default 900000. */
    toolTimeoutMs?: number;
    /** How many of a chat's newest messages a model is told, at most. Default 100. */
    historyMessages?: number;
    /** How long the input of a call may be checked against its schema. Default 2000. */
    inputCheckMs?: number;
    /** How many bytes one answer may have. Default 32 MiB. */
    maxAnswerBytes?: number;
    /** How many tool calls one answer may have. Default 256. */
    maxCallsPerStep?: number;
    /** How many of a step's calls run at once. Default 32. */
    maxParallelCalls?: number;
    /** What becomes of members of a tool's input that its schema does not allow. Default `strip`. */
    unknownMembers?: 'strip' | 'refuse';
    /** How many bytes of a tool's output pages are shown, where the tool does not say. Default 256 KiB. */
    shownOutputBytes?: number;
    /** How often stops from other processes are looked for. Default 250. */
    stopPollMs?: number;
    /** How often the log of a run of another process is looked at while somebody follows it. Default 100. */
    tailPollMs?: number;
    /** How long the chunks of a settled run are kept for readers that come back. Its steps stay. Default 600000. */
    chunkRetentionMs?: number;
    /** How long a run that is to be superseded may take to settle. Default 30000. */
    supersedeTimeoutMs?: number;
    /** Bring the message row up to date at every step, for hosts that read the table themselves. Default false. */
    refreshEveryStep?: boolean;
    /** How many runs of others an engine that offers tools drives at a time. Default 64. */
    maxOfferedRuns?: number;
    /** For how long a write is attempted again while the store cannot be reached. Default 600000. */
    storePatienceMs?: number;
    /** How long a host's own loop may take to finish a run that was asked to stop. Default two leases. */
    stopDeadlineMs?: number;
    /** How long a host's own loop may record nothing; then its run is aborted as `timeout`. No limit unless given. */
    hostedSilenceMs?: number;
    /** How many turns of one chat may wait for it. Default 20. */
    maxWaitingPerChat?: number;
    /** How many turns of one user may wait, in all chats. Default 200. */
    maxWaitingPerUser?: number;
  };
  /** Providers by name. A turn that names none uses `default`, or the only one. */
  providers?: Record<string, ProviderConfig>;
  prompt?: {
    workspaceName?: string;
    /** The persona for chats without a role. */
    adminPrompt?: string;
    /** What the product is called, for the default persona. */
    productName?: string;
    /** Rules that join the safety text. Nothing replaces it. */
    extraRules?: string[];
  };
  /** Tools of every turn. A turn's own tool of the same name wins. */
  tools?: Tools;
  /** The secret that stored keys are sealed with. Without it no keys can be stored. */
  appSecret?: string;
  /**
   * Previous application secrets: what is sealed with them is read; on a database of turnkeep's own it is sealed anew in
   * the background.
   */
  previousAppSecrets?: readonly string[];
  secrets?: {
    /** The form in which keys are written. @default 'legacy' on an adopted database, whose system reads it, else 'current' */
    write?: 'legacy' | 'current';
    /** Send a stored key only to the address that was set when it was entered. @default true */
    bindToAddress?: boolean;
  };
  /** How providers are reached. */
  http?: {
    /**
     * Private hosts that workspaces may name in their settings: names, IP addresses or networks such as `10.0.0.0/8`,
     * with or without a port. Settings lead to public addresses only, unless a host is listed here.
     */
    allowPrivate?: string[];
    /** A proxy's URL, or `environment` for what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say. None unless given. */
    proxy?: string;
    /** A file with certificates (PEM) that are trusted besides the machine's. */
    caFile?: string;
    /** Such certificates themselves. */
    caPem?: string;
    /** Trust the authorities that come with turnkeep, too. Where the machine has none, that is so in any case. */
    bundledRoots?: boolean;
    /** Default 30000. */
    connectTimeoutMs?: number;
    /** How long an unused connection is kept. Default 10000. */
    keepAliveMs?: number;
    /** How often a request is sent that is refused or lost before the first byte of an answer. Default 3. */
    maxTries?: number;
    /** The wait before the second try, which doubles; a tenth of it after a lost connection. Default 1500. */
    retryWaitMs?: number;
  };
  /** Limits of requests outside of runs. */
  requests?: {
    /** All requests of one `embed` together. Default 120000. */
    embeddingTimeoutMs?: number;
    /** Default 300000. */
    transcriptionTimeoutMs?: number;
    /** Default 60000. */
    titleTimeoutMs?: number;
    /** Default 30000. */
    testTimeoutMs?: number;
  };
  /** Name chats that a turn has created, by a second request after its success. Default false. */
  generateChatTitles?: boolean;
  /**
   * What pages are told of a failure (`error` chunks, `error` and `failure.message` of a message's metadata): a sentence for
   * each kind that says nothing of what the provider said (`safe`, the default), the provider's own (`provider`), or what a
   * function makes of the failure, which has the provider's. Where that is no text, or it throws, it is the safe one. The
   * outcome, the rows and the log have the provider's in any case; rows of `chats.messages` and `chats.open` have beside it
   * what pages are told, as `errorText`, which `rowToUiMessage` takes.
   */
  errorText?: 'safe' | 'provider' | ((failure: RunFailure) => string | undefined);
  chats?: {
    /**
     * Which ids chats may be called by: UUIDs (the default), or whatever a client has made up, too (`any`), which then
     * stands for one chat of this user in this workspace. `turn.chatId` says its own id.
     */
    ids?: 'uuid' | 'any';
  };
}

/** A workspace's settings as they are stored. */
export interface WorkspaceSettingsFields {
  driver?: 'openai' | 'openai-compatible' | 'gemini' | 'ollama' | 'anthropic' | null;
  chatModel?: string | null;
  /** `openai-compatible` (the default where there is a base URL) or the official API. */
  chatApiStyle?: 'openai-compatible' | 'openai' | null;
  baseUrl?: string | null;
  embeddingModel?: string | null;
  /** `baseUrl` unless given. */
  embeddingBaseUrl?: string | null;
  sttModel?: string | null;
  /** `baseUrl` unless given. */
  sttBaseUrl?: string | null;
  sttApiStyle?: 'multipart' | 'json' | null;
  sttLanguage?: string | null;
  /** The persona for chats without a role. */
  systemPrompt?: string | null;
  publicShareChatModel?: string | null;
  publicShareAssistantRoleId?: string | null;
}

export interface WorkspaceSettings extends WorkspaceSettingsFields {
  chatContextWindow?: number;
  hasApiKey: boolean;
  hasEmbeddingApiKey: boolean;
  hasSttApiKey: boolean;
  /** A user and a password were in the address; they are kept as a secret. Absent where there are none. */
  hasBaseUrlLogin?: true;
  hasEmbeddingBaseUrlLogin?: true;
  hasSttBaseUrlLogin?: true;
}

/** What is absent stays. Keys are those of the driver that is set; `''` clears one, null leaves it. */
export interface SettingsPatch extends WorkspaceSettingsFields {
  chatContextWindow?: number | null;
  apiKey?: string | null;
  embeddingApiKey?: string | null;
  sttApiKey?: string | null;
}

export type UserMessagePart =
  | { type: 'text'; text: string; state?: 'streaming' | 'done' }
  | { type: 'file'; mediaType: string; url: string; filename?: string }
  | { type: `data-${string}`; id?: string; data: unknown }
  | { type: 'step-start' };

/** A user's message as clients of the AI SDK have it. */
export interface UserMessage {
  /**
   * The client's own id for it: kept where it is a UUID, else the message gets one that is made of it. A message that is
   * in the chat already is MESSAGE_EXISTS.
   */
  id?: string;
  /** Only a user's message begins a turn; a client's type may allow others. */
  role?: 'system' | 'user' | 'assistant';
  /** Kept, and given back by `rowToUiMessage`. */
  metadata?: unknown;
  parts: readonly UserMessagePart[];
}

export type Trigger = 'user' | 'autostart' | 'schedule' | 'api' | 'continue';

export interface TurnRequest extends Who {
  /** A UUID. The chat is created when there is none of this id, and when none is given. */
  chatId?: string;
  /** Text, or an AI SDK UIMessage. */
  message: string | UserMessage;
  /** The role of a chat that is created. */
  roleId?: string;
  /** The page that the user has open. Resolve it yourself: it goes into the prompt. */
  openPage?: { id?: string; title?: string };
  tools?: Tools;
  /**
   * Names of tools that engines offer (`engine.offerTools`), instead of `tools`, also of those of the engine. The run is
   * driven by any engine on the store that offers all of them: this one if it does, else the first that takes it, and
   * another one when that engine is closed or its process dies. Until then it is `pending`. Not together with `provider`:
   * the workspace, the chat's role or the options of the engine that drives it say which model it is.
   */
  offeredTools?: readonly string[];
  /** The name of a configured provider, or settings of its own. */
  provider?: string | ProviderConfig;
  /** `false`: the run stops when its last reader goes away. Default true. */
  detached?: boolean;
  /** A client's `submit-message` is `user`; its `regenerate-message` is NOT_SUPPORTED yet. */
  trigger?: Trigger | 'submit-message' | 'regenerate-message';
  /** A message that the client has edited, or wants to have anew: NOT_SUPPORTED yet. */
  messageId?: string;
  /** What to do when the chat is busy: refuse (the default), wait until it is free, or stop that run and take its place. */
  busy?: 'reject' | 'enqueue' | { supersede: string };
  /** A second turn of the same user with the same key begins nothing and follows the first. At most 255 bytes. */
  idempotencyKey?: string;
  /** Stops the run when it is aborted. */
  signal?: AbortSignal;
}

export interface Usage {
  inputTokens?: number;
  outputTokens?: number;
  totalTokens?: number;
  reasoningTokens?: number;
}

export type RunStatus = 'pending' | 'running' | 'succeeded' | 'failed' | 'aborted';
export type RunReason =
  | 'stopped'
  | 'superseded'
  | 'disconnected'
  | 'worker_lost'
  | 'shutdown'
  | 'timeout'
  | 'budget'
  | 'degenerate'
  | 'provider_error'
  | 'internal';
export type FinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';

/** What kind of failure ended a run, in terms of what can be done about it. */
export type FailureKind =
  | 'authentication'
  | 'billing'
  | 'rate_limit'
  | 'context_overflow'
  | 'model_not_found'
  | 'overloaded'
  | 'unreachable'
  | 'connection_lost'
  | 'silence'
  | 'bad_response'
  | 'content_filter'
  | 'refused'
  | 'invalid_request'
  | 'limit'
  | 'internal';

export interface RunFailure {
  kind: FailureKind;
  /** The HTTP status, or the one that an error inside of an answer stands for. */
  statusCode?: number;
  /** Whether the same turn may well succeed a little later. */
  retryable: boolean;
  /** One line for people. */
  message: string;
}

export interface RunOutcome {
  runId: string;
  chatId: string;
  messageId: string;
  status: 'succeeded' | 'failed' | 'aborted';
  reason: RunReason | null;
  /** One line, when it failed. */
  error: string | null;
  /** What kind of failure it was, when it failed. */
  failure: RunFailure | null;
  finishReason: FinishReason | null;
  usage: Usage | null;
  stepCount: number;
}

export interface Run {
  id: string;
  chatId: string;
  workspaceId: string;
  createdBy: string;
  trigger: string;
  status: RunStatus;
  reason: RunReason | null;
  error: string | null;
  /** What kind of failure it was, when that is known. */
  failure: RunFailure | null;
  /** Steps in the log. The last one of a run that failed or was aborted may have been cut off. */
  stepCount: number;
  stopRequestedAt: string | null;
  assistantMessageId: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
}

/** A part of a stored message, in the AI SDK's shapes. */
export type MessagePart = { type: string; [key: string]: unknown };

export interface Message {
  id: string;
  chatId: string;
  workspaceId: string;
  userId: string | null;
  role: 'user' | 'assistant';
  content: string;
  toolCalls: unknown[] | null;
  metadata: {
    parts: MessagePart[];
    finishReason?: string;
    usage?: Usage;
    contextTokens?: number;
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
  } | null;
  /** null: written before statuses existed, completed. */
  status: 'streaming' | 'completed' | 'error' | 'aborted' | null;
  createdAt: string;
  updatedAt: string;
}

export interface StreamMetadata {
  chatId?: string;
  runId?: string;
  usage?: Usage;
  /** What ended the run; comes right before the error. */
  failure?: RunFailure;
  /** How it ended; before that nothing of these three. */
  status?: 'completed' | 'error' | 'aborted';
  reason?: RunReason;
  error?: string;
  /** The calls of whose outputs less is shown than there is, and how many bytes of JSON there are. */
  truncatedOutputs?: Record<string, number>;
}

/** What a provider says of a part, by provider. */
export type ProviderMetadata = Record<string, any>;

/** What the chunks of a tool call may say besides the call. */
export interface CallDetails {
  /** The provider runs the tool itself. */
  providerExecuted?: boolean;
  /** The tool is not one of those that the client knows. */
  dynamic?: boolean;
  providerMetadata?: ProviderMetadata;
}

/** A chunk of the AI SDK's UI message stream, as turnkeep sends it. */
export type UIMessageChunk =
  | { type: 'start'; messageId: string; messageMetadata: StreamMetadata }
  | { type: 'start-step' | 'finish-step' }
  | {
      type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end';
      id: string;
      providerMetadata?: ProviderMetadata;
    }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string; providerMetadata?: ProviderMetadata }
  | ({ type: 'tool-input-start'; toolCallId: string; toolName: string } & CallDetails)
  | { type: 'tool-input-delta'; toolCallId: string; inputTextDelta: string }
  | ({ type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown } & CallDetails)
  | ({
      type: 'tool-input-error';
      toolCallId: string;
      toolName: string;
      input: unknown;
      errorText: string;
    } & CallDetails)
  | ({ type: 'tool-output-available'; toolCallId: string; output: unknown } & CallDetails)
  | ({ type: 'tool-output-error'; toolCallId: string; errorText: string } & CallDetails)
  | { type: 'message-metadata'; messageMetadata: StreamMetadata }
  | { type: 'finish'; finishReason: FinishReason; messageMetadata?: StreamMetadata }
  | { type: 'abort'; reason: RunReason }
  | { type: 'error'; errorText: string }
  | { type: 'source-url'; sourceId: string; url: string; title?: string; providerMetadata?: ProviderMetadata }
  | {
      type: 'source-document';
      sourceId: string;
      mediaType: string;
      title: string;
      filename?: string;
      providerMetadata?: ProviderMetadata;
    }
  | { type: 'file'; url: string; mediaType: string; providerMetadata?: ProviderMetadata };

/** A chat as it was at one moment. */
export interface OpenChat {
  /** Oldest first. */
  messages: Message[];
  /**
   * The run that brings what the messages lack: `runs.tail({runId, after: cursor})`, or without `after` where the cursor
   * is null. It does so also when it has ended by then. null when the chat is free.
   */
  follow: { runId: string; messageId: string | null; cursor: string | null } | null;
}

/** Words of an export. What is left out stays in the export's language. */
export interface ExportLabels {
  untitled?: string;
  aiAgent?: string;
  you?: string;
  /** `{name}` stands for the tool's name. */
  ranTool?: string;
  stillGenerating?: string;
  tools?: Record<string, string>;
}

export interface ExportOptions extends Who {
  chatId: string;
  /** Markdown unless given. */
  format?: 'markdown' | 'json';
  /** A language tag; Russian for `ru…`, English otherwise. */
  lang?: string;
  /** Words of the host's own. */
  labels?: ExportLabels;
}

/** A conversation. */
export interface Chat {
  id: string;
  workspaceId: string;
  creatorId: string;
  title: string | null;
  roleId: string | null;
  pageId: string | null;
  createdAt: string;
  updatedAt: string;
}

/** A Fastify reply, as far as it is used: it is hijacked, and the headers that plugins have set are sent. */
export interface FastifyReply {
  readonly raw: ServerResponse | Http2ServerResponse;
  hijack(): unknown;
  getHeaders(): Record<string, number | string | string[] | undefined>;
}

/** What a stream is sent to: a response of Node's or of a framework that extends it (Express), or a Fastify reply. */
export type PipeTarget = ServerResponse | Http2ServerResponse | FastifyReply;

export interface PipeOptions {
  /** 200 unless given. */
  status?: number;
  /** As an object, as `Headers`, as pairs or as a raw list. They replace those of the same name, whatever its case. */
  headers?: OutgoingHttpHeaders | Headers | readonly (readonly [string, string | number])[] | readonly string[];
  /** A comment is sent after so much silence. Default 15000. */
  heartbeatMs?: number;
}

/**
 * A turn that was begun here. Forgetting it stops nothing. One that this engine drives keeps the process alive until it
 * has ended; one that is left to other engines is read from the store, and does so only while somebody waits for it.
 */
export declare class Turn {
  private constructor();
  readonly runId: string;
  /** Also of a chat that this turn created. */
  readonly chatId: string;
  /** The assistant's message. */
  readonly messageId: string;
  /** The run had been begun before, with the same idempotency key. Its chunks are read from the store. */
  readonly repeated: boolean;
  /** The chunks, from the first one on, however late it is called. */
  chunks(): AsyncIterableIterator<UIMessageChunk>;
  /** The same as bytes of a UI message stream over HTTP, with its terminator. */
  sse(): AsyncIterableIterator<Buffer>;
  /** Sends the stream as an HTTP response. A client that leaves ends this, not the run (unless `detached: false`). */
  pipe(response: PipeTarget, options?: PipeOptions): Promise<void>;
  /**
   * The stream as a `Response` of the web, for frameworks that return one (Hono, Next). A client that leaves cancels its
   * body, which ends this, not the run (unless `detached: false`).
   */
  toResponse(options?: PipeOptions): Promise<Response>;
  /** Asks the run to stop; false when it has settled already. */
  stop(): Promise<boolean>;
  /**
   * How the turn ended, once that is on disk. Rejects with LEASE_LOST when another engine drives the run now, also one
   * that has taken it over from this one, and with ENGINE_CLOSED when the turn was left to others.
   */
  done(): Promise<RunOutcome>;
}

/** A chunk of a run's log. */
export interface TailItem {
  /** Where to go on after this chunk. */
  cursor: string;
  chunk: UIMessageChunk;
  /** The place that was asked for is not known any more: what follows begins anew and replaces what was read before. */
  resync?: true;
}

/** How the run that was followed ended. */
export interface TailEnd {
  status: 'succeeded' | 'failed' | 'aborted';
  reason: RunReason | null;
  error: string | null;
}

export interface TailOptions extends Who {
  /** Go on behind this cursor. Not together with `from`. */
  after?: string | number;
  /** `snapshot` (the default): finished steps in compact form, then chunk by chunk. `start`: chunk by chunk. */
  from?: 'snapshot' | 'start';
}

/**
 * Reads a run's log, from any process, while the run goes on and after it has ended. Nothing is read before it is used;
 * what is wrong is thrown then. All of its forms share one place. A read that waits keeps the process alive until the
 * run has ended or the tail is closed. After STORE_UNAVAILABLE it may be read on.
 */
export declare class RunTail implements AsyncIterableIterator<TailItem> {
  private constructor();
  /** Once everything was read; null before. */
  readonly end: TailEnd | null;
  [Symbol.asyncIterator](): this;
  next(): Promise<IteratorResult<TailItem, undefined>>;
  return(value?: undefined): Promise<IteratorResult<TailItem, undefined>>;
  /** The chunks as bytes of a UI message stream over HTTP: cursors as ids, `resync` as an event's name, the terminator. */
  sse(): AsyncIterableIterator<Buffer>;
  /** Sends the stream as an HTTP response. It rejects before anything is sent when the run cannot be followed. */
  pipe(response: PipeTarget, options?: PipeOptions): Promise<void>;
  /** The same as a `Response` of the web. */
  toResponse(options?: PipeOptions): Promise<Response>;
  /** Goes away. Whoever waits for chunks is at the end. */
  close(): void;
}

/** What a run is begun with that the host drives itself. */
export interface RunRequest extends Who {
  /** A UUID. The chat is created when there is none of this id, and when none is given. */
  chatId?: string;
  /** What the user wrote; leave it out when the host has stored that itself. */
  message?: TurnRequest['message'];
  /** The role of a chat that is created. */
  roleId?: string;
  openPage?: { id?: string; title?: string };
  /** `api` unless given. */
  trigger?: Trigger;
  /** The engine cannot begin a host's loop later, so there is no `enqueue`. */
  busy?: 'reject' | { supersede: string };
  /** A second begin of the same user with the same key begins nothing. */
  idempotencyKey?: string;
}

/** One entry of a step's content. Others than these are ignored. */
export type RunStepContent = {
  type: string;
  text?: string;
  toolCallId?: string;
  toolName?: string;
  input?: unknown;
  output?: unknown;
  /** An `Error`, a text, or an object with a `message`. */
  error?: unknown;
  providerMetadata?: unknown;
};

/**
 * A finished step of a host's loop, such as an AI SDK StepResult. Its `content` is taken where there is one; otherwise
 * text, reasoning and calls.
 */
export interface RunStep {
  /** Its place in the run, from 0; the next one unless given. Recording a step again changes nothing. */
  number?: number;
  content?: readonly RunStepContent[];
  reasoningText?: string;
  text?: string;
  toolCalls?: readonly { toolCallId: string; toolName: string; input?: unknown; providerMetadata?: unknown }[];
  toolResults?: readonly { toolCallId: string; output?: unknown }[];
  toolErrors?: readonly { toolCallId: string; error?: unknown; errorText?: string }[];
  finishReason?: FinishReason;
  usage?: unknown;
}

export interface RunFinish {
  status: 'succeeded' | 'failed' | 'aborted';
  /** Why it did not succeed: `internal` for a run that failed and what it was stopped for otherwise, unless given. */
  reason?: RunReason;
  /** One line, of a run that failed. */
  error?: string;
  finishReason?: FinishReason;
  /** A last step, or what there was of it, written together with the end. */
  step?: RunStep;
}

/** Why a host is to end its loop. */
export type RunSignal = 'stopped' | 'superseded' | 'shutdown' | 'lease_lost' | 'settled';

/**
 * A run that the host drives. One whose handle is collected before it is finished is given up, and so is one whose worker
 * thread has ended: it is aborted as `worker_lost`. Whoever drives a run by its id alone says so by `runs.recordStep` or
 * `runs.signal` before two leases have passed without a handle (`runs.stopDeadlineMs`).
 */
export interface HostedRun {
  readonly runId: string;
  readonly chatId: string;
  /** The assistant's message, whose row the engine writes. */
  readonly messageId: string;
  /** It had been begun before, with the same idempotency key, and is not to be driven again. */
  readonly repeated: boolean;
  /**
   * Aborted when the host is to end its loop, with an `AbortError` whose message is the `RunSignal`, or with the
   * TurnkeepError that nothing can be heard for any more. It keeps no process alive.
   */
  readonly signal: AbortSignal;
  /** Resolves to the step's number once it is on disk. */
  recordStep(step: RunStep): Promise<number>;
  /** Ends the run. Ending it again the same way changes nothing. */
  finish(options: RunFinish): Promise<void>;
}

/** How an engine is. */
export interface Health {
  /** `error` is there when it has not answered. */
  store: { kind: 'sqlite' | 'postgres'; ok: boolean; latencyMs?: number; error?: string };
  /**
   * `live`: what happens in other processes is heard at once. `polling`: notifications do not arrive (a pooler in
   * transaction mode, a dead connection), and everything is found by polling. `none`: the store has none, and is polled.
   */
  notifications: { state: 'live' | 'polling' | 'none'; sent: number; heard: number };
  /** Runs of this process, also those that wait for their chat. */
  activeRuns: number;
}

/** Which of a chat's messages. */
export interface MessagePage {
  /** Only the newest. All of them unless given. */
  limit?: number;
  /** A message's id: only those that are older. */
  before?: string;
}

/** An engine on a store. */
export declare class Engine {
  private constructor();
  /** Opens the store and settles what dead processes left in it. */
  static open(options: EngineOptions): Promise<Engine>;
  /** Which migrations opening this PostgreSQL database would apply, and what each would add. Changes nothing. */
  static pendingMigrations(store: string): Promise<{ version: number; name: string; additions: string[] }[]>;
  /** Begins a turn. When it rejects, nothing was stored and no provider was called. */
  startTurn(request: TurnRequest): Promise<Turn>;
  /**
   * Offers these tools, or without an argument those that the engine was opened with, besides what it offers already: from
   * now on it drives turns that name their tools (`offeredTools`) if it offers all of them. It begins those that are
   * left to it within moments, and goes on with those whose engine was closed or has died, after their last finished
   * step; of a call whose outcome is not known the model is told so. A tool takes the place of one of the same name.
   * Keeps the process (or the worker thread) alive until the engine is closed.
   */
  offerTools(tools?: Tools): void;
  /** How the engine is; asks the store. */
  health(): Promise<Health>;
  readonly runs: {
    get(params: Who & { runId: string }): Promise<Run>;
    /** null in a chat that never had a run, or that is not there (yet). */
    latestForChat(params: Who & { chatId: string }): Promise<Run | null>;
    /** The run that holds the chat; null when it is free, or not there (yet). */
    activeForChat(params: Who & { chatId: string }): Promise<Run | null>;
    /** The newest (50 unless told otherwise), newest first; those that wait come before all others. */
    list(
      params: Who & { chatId: string; limit?: number; /** A run's id: those that come after it. */ before?: string },
    ): Promise<Run[]>;
    /**
     * From any process. false when there is nothing to stop. By the idempotency key of its turn, a run may also be stopped
     * that has not begun: it ends as stopped when it begins (within an hour), before a provider is asked for anything.
     */
    stop(
      params: Who & ({ runId: string } | { chatId: string } | { idempotencyKey: string; chatId?: string }),
    ): Promise<boolean>;
    /** Settles what dead processes have left, as opening does. Resolves to how many runs that were. */
    sweep(): Promise<number>;
    /** Follows a run's log. */
    tail(params: TailOptions & { runId: string }): RunTail;
    tail(runId: string, options: TailOptions): RunTail;
    /** Begins a run that the host drives itself. */
    begin(params: RunRequest): Promise<HostedRun>;
    recordStep(params: Who & { runId: string; step: RunStep }): Promise<number>;
    finish(params: Who & { runId: string } & RunFinish): Promise<void>;
    /** Waits until the host is to end its loop, and says why. Waiting for it keeps no process alive. */
    signal(params: Who & { runId: string }): Promise<RunSignal>;
  };
  readonly chats: {
    /** Oldest first; none of a chat that is not there (yet). A message in progress has every finished step. */
    messages(params: Who & { chatId: string } & MessagePage): Promise<Message[]>;
    /**
     * What a page needs to show a chat and to go on with it; the two fit together. The message that a run is writing is
     * left out (`omit`, the default), and following the run brings all of it; or it is there with its finished steps
     * (`include`), and the cursor is behind them.
     */
    open(
      params: Who & { chatId: string; inProgress?: 'omit' | 'include'; /** Only the newest. */ limit?: number },
    ): Promise<OpenChat>;
    export(params: ExportOptions): Promise<string>;
    /** The same document as UTF-8 in pieces, so that memory does not grow with the chat. */
    exportStream(params: ExportOptions): AsyncGenerator<Buffer, void, void>;
    /** A new chat made of a JSON export. Chat and messages get ids of their own. */
    import(params: Who & { document: string }): Promise<Chat>;
  };
  /** What a workspace has configured. */
  readonly settings: {
    /** Of keys only whether they are set. */
    get(workspaceId: string): Promise<WorkspaceSettings>;
    /** All of it is written, or nothing. Needs the engine's `appSecret` to set keys. */
    update(workspaceId: string, patch: SettingsPatch): Promise<WorkspaceSettings>;
    /** Tries what is configured with the cheapest request that there is. */
    test(workspaceId: string, capability?: 'chat' | 'embeddings' | 'stt'): Promise<{ ok: boolean; error?: string }>;
  };
  /** Vectors for texts, in their order, by the workspace's embedding model. */
  embed(params: { workspaceId: string; texts: readonly string[] }): Promise<number[][]>;
  /** What is said in a recording of at most 25 MiB; empty text when nothing is said. */
  transcribe(params: { workspaceId: string; audio: NodeJS.ArrayBufferView; mime: string }): Promise<string>;
  /** A title for a page with this content. Nothing is stored. */
  generateTitle(params: { workspaceId: string; content: string }): Promise<string>;
  /**
   * Seals stored keys anew under `appSecret`, in the form of `secrets.write`. On a database of turnkeep's own that also
   * happens by itself after opening; on an adopted one nothing is rewritten but by this call. A dry run tells how many
   * keys it would touch, and touches none.
   */
  rotateSecrets(options?: { dryRun?: boolean }): Promise<{ resealed: number; unreadable: number }>;
  /**
   * Refuses new turns, lets running ones go on for `graceMs` (5000), settles the rest as `shutdown`. Resolves when what
   * `pipe` sends has been handed over, too, or when the grace (a second at least) is over.
   */
  close(options?: { graceMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// ---- Pure functions ------------------------------------------------------------------------------------------------
//
// No engine, no store. Arguments cross as JSON: members that are undefined vanish, a Date is its ISO text (null when it
// is invalid), NaN and the infinities are null, a bigint is an integer with all of its digits. Results are read with
// JSON.parse, which rounds integers above 2^53. What is wrong is INVALID_INPUT, and `details.field` is its place, such
// as `steps[2].toolCalls[0].toolName`.

export interface StepToolCall {
  toolCallId: string;
  toolName: string;
  input?: unknown;
}

export interface StepToolResult {
  toolCallId: string;
  toolName: string;
  output?: unknown;
}

export interface StepToolError {
  toolCallId: string;
  toolName: string;
  errorText: string;
}

/** One finished model call with its tool outcomes, such as an AI SDK StepResult. Only these members are read. */
export interface Step {
  text?: string | null;
  toolCalls?: readonly StepToolCall[] | null;
  toolResults?: readonly StepToolResult[] | null;
  /** The real text of failed calls. */
  toolErrors?: readonly StepToolError[] | null;
  usage?: unknown;
}

export type MessageStatus = 'streaming' | 'completed' | 'error' | 'aborted';

export type AssistantPart =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string }
  | { type: `tool-${string}`; toolCallId: string; state: 'output-available'; input: unknown; output: unknown }
  | { type: `tool-${string}`; toolCallId: string; state: 'output-error'; input: unknown; errorText: string };

/** Calls as they come, then results; those of one step before those of the next. */
export type TraceEntry = { toolName: string; input: unknown } | { toolName: string; output: unknown };

export interface FlushExtra {
  finishReason?: string;
  usage?: StreamUsage | null;
  contextTokens?: number;
  maxContextTokens?: number;
  error?: string;
}

export interface AssistantMetadata {
  parts: AssistantPart[];
  finishReason?: string;
  usage?: Usage;
  contextTokens?: number;
  maxContextTokens?: number;
  error?: string;
}

/** What the row of an assistant message is to hold. */
export interface AssistantFlush {
  content: string;
  toolCalls: TraceEntry[] | null;
  metadata: AssistantMetadata;
  status: MessageStatus;
}

/** A usage as providers' libraries give it; `outputTokenDetails.reasoningTokens` wins over `reasoningTokens`. */
export interface StreamUsage extends Usage {
  outputTokenDetails?: { reasoningTokens?: number };
  [key: string]: unknown;
}

/**
 * The row of an assistant message after these steps: the first one, one in between, or the last. Inputs in it, and outputs
 * of which nothing is cut, are those of the steps themselves: whoever changes one of them changes both.
 */
export declare function flushAssistant(
  steps: readonly Step[],
  inProgressText: string,
  status: MessageStatus,
  extra?: FlushExtra | null,
): AssistantFlush;

/** The parts of an assistant message. The fallback is its text when no step has one. */
export declare function assistantParts(
  steps: readonly Step[] | null | undefined,
  fallbackText: string,
): AssistantPart[];

/** The trace of calls and results; null when there is none. */
export declare function serializeSteps(steps: readonly Step[] | null | undefined): TraceEntry[] | null;

/**
 * The value itself when its JSON has at most 4000 bytes, or when it has none; else a copy with long strings, long arrays
 * and deep objects cut short.
 */
export declare function compactToolOutput(value: unknown): unknown;

/** A stored message, as far as it is read. */
export interface ChatRow {
  id?: string;
  role: string;
  content?: string | null;
  metadata?: unknown;
  status?: string | null;
  createdAt?: Date | string | null;
  [key: string]: unknown;
}

/** Of a row that the engine wrote also how it ended, as the stream tells it; of a user's its client's own metadata. */
export declare function rowToUiMessage(row: ChatRow | Message): {
  id: string;
  role: 'user' | 'assistant';
  metadata?: StreamMetadata & { finishReason?: string; [key: string]: unknown };
  parts: MessagePart[];
};

/** How the end of a turn is to be written: an update of the row of this id, or a new row. */
export declare function planFinalizeAssistant(
  assistantId?: string | null,
): { kind: 'update'; id: string } | { kind: 'insert' };

/** The sum of two usages; undefined when there is neither. */
export declare function accumulateStepUsage(acc?: Usage | null, step?: Usage | null): Usage | undefined;

/** The four figures of a usage that are kept. */
export declare function normalizeUsage(usage?: StreamUsage | null): Usage | undefined;

/** The metadata that goes with a part of a stream: the chat's id at the start, usage at the end of a step or of all. */
export declare function chatStreamMetadata(
  part: { type: string; totalUsage?: StreamUsage; [key: string]: unknown },
  chatId: string,
  cumulativeUsage?: Usage | null,
): StreamMetadata | undefined;

export interface ChatExport {
  title?: string | null;
  chatId: string;
  rows: readonly ChatRow[];
  /** Now, when it is left out. */
  exportedAt?: Date | string | null;
}

/** A chat as Markdown. */
export declare function buildChatMarkdown(
  chat: ChatExport & {
    /** A language tag; Russian for `ru…`, English otherwise. */
    lang?: string | null;
    labels?: ExportLabels | null;
  },
): string;

/** A chat as a JSON document, which `parseChatJson` reads. */
export declare function buildChatJson(chat: ChatExport): string;

/** What a document of `buildChatJson` holds. */
export declare function parseChatJson(text: string): {
  title: string | null;
  chatId: string;
  rows: ChatRow[];
  [key: string]: unknown;
};

/** The language of exports for a language tag. */
export declare function normalizeLang(tag?: string | null): 'en' | 'ru';

export interface PromptLayers {
  workspaceName?: string | null;
  /** The persona for chats without a role. */
  adminPrompt?: string | null;
  roleInstructions?: string | null;
  openedPage?: { id?: string | null; title?: string | null } | null;
  /** Guidance for the tools of connected servers. */
  mcpInstructions?: readonly { serverName: string; toolPrefix: string; instructions?: string | null }[] | null;
  productName?: string | null;
  /** Rules that join the safety text. Nothing replaces it. */
  extraRules?: readonly string[] | null;
}

/** The system prompt: the persona and what goes with it, between two copies of the safety text. */
export declare function buildSystemPrompt(layers?: PromptLayers): string;

/** A chat title made of what a model wrote; null when nothing is left of it. */
export declare function cleanChatTitle(text: string): string | null;

export interface TitlePrompt {
  /** The system prompt. */
  system: string;
  /** The user's message. */
  prompt: string;
}

/** What a model is asked for the title of a chat that begins with this text. */
export declare function chatTitlePrompt(text: string): TitlePrompt;

/** What a model is asked for the title of a page of this content. */
export declare function pageTitlePrompt(content: string): TitlePrompt;

/** The last allowed step (from 0; 20 steps unless given) goes without tools; undefined for the others. */
export declare function prepareAgentStep(
  stepNumber: number,
  system: string,
  maxSteps?: number,
): { toolChoice: 'none'; system: string } | undefined;

/** A page title made of what a model wrote. */
export declare function cleanGeneratedTitle(text: string): string;

/** A failure of a provider on one line. Of an error, its message, `statusCode`, `responseBody` and `text` are read. */
export declare function describeProviderError(error: unknown, fallback?: string): string;

/** Whether asking the provider again is of no use. */
export declare function isFatalProviderError(error: unknown): boolean;

/** The model that a role asks for. */
export declare function roleModelOverride(
  role?: { name?: string | null; modelConfig?: unknown; [key: string]: unknown } | null,
): { driver?: string; chatModel?: string; roleName?: string } | undefined;

export declare function resolveAudioFormat(
  mime: string,
): { ok: true; baseMime: string; format: string } | { ok: false };

export interface AddressVerdict {
  ok: boolean;
  reason?: string;
}

/** Whether a tool server may have this address. */
export declare function isIpAllowed(ip: string): AddressVerdict;

/** Whether a tool server may have all of these addresses. The reason names none of them. */
export declare function validateResolvedAddresses(
  addresses: readonly { address: string; family?: number }[],
): AddressVerdict;

/** The search hits that the person may see, the best one of each page. */
export declare function selectAccessibleHits(
  hits: readonly { pageId: string; title?: string | null; content?: string | null; [key: string]: unknown }[],
  accessiblePageIds: ReadonlySet<string> | readonly string[],
  cap: number,
): { id: string; title: string; snippet: string }[];

export declare function sanitizeToolName(value: string): string;
/** The prefix of the names of a server's tools. */
export declare function toolNamePrefix(serverName: string): string;
export declare function capToolName(value: string): string;
/** A name that is not among those that are taken. */
export declare function disambiguateToolName(
  name: string,
  serverId: string,
  taken: ReadonlySet<string> | readonly string[],
): string;

/** The chunks of a text for embedding. */
export declare function splitText(text: string, options?: { chunkSize?: number; chunkOverlap?: number }): string[];

/** Whether a model has fallen into repeating itself. */
export declare function isDegenerateOutput(text: string): boolean;

/** The text without the repetitions at its end. */
export declare function truncateDegenerateOutput(text: string): string;

/** The newest messages that fit into a budget. */
export declare function trimHistory<T>(
  messages: readonly T[],
  options: { budgetTokens: number; contextTokens?: number; keepTurns?: number },
): { messages: T[]; trimmed: boolean; estimatedTokens: number };

/** A tool server without the values of its headers: names only. */
export declare function toView(server: object): Record<string, unknown>;
