import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import type {
  Actor,
  AssistantFlush,
  AssistantMetadata,
  AssistantPart,
  Capability,
  ChatRow,
  ChatsOperations,
  EffectStatement,
  EngineOperations,
  EngineSettings,
  FlushExtra,
  McpOperations,
  MessageInput,
  MessageStatus,
  PageRef,
  PendingMigration,
  Placeholders,
  Protocol,
  ProvenanceOperations,
  ProviderChoice,
  RolesOperations,
  RunFailure,
  RunOutcome,
  RunRequestFields,
  RunStep,
  RunsOperations,
  SearchOperations,
  SecretsOperations,
  SettingsOperations,
  SettingsPatch,
  SettingsTest,
  Steering,
  StreamFormat,
  Step,
  TailEnd,
  TailItem,
  ToolEffect,
  TraceEntry,
  TrimOptions,
  TurnRequestFields,
  UIMessageChunk,
  UsageOperations,
  Who,
  WorkspaceSettings,
  buildChatJson,
  buildSystemPrompt,
} from './surface.js';

import type { ClientMessage, ShownUIMessage } from './messages.js';

export * from './surface.js';
export * from './messages.js';

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
  /** Of a tool with `effects`: what the call is noted by. */
  readonly effect?: ToolEffect;
  /**
   * Of a tool with `effects`: the statement to be carried out in the transaction in which the call changes something, once and
   * before it commits. `result` is the output, which the model is told if the process ends before it can be told otherwise.
   */
  readonly effectStatement: (options?: EffectStatementOptions) => EffectStatement;
  /** Of a tool that is `idempotent`: the same whenever this call is made. */
  readonly idempotencyKey?: string;
}

