import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { Actor, Engine, PipeReport, Protocol, TurnRequest, Who } from './index.js';

/** Who asks, as the host knows it. Whatever a client says of it is passed over. */
export interface Asker extends Who {
  /**
   * Whether they may manage roles and settings, and see what others wait for and use.
   * @default false
   */
  isAdmin?: boolean;
}

/** The names of the routes, by which a host replaces them or leaves them out. */
export type RouteName =
  /** `POST /`: a turn, or the answers that a run waits for; streams. */
  | 'turn'
  /** `GET /:chatId/stream`: the answer in progress from its beginning; 204 where there is none. */
  | 'resume'
  /** `POST /:chatId/stop` */
  | 'stop'
  /** `POST /stop`: `{runId}`, `{chatId}` or `{idempotencyKey}`, also of a turn that has not begun. */
  | 'stopAny'
  /** `POST /ag-ui`: a `RunAgentInput` of AG-UI 1.0; streams its events, behind `Last-Event-ID` where the run goes on. */
  | 'agUi'
  /** `GET /chats` */
  | 'chats'
  /** `GET /chats/search?query=` */
  | 'search'
  /** `GET /chats/:chatId`: `{messages, follow}`, messages as pages show them. */
  | 'open'
  /** `PATCH /chats/:chatId`: `{title}` */
  | 'rename'
  /** `DELETE /chats/:chatId` */
  | 'delete'
  /** `GET /chats/:chatId/messages` */
  | 'messages'
  /** `GET /chats/:chatId/messages/:messageId/versions` */
  | 'versions'
  /** `GET /chats/:chatId/runs`: the newest runs of a chat, newest first. */
  | 'runs'
  /** `POST /chats/:chatId/fork` */
  | 'fork'
  /** `GET /chats/:chatId/export?format=&lang=` */
  | 'export'
  /** `GET /waiting`: what runs wait for. */
  | 'waiting'
  /** `GET /runs/:runId` */
  | 'run'
  /** `GET /runs/:runId/stream`: behind `after`, `startIndex` or `Last-Event-ID`; 204 where nothing is left. */
  | 'follow'
  /** `POST /runs/:runId/stop` */
  | 'stopRun'
  /** `POST /runs/:runId/answers` */
  | 'answer'
  /** `POST /runs/:runId/messages`: a message joins the run. */
  | 'steer'
  /** `GET /runs/:runId/messages` */
  | 'queue'
  /** `DELETE /runs/:runId/messages/:messageId` */
  | 'unsteer'
  /** `GET /roles` */
  | 'roles'
  /** `POST /roles` */
  | 'createRole'
  /** `PATCH /roles/:roleId` */
  | 'updateRole'
  /** `DELETE /roles/:roleId` */
  | 'deleteRole'
  /** `GET /settings`: keys are masked. */
  | 'settings'
  /** `PATCH /settings` */
  | 'updateSettings'
  /** `POST /settings/test`: `{capability}` */
  | 'testSettings'
  /** `GET /usage?by=&since=&until=` */
  | 'usage'
  /** `POST /transcribe`: a recording as the body, or as the file of a form; `{text}`. */
  | 'transcribe';

/** What is known of a request. */
export interface RouteContext<Native = unknown> {
  engine: Engine;
  /** As the web knows it. */
  request: Request;
  /** As the framework knows it. */
  native: Native;
  /** Of the path, such as `chatId`. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  /** Of a request with a body: the object that it is. */
  body: Readonly<Record<string, unknown>>;
  who: Asker;
  actor: Actor;
  protocol: Protocol;
}

/** Answers instead of a route; `original` answers as the route does. */
export type RouteReplacement<Native = unknown> = (
  context: RouteContext<Native>,
  original: () => Promise<Response>,
) => Response | Promise<Response>;

