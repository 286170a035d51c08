/** A chunk of a stream, as the AI SDK has it. */
export interface StreamChunk {
  readonly type: string;
  readonly [member: string]: unknown;
}

export interface ConnectionState {
  /** `lost`: it is tried for again. `back`: something arrives again. */
  state: 'lost' | 'back';
  /** How often it was tried for since anything arrived. */
  attempt: number;
  cause?: unknown;
}

interface ConnectionOptions {
  /** Without a byte for this long a connection is taken for dead. @default 45000 */
  silenceMs?: number;
  /** For how long a connection is tried for without anything arriving. @default 300000 */
  giveUpMs?: number;
  /** The longest wait between two attempts. @default 10000 */
  maxWaitMs?: number;
  /** Is told when the connection is lost and when it is back. */
  onConnection?(state: ConnectionState): void;
  credentials?: RequestCredentials | (() => RequestCredentials | Promise<RequestCredentials>);
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  fetch?: typeof globalThis.fetch;
}

export interface TurnkeepChatTransportOptions extends ConnectionOptions {
  /** The router's base. @default '/api/chat' */
  api?: string;
  /** What goes with every message, for the host's `turn`. */
  body?: object | (() => object | Promise<object>);
  /** Of which version the AI SDK in the page is. @default 'ai-6' */
  protocol?: 'ai-6' | 'ai-7';
  /**
   * Whether `stop()` of the chat stops the run on the server. `useChat` of version 7 calls it also when its component is taken
   * down: there, give it a `Chat` of your own (`useChat({chat})`), or set this to false and call `transport.stop`.
   * @default true
   */
  stopOnAbort?: boolean;
  /**
   * Whether the server takes the page's own ids of chats (`chats: {ids: 'any'}`). Otherwise an id that is no UUID is left out, and the
   * one that the server makes is adopted.
   * @default false
   */
  keepIds?: boolean;
}

/**
 * A transport for the AI SDK's `Chat` and `useChat` that goes on exactly where a connection was cut, and stops the run on the
 * server when the user stops.
 *
 * @example
 * const chat = useChat({ id, messages, resume: true, transport: new TurnkeepChatTransport({ api: '/api/chat' }) });
 */
export declare class TurnkeepChatTransport {
  constructor(options?: TurnkeepChatTransportOptions);
  readonly resumeStreamIsReplay: true;
  sendMessages(options: {
    trigger: 'submit-message' | 'regenerate-message';
    chatId: string;
    messageId: string | undefined;
    messages: any[];
    abortSignal: AbortSignal | undefined;
    headers?: Record<string, string> | Headers;
    body?: object;
    metadata?: unknown;
  }): Promise<ReadableStream<any>>;
  reconnectToStream(options: {
    chatId: string;
    abortSignal?: AbortSignal;
    headers?: Record<string, string> | Headers;
    body?: object;
    metadata?: unknown;
  }): Promise<ReadableStream<any> | null>;
  /** The ids that the server has for a chat of the page. */
  idsOf(chatId: string): { chatId: string; runId?: string };
  /** Stops what goes on in a chat; false when there was nothing to stop. */
  stop(options: { chatId: string }): Promise<boolean>;
  /** Lets a message join the answer in progress. */
  steer(options: { chatId: string; message: unknown }): Promise<{ messageId: string; [member: string]: unknown }>;
}

/** Follows a run without a framework: each chunk once, over any number of connections. */
export declare function followRun(
  options: ConnectionOptions & {
    /** `…/runs/<id>/stream` */
    url: string;
    /** Go on behind this cursor. */
    after?: string;
    signal?: AbortSignal;
  },
): AsyncGenerator<StreamChunk, void, void>;

/**
 * A `fetch` for clients of AG-UI that take a cut for a failure, such as `HttpAgent`: what it gives goes on behind the last event
 * over any number of connections, and ends with the run.
 *
 * @example
 * const agent = new HttpAgent({ url: '/api/chat/ag-ui', threadId, fetch: resumingFetch() });
 */
export declare function resumingFetch(
  options?: Omit<ConnectionOptions, 'headers' | 'credentials'>,
): (url: string, init?: RequestInit) => Promise<Response>;

/** Cuts text that comes in pieces into the events of a stream. */
export declare class EventParser {
  push(text: string): { id?: string; event?: string; data: string }[];
}

/** The server refused. */
export declare class ChatRequestError extends Error {
  constructor(status: number, body: string);
  readonly status: number;
  readonly code?: string;
  readonly kind?: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The connection was lost, and could not be had again. */
export declare class ChatConnectionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

export interface ChatErrorDescription {
  /** What a page does about it depends on this. */
  kind:
    | 'connection'
    | 'stopped'
    | 'busy'
    | 'provider'
    | 'limit'
    | 'invalid'
    | 'unauthenticated'
    | 'forbidden'
    | 'not_found'
    | 'conflict'
    | 'unavailable'
    | 'not_configured'
    | 'bug';
  /** One line for people. */
  message: string;
  /** Whether the same may well succeed a little later. */
  retryable: boolean;
  status?: number;
  code?: string;
  /** Of a provider's refusal or failure: which kind. */
  failure?: string;
  /** Of a busy chat: the run that is in the way. */
  activeRunId?: string;
}

/** What an error of a chat is. The answer's message, where there is one, says more than the error's text. */
export declare function describeChatError(error: unknown, message?: { metadata?: any }): ChatErrorDescription;