/** What there may be said of the statement of an effect. */
export interface EffectStatementOptions {
  /** The call's output. */
  result?: unknown;
  /** How the client library writes the places of parameters; as the database does unless given. */
  placeholders?: Placeholders;
  /** The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given. */
  schema?: string;
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
  /**
   * What it returns, and what its errors say, is content from outside: pages of others, mails, the web. With `taint`, a turn
   * that was told of it may not change anything any more by itself. A tool that only sometimes returns such content says so in
   * its output instead, an object with `untrusted: true`.
   */
  untrusted?: boolean;
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
   * Which of its calls somebody has to allow first: `always`, or those whose input fits a JSON Schema. The run waits
   * meanwhile (`runs.answer`, `runs.waiting`), so this is for tools that are offered (`offerTools`).
   */
  approval?: 'never' | 'always' | { when: object };
  /** Whoever allows a call may change its input, within the input's schema. */
  editableInput?: boolean;
  /** The tool is a question to a person, and this is the JSON Schema of the answer. Nothing is run: it has no `execute`. */
  answerSchema?: object;
  /** The tool is the client's, which answers with the output. Nothing is run here: it has no `execute`. */
  clientSide?: boolean;
  /** Users who may allow or answer its calls, instead of the chat's owner. */
  answerers?: readonly string[];
  /** After how many milliseconds a call that waits has expired; never unless given. */
  expiresAfterMs?: number;
  /**
   * Everything that a call changes it changes in one transaction in the store's own database, in which it also carries out
   * `context.effectStatement()`. Whoever goes on after a death knows then whether it was done; if not, it is made again.
   */
  effects?: boolean;
  /**
   * A call that is made twice does no more than one that is made once: `true`, or `{key}` where a member of the input is what
   * tells such calls apart. Whoever goes on after a death makes it again, with the same `context.idempotencyKey`.
   */
  idempotent?: boolean | { key: string };
  /**
   * `core` tools are told to the model whole, from the first step on. Of a `deferred` one it is told a line, in the tool
   * `loadTools`, by which it makes those callable that it needs, for the rest of the turn.
   */
  tier?: 'core' | 'deferred';
  /** That line; the beginning of the description unless given. */
  catalogLine?: string;
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

/** A tool that is offered: with code, or one whose calls wait for an answer. */
export type OfferedToolSpec<Input = any> =
  ToolSpec<Input> | (Omit<ToolSpec<Input>, 'execute'> & ({ answerSchema: object } | { clientSide: true }));

/** A tool as `tool()` of the AI SDK makes it, of either version. What of it turnkeep does not do is refused by name. */
export interface SdkTool {
  inputSchema: unknown;
  description?: unknown;
  /** As the SDK calls it. */
  execute?: Function;
}

/** What code is given that has this schema: what a Standard Schema, or a schema of the AI SDK, says of its values. */
export type InputOf<Schema> = Schema extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : any
  : Schema extends { _type: infer Value }
    ? Value
    : any;

/**
 * A tool whose code is typed by its schema: Zod, ArkType, Valibot and whatever else is a Standard Schema.
 *
 * @example
 * const weather = defineTool({
 *   description: 'What the weather is like in a city.',
 *   inputSchema: z.object({ city: z.string() }),
 *   execute: ({ city }, { signal }) => fetchWeather(city, { signal }),
 * });
 * await engine.startTurn({ workspaceId, userId, message, tools: { weather } });
 */
export declare function defineTool<Schema extends InputSchema>(
  tool: TypedTool<Schema> & { name: string },
): Tool<InputOf<Schema>>;
export declare function defineTool<Schema extends InputSchema>(tool: TypedTool<Schema>): ToolSpec<InputOf<Schema>>;

type TypedTool<Schema> = Omit<ToolSpec, 'inputSchema' | 'execute'> & {
  inputSchema: Schema | (() => Schema);
  execute(input: InputOf<Schema>, context: ToolContext): unknown;
};

/** Tools as a list, or as an object whose keys are their names. */
export type Tools = readonly Tool[] | Readonly<Record<string, ToolSpec | SdkTool>>;

/** Offered tools as a list, or as an object whose keys are their names. */
export type OfferedTools =
  readonly (OfferedToolSpec & { name: string })[] | Readonly<Record<string, OfferedToolSpec | SdkTool>>;

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

/** How a stream went: what there is to look at when answers come late, or not at all. */
export interface PipeReport {
  /** Everything was handed over; false when the client left. */
  readonly complete: boolean;
  readonly elapsedMs: number;
  /** Until the first chunk; null when there was none. */
  readonly firstChunkMs: number | null;
  /** The longest time without a chunk. */
  readonly longestSilenceMs: number;
  /** How long there had been no chunk at the end: what went before a client left. */
  readonly lastSilenceMs: number;
  readonly heartbeats: number;
  readonly bytes: number;
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
  pipe(response: PipeTarget, options?: PipeOptions): Promise<PipeReport>;
  /**
   * The stream as a `Response` of the web, for frameworks that return one (Hono, Next). A client that leaves cancels its
   * body, which ends this, not the run (unless `detached: false`).
   */
  toResponse(options?: PipeOptions): Promise<Response>;
  /** Asks the run to stop; false when it has settled already. */
  stop(): Promise<boolean>;
  /**
   * The messages that wait for the run (`engine.runs.steer`), in their order: for its next step, or, once it has ended, for
   * the chat's next turn.
   */
  queue(): Promise<Steering[]>;
  /**
   * How the turn ended, once that is on disk. Rejects with LEASE_LOST when another engine drives the run now, also one
   * that has taken it over from this one, and with ENGINE_CLOSED when the turn was left to others.
   */
  done(): Promise<RunOutcome>;
}

export interface TailOptions extends Who {
  /** Go on behind this cursor. Not together with `from`. */
  after?: string | number;
  /** `snapshot` (the default): finished steps in compact form, then chunk by chunk. `start`: chunk by chunk. */
  from?: 'snapshot' | 'start';
  /**
   * `ai-7`: clients of version 7 of the AI SDK are told of steps that are withdrawn, of messages that join the run, and of
   * what else only they know (`custom`, `reasoning-file`, `tool-approval-response`), by chunks of their own.
   * @default 'ai-6'
   */
  protocol?: Protocol;
  /**
   * `ag-ui`: events of AG-UI 1.0 instead of chunks of the AI SDK.
   * @default 'ui'
   */
  format?: StreamFormat;
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
  pipe(response: PipeTarget, options?: PipeOptions): Promise<PipeReport>;
  /** The same as a `Response` of the web. */
  toResponse(options?: PipeOptions): Promise<Response>;
  /** Goes away. Whoever waits for chunks is at the end. */
  close(): void;
}

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
  /**
   * Resolves to the step's number once it is on disk. A step of the AI SDK is taken as `onStepEnd` (6: `onStepFinish`) gives
   * it; what of it cannot be kept is INVALID_INPUT with its place, and nothing of the step is stored then.
   *
   * The SDK passes over what its callbacks throw, so wait for the promises as well:
   *
   * @example
   * const run = await engine.runs.begin({ workspaceId, userId, message });
   * const recorded = [];
   * const onStepEnd = (step) => void recorded.push(run.recordStep(step));
   * await streamText({ model, messages, tools, abortSignal: run.signal, onStepEnd }).consumeStream();
   * await Promise.all(recorded);
   * await run.finish({ status: 'succeeded' });
   */
  recordStep(step: RunStep | SdkStep): Promise<number>;
  /** Ends the run. Ending it again the same way changes nothing. */
  finish(options: RunFinish): Promise<void>;
}

