'use strict';

const { TurnkeepError } = require('../error.js');
const { failureBody } = require('./failure.js');
const { isObject } = require('./message.js');
const { mayOpenSocket, objectOf, refuse, refuseOtherSites } = require('./request.js');
const { ROUTES, match } = require('./routes.js');

/** Messages with their files, and recordings: both are checked again, each by its own limit, where they are read. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;
const PROTOCOLS = ['ai-6', 'ai-7'];

const isFunction = (value) => typeof value === 'function';

function checked(options) {
  if (!isObject(options)) throw TurnkeepError.invalid('options', 'must be an object');
  const {
    engine,
    who,
    turn = () => ({}),
    basePath = '/api/chat',
    protocol = 'ai-6',
    origins = [],
    routes = {},
  } = options;
  const { maxBodyBytes = MAX_BODY_BYTES, heartbeatMs, onError = () => {}, onStream = () => {} } = options;
  if (!isFunction(engine) && !isFunction(engine?.startTurn))
    throw TurnkeepError.invalid('engine', 'must be an Engine, or give one');
  if (!isFunction(who)) throw TurnkeepError.invalid('who', 'must be a function that says who asks');
  if (!isFunction(turn)) throw TurnkeepError.invalid('turn', 'must be a function');
  if (!isFunction(onError)) throw TurnkeepError.invalid('onError', 'must be a function');
  if (!isFunction(onStream)) throw TurnkeepError.invalid('onStream', 'must be a function');
  if (typeof basePath !== 'string' || !basePath.startsWith('/'))
    throw TurnkeepError.invalid('basePath', 'must begin with /');
  if (!PROTOCOLS.includes(protocol)) throw TurnkeepError.invalid('protocol', `must be ${PROTOCOLS.join(' or ')}`);
  if (!Array.isArray(origins)) throw TurnkeepError.invalid('origins', 'must be a list');
  if (!(maxBodyBytes > 0)) throw TurnkeepError.invalid('maxBodyBytes', 'must be a positive number');
  for (const name of Object.keys(routes)) {
    if (!ROUTES.some((route) => route.name === name))
      throw TurnkeepError.invalid(`routes.${name}`, 'there is no such route');
    if (routes[name] !== false && !isFunction(routes[name])) {
      throw TurnkeepError.invalid(`routes.${name}`, 'must be a function, or false');
    }
  }
  const base = basePath.split('/').filter(Boolean);
  return { engine, who, turn, base, protocol, origins, routes, maxBodyBytes, heartbeatMs, onError, onStream };
}

/** The segments of a path below the base; nothing where it is elsewhere. */
function below(base, pathname) {
  let segments;
  try {
    segments = pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  return base.every((segment, place) => segment === segments[place]) ? segments.slice(base.length) : undefined;
}

/** A web `Response` for what is no stream of a run. */
function plain({ status, json, document, headers = {} }) {
  const head = new Headers({ 'cache-control': 'no-store', ...headers });
  if (document !== undefined) return new Response(ReadableStream.from(document), { status, headers: head });
  if (json === undefined) return new Response(null, { status, headers: head });
  head.set('content-type', 'application/json; charset=utf-8');
  return new Response(JSON.stringify(json), { status, headers: head });
}

/**
 * The endpoints of a chat. It knows requests and responses of the web; adapters make them of what frameworks have.
 */
class Router {
  #options;

  constructor(options) {
    this.#options = checked(options);
  }

  /** The path that all routes are below. */
  get base() {
    return `/${this.#options.base.map(encodeURIComponent).join('/')}`;
  }

  /** Whether a socket that is opened with these headers is served. */
  opensTo(headers) {
    return mayOpenSocket(headers, this.#options.origins);
  }

  /** Whether a path is below the base. */
  covers(pathname) {
    return below(this.#options.base, pathname) !== undefined;
  }

  /**
   * What a request leads to, without it being sent: a web `Response`, or a stream of a run with what to send it with.
   * Nothing where no route has this path. Never rejects.
   */
  async resolve(request, native) {
    const { base, origins, routes } = this.#options;
    const url = new URL(request.url, 'http://localhost');
    const path = below(base, url.pathname);
    if (path === undefined) return undefined;
    const found = ROUTES.filter(({ name }) => routes[name] !== false)
      .map((route) => ({ route, params: match(route.segments, path) }))
      .filter(({ params }) => params !== undefined);
    if (found.length === 0) return undefined;
    try {
      const { route, params } = found.find(({ route }) => route.method === request.method) ?? {};
      if (route === undefined) {
        // Whoever answers pages of other origins has to be asked before.
        if (request.method === 'OPTIONS') return undefined;
        const allow = found.map(({ route }) => route.method).join(', ');
        const error = refuse('METHOD_NOT_ALLOWED', 405, `takes ${allow} only`);
        return { ...this.#failed(error), headers: { allow } };
      }
      refuseOtherSites(request, origins);
      return await this.#answer(route, params, request, url.searchParams, native);
    } catch (error) {
      return this.#failed(error);
    }
  }

  async #answer(route, params, request, query, native) {
    const { routes, maxBodyBytes, heartbeatMs } = this.#options;
    const engine = isFunction(this.#options.engine) ? await this.#options.engine() : this.#options.engine;
    const said = await this.#options.who(request, native);
    if (said instanceof Response) return { response: said };
    if (!isObject(said)) throw refuse('UNAUTHENTICATED', 401, 'nobody is signed in');
    const { workspaceId, userId, isAdmin = false } = said;
    const who = { workspaceId, userId };
    const actor = { userId, isAdmin: isAdmin === true };
    const hasBody = !['GET', 'DELETE'].includes(request.method) && !route.bytes;
    const body = hasBody ? await objectOf(request, maxBodyBytes) : {};
    const protocol = this.#protocolOf(request, query, body);
    const turn = async (asked) => (await this.#options.turn({ request, native, who: said, body, asked, engine })) ?? {};
    const context = { engine, request, native, params, query, body, who, actor, said, protocol, turn, maxBodyBytes };
    const replaced = routes[route.name];
    if (!isFunction(replaced)) return { heartbeatMs, ...(await route.answer(context)) };
    // A replacement may do as the route does, with something before it or after it.
    const original = async (changed = {}) =>
      this.#sent({ heartbeatMs, ...(await route.answer({ ...context, ...changed })) });
    return { response: await replaced({ ...context, who: said }, original) };
  }

  #protocolOf(request, query, body) {
    const asked = body.protocol ?? query.get('protocol') ?? request.headers.get('x-turnkeep-protocol');
    if (asked === null || asked === undefined || asked === '') return this.#options.protocol;
    if (!PROTOCOLS.includes(asked)) throw TurnkeepError.invalid('protocol', `must be ${PROTOCOLS.join(' or ')}`);
    return asked;
  }

  #failed(error) {
    const { error: told } = failureBody(error);
    // What no client is told of, the host has to see.
    if (told.code === 'INTERNAL') this.#options.onError(error);
    return { status: told.statusCode, json: { error: told } };
  }

  async #sent(result) {
    const { response, stream, headers, heartbeatMs } = result;
    if (response) return response;
    return stream ? stream.toResponse({ headers, heartbeatMs }) : plain(result);
  }

  /** Answers a request of the web; null where no route has its path. */
  async handle(request, native) {
    const result = await this.resolve(request, native);
    if (result === undefined) return null;
    try {
      return await this.#sent(result);
    } catch (error) {
      return plain(this.#failed(error));
    }
  }

  /**
   * Sends what a request leads to: a stream to `target` by its own means, with `send` for everything else. Gives false where no
   * route has its path.
   */
  async pipe(request, native, target, send) {
    const result = await this.resolve(request, native);
    if (result === undefined) return false;
    const { stream, headers, heartbeatMs } = result;
    if (!stream) {
      await send(result.response ?? plain(result));
      return true;
    }
    let failed;
    // It rejects before its head is sent, or has cut the connection.
    const report = await stream.pipe(target, { headers, heartbeatMs }).catch((error) => (failed = error));
    const [runId, chatId] = [headers['x-turnkeep-run-id'], headers['x-turnkeep-chat-id']];
    if (!failed) this.#options.onStream({ runId, chatId, ...report });
    if (failed && !(target.raw ?? target).headersSent) await send(plain(this.#failed(failed)));
    return true;
  }
}

module.exports = { Router };
