import type { ServerResponse } from 'node:http';

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
  | 'A_RUN_ALREADY_ACTIVE'
  | 'A_RUN_BEGIN_FAILED'
  | 'LEASE_LOST'
  | 'SUPERSEDE_TARGET_MISMATCH'
  | 'SUPERSEDE_TIMEOUT'
  | 'SUPERSEDE_INVALID'
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

/** A failure of turnkeep. */
export declare class TurnkeepError extends Error {
  readonly name: 'TurnkeepError';
  /** Stable; decide on this. */
  readonly code: ErrorCode;
  /** The HTTP status that suits the code, as a hint. */
  readonly httpStatus: number;
  /** What else is known: `field` for INVALID_INPUT, `activeRunId` for A_RUN_ALREADY_ACTIVE. */
  readonly details: Record<string, unknown>;
}

/** Where a model is called. */
export interface ProviderConfig {
  driver: 'openai-compatible';
  model: string;
  /** Such as `https://api.example.com/v1`. */
  baseUrl: string;
  /** Sent to `baseUrl`; it appears nowhere else. */
  apiKey?: string;
  /** Tokens that the model's context holds. */
  contextWindow?: number;
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
}

/** A tool without its name. */
export interface ToolSpec<Input = any> {
  /** What it does and when to use it, for the model. */
  description?: string;
  /** JSON Schema of the input. The code is called only with input that fits it. */
  inputSchema?: object;
  /** It changes nothing. The calls of other tools are put on disk before they run. */
  readOnly?: boolean;
  /** How long a call may take. */
  timeoutMs?: number;
  /** The code. What it returns (or its promise) is the output; `undefined` is null; what it throws, the model is told. */
  execute(input: Input, context: ToolContext): unknown;
}

export interface Tool<Input = any> extends ToolSpec<Input> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
}

/** Tools as a list, or as an object whose keys are their names. */
export type Tools = readonly Tool[] | Readonly<Record<string, ToolSpec>>;

export interface EngineOptions {
  /** `sqlite:PATH` or `sqlite::memory:`. */
  store: string;
  /** What this process is called in leases. */
  instanceId?: string;
  /** For stored keys; this version stores none. */
  appSecret?: string;
  runs?: {
    /** Model calls in a turn, the last of which is text only. Default 20. */
    maxSteps?: number;
    /** How long a run stays its owner's without a sign of life. Default 15000. */
    leaseMs?: number;
    /** How long a provider may send nothing. Default 900000. */
    providerSilenceMs?: number;
    /** How long a tool may take that does not say so itself. Default 900000. */
    toolTimeoutMs?: number;
    /** How often stops from other processes are looked for. Default 250. */
    stopPollMs?: number;
  };
  /** Providers by name. A turn that names none uses `default`, or the only one. */
  providers?: Record<string, ProviderConfig>;
  prompt?: {
    workspaceName?: string;
    /** The persona for chats without a role. */
    adminPrompt?: string;
    /** Rules that join the safety text. Nothing replaces it. */
    extraRules?: string[];
  };
  /** Tools of every turn. A turn's own tool of the same name wins. */
  tools?: Tools;
}

export type UserMessagePart =
  | { type: 'text'; text: string }
  | { type: 'file'; mediaType: string; url: string; filename?: string }
  | { type: `data-${string}`; id?: string; data: unknown };