/** How an engine is opened. */
export interface EngineOptions extends Omit<EngineSettings, 'errorText'> {
  /** Tools of every turn. A turn's own tool of the same name wins. */
  tools?: Tools;
  /**
   * What pages are told of a failure (`error` chunks, `error` and `failure.message` of a message's metadata): a sentence for
   * each kind that says nothing of what the provider said (`safe`), the provider's own (`provider`), or what a function
   * makes of the failure, which has the provider's. Where that is no text, or it throws, it is the safe one. The outcome,
   * the rows and the log have the provider's in any case; rows of `chats.messages` and `chats.open` have beside it what
   * pages are told, as `errorText`, which `rowToUiMessage` takes.
   * @default 'safe'
   */
  errorText?: 'safe' | 'provider' | ((failure: RunFailure) => string | undefined);
}

/** What a turn is begun with. */
export interface TurnRequest extends Omit<TurnRequestFields, 'tools' | 'trigger' | 'message'> {
  /**
   * What the user wrote: text, or the message as a client has it (`UIMessage` of the AI SDK goes in as it is). It is passed
   * over where an answer is generated anew, and needed otherwise.
   */
  message?: MessageInput | ClientMessage;
  /** Tools of this turn, besides those of the engine. */
  tools?: Tools;
  /**
   * What begins the turn. A client's `submit-message` is `user`, its `regenerate-message` is `regenerate`.
   * @default 'user'
   */
  trigger?: TurnRequestFields['trigger'] | 'submit-message' | 'regenerate-message';
  /** Stops the run when it is aborted. */
  signal?: AbortSignal;
}

/** A step result of the AI SDK, of which its content is read. */
export interface SdkStep {
  readonly content: readonly { type: string }[];
  readonly finishReason?: string;
  readonly usage?: object;
}

/** What a run is begun with that the host drives itself. */
export interface RunRequest extends Omit<RunRequestFields, 'busy' | 'message'> {
  /** What the user wrote, as for a turn; nothing when the host has stored that itself. */
  message?: MessageInput | ClientMessage;
  /** The engine cannot begin a host's loop later, so there is no `enqueue`. */
  busy?: 'reject' | { supersede: string };
}

/** How a run that the host drives ends. */
export type RunFinish = Omit<Parameters<RunsOperations['finish']>[0], keyof Who | 'runId' | 'step'> & {
  /** A last step, or what there was of it, written together with the end. */
  step?: RunStep | SdkStep;
};

/** Which chat is exported, and how. */
export type ExportOptions = Parameters<ChatsOperations['export']>[0];

/** Which of a chat's messages. */
export type MessagePage = Pick<Parameters<ChatsOperations['messages']>[0], 'limit' | 'before'>;

/** What `buildChatJson` makes a document of. */
export type ChatExport = Parameters<typeof buildChatJson>[0];

/** What `buildSystemPrompt` makes a prompt of. */
export type PromptLayers = NonNullable<Parameters<typeof buildSystemPrompt>[0]>;

export interface Engine extends EngineOperations {}