export interface RouterOptions<Native = any> {
  /** The engine, or a function that gives it. */
  engine: Engine | (() => Engine | Promise<Engine>);
  /**
   * Who asks. null: nobody is signed in (401). A `Response` is sent as it is. What it throws is an answer, too, where it has
   * a status of its own, as frameworks' exceptions do.
   */
  who(
    request: Request,
    native: Native,
  ): Asker | Response | null | undefined | Promise<Asker | Response | null | undefined>;
  /**
   * What a turn has beside what its client may say (`roleId`, `openPage`, `busy`, `messageId`): tools, a model, rules. It wins.
   */
  turn?(asked: {
    request: Request;
    native: Native;
    who: Asker;
    /** All that the client sent. */
    body: Readonly<Record<string, unknown>>;
    /** What of it the turn has. */
    asked: Readonly<Partial<TurnRequest>>;
    engine: Engine;
  }):
    | Partial<Omit<TurnRequest, 'workspaceId' | 'userId'>>
    | undefined
    | Promise<Partial<Omit<TurnRequest, 'workspaceId' | 'userId'>> | undefined>;
  /**
   * The path that all routes are below.
   * @default '/api/chat'
   */
  basePath?: string;
  /**
   * What clients are told that do not say it themselves, by the header `x-turnkeep-protocol` or the member `protocol`.
   * @default 'ai-6'
   */
  protocol?: Protocol;
  /**
   * Origins of other sites whose pages may ask for changes; `'*'` for all. Browsers say where a page is from.
   * @default []
   */
  origins?: readonly string[];
  /** @default 33554432 */
  maxBodyBytes?: number;
  /** A comment is sent after so much silence.
   * @default 15000
   */
  heartbeatMs?: number;
  /** Routes that the host answers itself (`function`), or not at all (`false`). */
  routes?: { readonly [Name in RouteName]?: RouteReplacement<Native> | false };
  /** Is told how each stream went that a server of Node's has sent. */
  onStream?(report: PipeReport & { runId: string; chatId: string }): void;
  /** Is told of failures of which clients are told nothing. */
  onError?(error: unknown): void;
}

/** What is known of a failure: the body of every refusal, `{error: …}`. */
export interface FailureBody {
  error: {
    /** As of `TurnkeepError`, or `UNAUTHENTICATED`, `METHOD_NOT_ALLOWED`. */
    code: string;
    kind:
      | 'invalid'
      | 'unauthenticated'
      | 'forbidden'
      | 'not_found'
      | 'busy'
      | 'conflict'
      | 'limit'
      | 'unavailable'
      | 'not_configured'
      | 'provider'
      | 'internal';
    message: string;
    statusCode: number;
    details: Readonly<Record<string, unknown>>;
  };
}

/** A socket of the web, of `ws`, or alike. */
export interface SocketLike {
  send(text: string): void;
  readonly bufferedAmount: number;
}

export interface Router {
  /** Answers a request of the web; null where no route has its path. */
  handle(request: Request, native?: unknown): Promise<Response | null>;
  /** The same; 404 where no route has its path. For Hono, Next and whoever returns responses. */
  fetch(request: Request, native?: unknown): Promise<Response>;
  /** A handler for `http`, `http2` and Express: calls `next` where no route has the path. */
  node(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    next?: (error?: unknown) => void,
  ): void;
  /** A plugin for Fastify: `await app.register(router.fastify)`. */
  fastify(fastify: any): Promise<void>;
  /** Serves a socket in the frames of the AI SDK's `WebSocketChatTransport`; `request` is what it was opened with. */
  socket(socket: SocketLike, request: IncomingMessage | Request): void;
}

/**
 * The endpoints of a chat, for whatever server there is.
 *
 * @example
 * const chat = createRouter({ engine, who: (request) => sessionOf(request), turn: () => ({ tools }) });
 * app.use(chat.node); // Express; await app.register(chat.fastify); app.all('/api/chat/*', (c) => chat.fetch(c.req.raw, c))
 */
export declare function createRouter<Native = any>(options: RouterOptions<Native>): Router;

/** What clients are told of a failure; nothing of what is neither turnkeep's nor an exception with a status. */
export declare function failureBody(error: unknown): FailureBody;