export interface TurnRequest extends Who {
  /** A UUID. The chat is created when there is none of this id, and when none is given. */
  chatId?: string;
  /** Text, or an AI SDK UIMessage. */
  message: string | { id?: string; role?: 'user'; parts: readonly UserMessagePart[] };
  /** The role of a chat that is created. */
  roleId?: string;
  /** The page that the user has open. Resolve it yourself: it goes into the prompt. */
  openPage?: { id?: string; title?: string };
  tools?: Tools;
  /** The name of a configured provider, or settings of its own. */
  provider?: string | ProviderConfig;
  /** `false`: the run stops when its last reader goes away. Default true. */
  detached?: boolean;
  trigger?: 'user' | 'autostart' | 'schedule' | 'api' | 'continue';
  /** What to do when the chat is busy. */
  busy?: 'reject';
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

export interface RunOutcome {
  runId: string;
  chatId: string;
  messageId: string;
  status: 'succeeded' | 'failed' | 'aborted';
  reason: RunReason | null;
  /** One line, when it failed. */
  error: string | null;
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
}

/** A chunk of the AI SDK's UI message stream, as turnkeep sends it. */
export type UIMessageChunk =
  | { type: 'start'; messageId: string; messageMetadata: StreamMetadata }
  | { type: 'start-step' | 'finish-step' }
  | { type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string }
  | { type: 'text-delta' | 'reasoning-delta'; id: string; delta: string }
  | { type: 'tool-input-start'; toolCallId: string; toolName: string }
  | { type: 'tool-input-delta'; toolCallId: string; inputTextDelta: string }
  | { type: 'tool-input-available'; toolCallId: string; toolName: string; input: unknown }
  | { type: 'tool-input-error'; toolCallId: string; toolName: string; input: unknown; errorText: string }
  | { type: 'tool-output-available'; toolCallId: string; output: unknown }
  | { type: 'tool-output-error'; toolCallId: string; errorText: string }
  | { type: 'message-metadata'; messageMetadata: StreamMetadata }
  | { type: 'finish'; finishReason: FinishReason; messageMetadata?: StreamMetadata }
  | { type: 'abort'; reason: RunReason }
  | { type: 'error'; errorText: string };

export interface ExportOptions extends Who {
  chatId: string;
  format?: 'markdown';
  /** A language tag; Russian for `ru…`, English otherwise. */
  lang?: string;
  /** Words of the host's own. */
  labels?: {
    untitled?: string;
    aiAgent?: string;
    you?: string;
    /** `{name}` stands for the tool's name. */
    ranTool?: string;
    stillGenerating?: string;
    tools?: Record<string, string>;
  };
}

/** A turn of this process. Forgetting it stops nothing. */
export declare class Turn {
  private constructor();
  readonly runId: string;
  /** Also of a chat that this turn created. */
  readonly chatId: string;
  /** The assistant's message. */
  readonly messageId: string;
  /** The chunks, from the first one on, however late it is called. */
  chunks(): AsyncIterableIterator<UIMessageChunk>;
  /** The same as bytes of a UI message stream over HTTP, with its terminator. */
  sse(): AsyncIterableIterator<Buffer>;
  /** Sends the stream as an HTTP response. A client that leaves ends this, not the run (unless `detached: false`). */
  pipe(
    response: ServerResponse,
    options?: { status?: number; headers?: Record<string, string>; heartbeatMs?: number },
  ): Promise<void>;
  /** Asks the run to stop; false when it has settled already. */
  stop(): Promise<boolean>;
  /** How the turn ended, once that is on disk. */
  done(): Promise<RunOutcome>;
}

/** An engine on a store. */
export declare class Engine {
  private constructor();
  /** Opens the store and settles what dead processes left in it. */
  static open(options: EngineOptions): Promise<Engine>;
  /** Begins a turn. When it rejects, nothing was stored and no provider was called. */
  startTurn(request: TurnRequest): Promise<Turn>;
  readonly runs: {
    get(params: Who & { runId: string }): Promise<Run>;
    /** null in a chat that never had a run. */
    latestForChat(params: Who & { chatId: string }): Promise<Run | null>;
    /** From any process. false when there is nothing to stop. */
    stop(params: Who & ({ runId: string } | { chatId: string })): Promise<boolean>;
  };
  readonly chats: {
    /** Oldest first. A message in progress has every finished step. */
    messages(params: Who & { chatId: string }): Promise<Message[]>;
    export(params: ExportOptions): Promise<string>;
  };
  /** Refuses new turns, lets running ones go on for `graceMs` (5000), settles the rest as `shutdown`. */
  close(options?: { graceMs?: number }): Promise<void>;
}