/** An engine on a store. */
export declare class Engine {
  private constructor();
  /**
   * Opens the store and settles what dead processes left in it.
   *
   * @example
   * const engine = await Engine.open({
   *   store: 'sqlite:chats.db',
   *   providers: { default: { driver: 'openai', model: 'gpt-5', apiKey: process.env.OPENAI_API_KEY } },
   * });
   */
  static open(options: EngineOptions): Promise<Engine>;
  /** Which migrations opening this PostgreSQL database would apply, and what each would add. Changes nothing. */
  static pendingMigrations(store: string): Promise<PendingMigration[]>;
  /**
   * Begins a turn. When it rejects, nothing was stored and no provider was called.
   *
   * @example
   * const turn = await engine.startTurn({ workspaceId, userId, chatId, message: body.messages.at(-1), protocol: 'ai-7' });
   * await turn.pipe(response);
   */
  startTurn(request: TurnRequest): Promise<Turn>;
  /** Begins a turn of which nothing is stored but its record and what it uses: `startTurn` with `stateless`. */
  runStateless(request: TurnRequest): Promise<Turn>;
  /**
   * Offers these tools, or without an argument those that the engine was opened with, besides what it offers already: from
   * now on it drives turns that name their tools (`offeredTools`) if it offers all of them. It begins those that are
   * left to it within moments, and goes on with those whose engine was closed or has died, after their last finished
   * step; of a call whose outcome is not known the model is told so. A tool takes the place of one of the same name.
   * Keeps the process (or the worker thread) alive until the engine is closed.
   */
  offerTools(tools?: OfferedTools): void;
  /**
   * Has every page that a turn, or a run of the host's own, is said to be begun on (`openPage`) checked: from now on only what
   * `check` gives is used, for the prompt, for the tool `getCurrentPage` and for the page of a chat that is created. It gives
   * the page with its own title, or null where there is no such page or the user may not see it. When it throws, gives
   * anything else, or takes longer than `requests.pageCheckTimeoutMs`, there is no page. It takes the place of one that was
   * given before. Keeps the process (or the worker thread) alive until the engine is closed.
   */
  checkPages(
    check: (
      asked: Who & { page: { id: string; title: string | null } },
      context: ToolContext,
    ) => PageRef | null | Promise<PageRef | null>,
  ): void;
  /**
   * Has the host asked for the access tokens of users, by which turns with `docmost` act on a Docmost server: when a turn first
   * needs one, and once more when the server does not take it (`refused`). What `token` throws is told to nobody. It takes the
   * place of one that was given before. Keeps the process (or the worker thread) alive until the engine is closed.
   */
  docmostTokens(
    token: (asked: Who & { baseUrl: string; refused: boolean }, context: ToolContext) => string | Promise<string>,
  ): void;
  readonly runs: RunsOperations & {
    /**
     * From any process. false when there is nothing to stop. By the idempotency key of its turn, a run may also be stopped
     * that has not begun: it ends as stopped when it begins (within an hour), before a provider is asked for anything.
     */
    stop(
      params: Who & ({ runId: string } | { chatId: string } | { idempotencyKey: string; chatId?: string }),
    ): Promise<boolean>;
    /**
     * Follows a run's log.
     *
     * @example
     * const active = await engine.runs.activeForChat({ workspaceId, userId, chatId });
     * if (active) await engine.runs.tail({ workspaceId, userId, runId: active.id, protocol: 'ai-7' }).pipe(response);
     */
    tail(params: TailOptions & { runId: string }): RunTail;
    tail(runId: string, options: TailOptions): RunTail;
    /**
     * Begins a run that the host drives itself: `recordStep` and `finish` of its handle.
     *
     * @example
     * const run = await engine.runs.begin({ workspaceId, userId, chatId, message });
     */
    begin(params: RunRequest): Promise<HostedRun>;
    /** As `recordStep` of the run's handle, by its id. */
    recordStep(params: Who & { runId: string; step: RunStep | SdkStep }): Promise<number>;
    /** As `finish` of the run's handle, by its id. */
    finish(params: Who & { runId: string } & RunFinish): Promise<void>;
  };
  readonly chats: ChatsOperations & {
    /** The document of `export` as UTF-8 in pieces, so that memory does not grow with the chat. */
    exportStream(params: ExportOptions): AsyncGenerator<Buffer, void, void>;
  };
  /** The personas that chats are begun with. */
  readonly roles: RolesOperations;
  /** External tool servers, whose tools turns may have (`mcpTools`). */
  readonly mcp: McpOperations;
  /** Claims that an access is by the agent of a chat. */
  readonly provenance: ProvenanceOperations;
  /** The index that pages are found by. */
  readonly search: SearchOperations;
  /** What a workspace has configured. */
  readonly settings: SettingsOperations & {
    /** The same by names. */
    get(params: { workspaceId: string; actor?: Actor }): Promise<WorkspaceSettings>;
    /** The same by names. */
    update(params: { workspaceId: string; settings: SettingsPatch; actor?: Actor }): Promise<WorkspaceSettings>;
    /** The same by names. */
    test(params: {
      workspaceId: string;
      capability?: Capability;
      actor?: Actor;
      provider?: ProviderChoice;
    }): Promise<SettingsTest>;
  };
  /** What calls to providers have used. */
  readonly usage: UsageOperations;
  readonly secrets: SecretsOperations;
  /** The same as `secrets.rotate`. */
  rotateSecrets: SecretsOperations['rotate'];
  /**
   * Refuses new turns, lets running ones go on for `graceMs` (5000), settles the rest as `shutdown`. Resolves when what
   * `pipe` sends has been handed over, too, or when the grace (a second at least) is over.
   */
  close(options?: { graceMs?: number }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

// ---- Pure functions ------------------------------------------------------------------------------------------------
//
// Those of `surface.d.ts` need no engine and no store. Arguments cross as JSON: members that are undefined vanish, a Date is
// its ISO text (null when it is invalid), NaN and the infinities are null, a bigint is an integer with all of its digits.
// Results are read with JSON.parse, which rounds integers above 2^53. What is wrong is INVALID_INPUT, and `details.field` is
// its place, such as `steps[2].toolCalls[0].toolName`. Inputs in what `flushAssistant` gives, and outputs of which nothing
// is cut, are those of the steps themselves: whoever changes one of them changes both.

/**
 * A stored row as a message for pages, and for `convertToModelMessages` of the AI SDK. Of a row that the engine wrote also how
 * it ended, as the stream tells it; of a user's its client's own metadata.
 *
 * With a `protocol`, its parts are in the form that clients of that version take: what has joined the run is a
 * `steering-message` to `ai-7` and a part of data to `ai-6`, `custom` and `reasoning-file` are parts of data to `ai-6`. Without
 * one they are as they are stored.
 *
 * @example
 * const rows = await engine.chats.messages({ workspaceId, userId, chatId });
 * const messages = rows.map((row) => rowToUiMessage(row, 'ai-7'));
 * const prompt = await convertToModelMessages(messages);
 */
export declare function rowToUiMessage<P extends Protocol>(row: ChatRow, protocol: P): ShownUIMessage<P>;
/** As `map` calls it: the index is passed over. */
export declare function rowToUiMessage(row: ChatRow, index?: number, rows?: readonly unknown[]): ShownUIMessage;

type Plain<T> = { [K in keyof T]: T[K] };

/**
 * The row of an assistant message after these steps: the first one, one in between, or the last. Steps of the AI SDK (6 and 7)
 * are taken as `onStepEnd`, `onStepFinish` and `result.steps` give them.
 *
 * @example
 * const { content, toolCalls, metadata, status } = flushAssistant(await result.steps, '', 'completed');
 */
export declare function flushAssistant(
  steps: readonly (Step | SdkStep)[],
  inProgressText: string,
  status: MessageStatus,
  extra?: FlushExtra | null,
): Omit<AssistantFlush, 'metadata'> & { metadata: Plain<AssistantMetadata> };

/** The parts of an assistant message. The fallback is its text when no step has one. */
export declare function assistantParts(
  steps: readonly (Step | SdkStep)[] | null | undefined,
  fallbackText: string,
): AssistantPart[];

/** The trace of calls and results; null when there is none. */
export declare function serializeSteps(steps: readonly (Step | SdkStep)[] | null | undefined): TraceEntry[] | null;

/** The newest messages that fit into a budget. */
export declare function trimHistory<T>(
  messages: readonly T[],
  options: TrimOptions,
): { messages: T[]; trimmed: boolean; estimatedTokens: number };
