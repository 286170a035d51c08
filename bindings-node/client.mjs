// The client's half of turnkeep/http: a transport for the AI SDK's chats, a reader for everything else, and words for what goes
// wrong. It needs nothing but fetch, streams and a text decoder.

const DONE = '[DONE]';
/** Without a byte for this long a connection is taken for dead; the server is never silent for more than 15 s. */
const SILENCE_MS = 45_000;
/** The waits between two attempts grow up to this. */
const MAX_WAIT_MS = 10_000;
/** For how long a connection is tried for without anything arriving. */
const GIVE_UP_MS = 5 * 60_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The server refused: `status`, and `code`, `kind` and `details` where it said them. */
export class ChatRequestError extends Error {
  constructor(status, body) {
    const told = errorIn(body);
    super(told?.message ?? (body || `the server answered ${status}`));
    this.name = 'ChatRequestError';
    this.status = status;
    this.code = told?.code;
    this.kind = told?.kind;
    this.details = told?.details ?? {};
  }
}

/** The connection was lost, and could not be had again. */
export class ChatConnectionError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = 'ChatConnectionError';
  }
}

function errorIn(text) {
  try {
    const { error } = JSON.parse(text);
    return typeof error?.message === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}

const aborted = (signal) => signal?.reason ?? Object.assign(new Error('aborted'), { name: 'AbortError' });

/** Waits, or goes on as soon as the machine is on line again. Rejects when the signal is aborted. */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const { addEventListener: add, removeEventListener: remove } = globalThis;
    const done = (settle) => () => {
      clearTimeout(timer);
      remove?.call(globalThis, 'online', resume);
      signal?.removeEventListener('abort', stop);
      settle();
    };
    const resume = done(resolve);
    const stop = done(() => reject(aborted(signal)));
    const timer = setTimeout(resume, ms);
    add?.call(globalThis, 'online', resume);
    if (signal?.aborted) return stop();
    signal?.addEventListener('abort', stop);
  });
}

/** Cuts text that comes in pieces into the events of a stream: `{id, event, data}`, and nothing for comments. */
export class EventParser {
  #rest = '';
  #event = {};

  push(text) {
    const events = [];
    let buffer = this.#rest + text;
    // A carriage return at the end may be half of a line's end.
    const whole = buffer.endsWith('\r') ? buffer.length - 1 : buffer.length;
    const lines = buffer.slice(0, whole).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + buffer.slice(whole);
    for (const line of lines) {
      if (line === '') {
        if (this.#event.data !== undefined) events.push(this.#event);
        this.#event = {};
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (name === 'data') this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
      else if (name === 'id' || name === 'event') this.#event[name] = value;
    }
    return events;
  }
}

/** What a chunk is told apart by: one of a kind by its call, everything else by all that it says. */
function nameOf(chunk) {
  const { type, toolCallId, preliminary } = chunk;
  if (toolCallId !== undefined && !preliminary && type !== 'tool-approval-request') return `${type} ${toolCallId}`;
  return JSON.stringify(chunk);
}

/**
 * Leaves out of a stream that begins anew what was told before. Blocks and calls keep their names, and their text only grows,
 * so what was told of each is known by its length.
 */
class Known {
  #lengths = new Map();
  #told = new Map();
  /** While a stream is told again: how often each chunk has come. */
  #again = null;

  beginAgain() {
    this.#again = { lengths: new Map(), told: new Map() };
  }

  /** The chunk, what of it is new, or nothing. */
  take(chunk) {
    const text = { 'text-delta': 'delta', 'reasoning-delta': 'delta', 'tool-input-delta': 'inputTextDelta' }[
      chunk.type
    ];
    if (text === undefined) {
      const key = nameOf(chunk);
      const before = this.#told.get(key) ?? 0;
      const count = this.#again ? (this.#again.told.get(key) ?? 0) + 1 : before + 1;
      this.#again?.told.set(key, count);
      if (count <= before) return undefined;
      this.#told.set(key, count);
      return chunk;
    }
    const key = `${chunk.type} ${chunk.id ?? chunk.toolCallId}`;
    const before = this.#lengths.get(key) ?? 0;
    const begins = this.#again ? (this.#again.lengths.get(key) ?? 0) : before;
    const ends = begins + chunk[text].length;
    this.#again?.lengths.set(key, ends);
    if (ends <= before && chunk[text] !== '') return undefined;
    this.#lengths.set(key, Math.max(before, ends));
    return begins < before ? { ...chunk, [text]: chunk[text].slice(before - begins) } : chunk;
  }
}

/**
 * Reads a run to its end over any number of connections: gives each chunk once. `open(place)` asks for the stream: with
 * nothing for the first one, then with `{after}`, or with `{from}` where no place is known yet.
 */
async function* readRun({ open, signal, silenceMs, giveUpMs, maxWaitMs, onConnection, adopt, isLast }) {
  const known = new Known();
  let cursor;
  let attempt = 0;
  let since;
  let place;
  const lost = async (cause) => {
    if (signal?.aborted) throw aborted(signal);
    since ??= Date.now();
    if (Date.now() - since > giveUpMs) throw new ChatConnectionError('the connection was lost', { cause });
    onConnection({ state: 'lost', attempt, cause });
    const wait = attempt === 0 ? 0 : Math.min(maxWaitMs, 250 * 2 ** Math.min(attempt - 1, 6));
    attempt += 1;
    await pause(wait * (0.5 + Math.random() / 2), signal);
    place = cursor === undefined ? { from: 'start' } : { after: cursor };
    if (cursor === undefined) known.beginAgain();
  };
  for (;;) {
    if (signal?.aborted) throw aborted(signal);
    let response;
    try {
      response = await open(place, signal);
    } catch (error) {
      if (signal?.aborted || !isConnectionLost(error)) throw error;
      await lost(error);
      continue;
    }
    // Everything was told before.
    if (response === null || response.status === 204) return;
    adopt?.(response);
    const parser = new EventParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    let cause;
    try {
      for (;;) {
        const { done, value } = await withinSilence(reader, silenceMs, signal);
        if (done) break;
        for (const { id, event, data } of parser.push(decoder.decode(value, { stream: true }))) {
          if (data === DONE) return;
          if (event === 'resync') known.beginAgain();
          if (id !== undefined) cursor = id;
          if (attempt > 0) onConnection({ state: 'back', attempt });
          [attempt, since] = [0, undefined];
          const told = JSON.parse(data);
          const chunk = known.take(told);
          if (chunk !== undefined) yield chunk;
          if (isLast?.(told)) return;
        }
      }
    } catch (error) {
      cause = error;
    } finally {
      reader.cancel().catch(() => {});
    }
    await lost(cause);
  }
}

/** One read, given up after so long without a byte. */
async function withinSilence(reader, silenceMs, signal) {
  let timer;
  let stop;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new ChatConnectionError('the connection is silent')), silenceMs);
    stop = () => reject(aborted(signal));
    signal?.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([reader.read(), limit]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

const resolved = async (value) => (typeof value === 'function' ? value() : value);

function plainHeaders(headers) {
  if (!headers) return {};
  return Object.fromEntries(typeof headers.entries === 'function' ? headers.entries() : Object.entries(headers));
}

function randomKey() {
  if (globalThis.crypto?.randomUUID) return globalThis.crypto.randomUUID();
  return Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join('');
}

/**
 * A transport for the AI SDK's `Chat` and `useChat` (6 and 7) that goes on exactly where a connection was cut, and stops the
 * run on the server when the user stops.
 */
export class TurnkeepChatTransport {
  /** What `reconnectToStream` gives is the whole answer, from its beginning. */
  resumeStreamIsReplay = true;
  #options;
  /** What the server calls the chats that it has named itself, and their newest runs. */
  #chats = new Map();
  /** What ends the answer that is being resumed in a chat. */
  #resumed = new Map();

  constructor(options = {}) {
    const {
      api = '/api/chat',
      stopOnAbort = true,
      silenceMs = SILENCE_MS,
      giveUpMs = GIVE_UP_MS,
      maxWaitMs = MAX_WAIT_MS,
      onConnection = () => {},
    } = options;
    this.#options = {
      ...options,
      api: api.replace(/\/$/, ''),
      stopOnAbort,
      silenceMs,
      giveUpMs,
      maxWaitMs,
      onConnection,
    };
  }

  /** The ids that the server has for a chat of the page: `{chatId, runId}`. */
  idsOf(chatId) {
    return { chatId, ...this.#chats.get(chatId) };
  }

  async sendMessages({ chatId, messages, trigger, messageId, abortSignal, headers, body }) {
    const { chatId: known } = this.idsOf(chatId);
    const id = known !== chatId || UUID.test(chatId) || this.#options.keepIds ? known : undefined;
    const key = randomKey();
    const request = async () => ({
      method: 'POST',
      headers: { ...(await this.#headers(headers)), 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify({ ...(await resolved(this.#options.body)), ...body, id, messages, trigger, messageId }),
    });
    // Asked for again with the same key it is the same run, whatever was lost on the way.
    const open = async (place, signal) =>
      place && this.#chats.get(chatId)?.key === key
        ? this.#follow(chatId, place, signal, headers)
        : this.#fetch(this.#options.api, await request(), signal);
    return this.#streamed(chatId, key, open, abortSignal);
  }

  async reconnectToStream({ chatId, abortSignal, headers }) {
    const { chatId: id } = this.idsOf(chatId);
    const url = `${this.#options.api}/${encodeURIComponent(id)}/stream`;
    const open = async (place, signal) =>
      place ? this.#follow(chatId, place, signal, headers) : this.#get(`${url}?from=start`, signal, headers);
    // Two at once would both be written into one message: React puts its components up twice while developing.
    this.#resumed.get(chatId)?.();
    return this.#streamed(chatId, undefined, open, abortSignal);
  }

  /** Stops what goes on in a chat; false when there was nothing to stop. */
  async stop({ chatId }) {
    const { chatId: id, runId } = this.idsOf(chatId);
    const path = runId ? `runs/${runId}/stop` : `${encodeURIComponent(id)}/stop`;
    const { stopped } = await this.#post(path, {});
    return stopped;
  }

  /** Lets a message join the answer in progress. Gives what became of it, as `runs.steer` does. */
  async steer({ chatId, message }) {
    const { runId } = this.#chats.get(chatId) ?? {};
    if (!runId) throw new Error('nothing goes on in this chat that was begun or resumed here');
    return this.#post(`runs/${runId}/messages`, { message, idempotencyKey: randomKey() });
  }

  async #streamed(chatId, key, open, abortSignal) {
    const { silenceMs, giveUpMs, maxWaitMs, onConnection, stopOnAbort } = this.#options;
    const connection = new AbortController();
    let begun = false;
    const adopt = (response) => {
      begun = true;
      const runId = response.headers.get('x-turnkeep-run-id');
      if (runId) this.#chats.set(chatId, { chatId: response.headers.get('x-turnkeep-chat-id') ?? chatId, runId, key });
    };
    // Before anything is there of an answer that is resumed, its page may only have been taken down and put up again.
    const stopped = () => (begun ? this.stop({ chatId }) : key && this.#post('stop', { idempotencyKey: key }));
    const abort = () => {
      connection.abort(abortSignal.reason);
      if (stopOnAbort) Promise.resolve(stopped()).catch(() => {});
    };
    let superseded = false;
    const supersede = () => {
      superseded = true;
      connection.abort();
    };
    const over = () => {
      abortSignal?.removeEventListener('abort', abort);
      if (this.#resumed.get(chatId) === supersede) this.#resumed.delete(chatId);
    };
    if (abortSignal?.aborted) throw aborted(abortSignal);
    abortSignal?.addEventListener('abort', abort, { once: true });
    if (key === undefined) this.#resumed.set(chatId, supersede);
    const chunks = readRun({ open, signal: connection.signal, silenceMs, giveUpMs, maxWaitMs, onConnection, adopt });
    let next;
    try {
      // What is refused is thrown by the request, not by its stream.
      next = await chunks.next();
    } catch (error) {
      over();
      if (superseded) return null;
      throw error;
    }
    if (!begun && next.done) return over() ?? null;
    return new ReadableStream({
      pull: async (controller) => {
        try {
          if (!next.done) {
            this.#adoptChunk(chatId, key, next.value);
            controller.enqueue(next.value);
            next = await chunks.next();
          }
          if (!next.done) return;
          over();
          controller.close();
        } catch (error) {
          over();
          if (superseded) controller.close();
          else controller.error(error);
        }
      },
      cancel: () => {
        over();
        connection.abort();
      },
    });
  }

  /** The first chunk says it, too, where headers are not shown to pages of other origins. */
  #adoptChunk(chatId, key, { type, messageMetadata: told }) {
    if (type !== 'start' || !told?.runId) return;
    this.#chats.set(chatId, { chatId: told.chatId ?? chatId, runId: told.runId, key });
  }

  #follow(chatId, place, signal, headers) {
    const { chatId: id, runId } = this.idsOf(chatId);
    const query = new URLSearchParams(place);
    const path = runId ? `runs/${runId}` : encodeURIComponent(id);
    return this.#get(`${this.#options.api}/${path}/stream?${query}`, signal, headers);
  }

  async #get(url, signal, headers) {
    return this.#fetch(url, { headers: await this.#headers(headers) }, signal);
  }

  async #post(path, body) {
    const headers = { ...(await this.#headers()), 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return (await this.#fetch(`${this.#options.api}/${path}`, init)).json();
  }

  async #headers(headers) {
    const { protocol } = this.#options;
    return {
      ...plainHeaders(await resolved(this.#options.headers)),
      ...plainHeaders(headers),
      ...(protocol && { 'x-turnkeep-protocol': protocol }),
    };
  }

  async #fetch(url, init, signal) {
    const fetch = this.#options.fetch ?? globalThis.fetch;
    const credentials = await resolved(this.#options.credentials);
    const response = await fetch(url, { ...init, ...(credentials && { credentials }), signal });
    if (!response.ok) throw new ChatRequestError(response.status, await response.text());
    return response;
  }
}

/**
 * Follows a run without a framework: an async iterator over its chunks, each once, over any number of connections. With
 * `after` it goes on behind a cursor.
 */
export function followRun({
  url,
  after,
  headers,
  credentials,
  fetch,
  signal,
  silenceMs = SILENCE_MS,
  giveUpMs = GIVE_UP_MS,
  maxWaitMs = MAX_WAIT_MS,
  onConnection = () => {},
}) {
  const open = async (place = after === undefined ? { from: 'start' } : { after }) => {
    const address = `${url}${url.includes('?') ? '&' : '?'}${new URLSearchParams(place)}`;
    const ask = fetch ?? globalThis.fetch;
    const response = await ask(address, {
      headers: plainHeaders(await resolved(headers)),
      ...(credentials && { credentials }),
      signal,
    });
    if (!response.ok) throw new ChatRequestError(response.status, await response.text());
    return response;
  };
  return readRun({ open, signal, silenceMs, giveUpMs, maxWaitMs, onConnection });
}

const ENDS_OF_AG_UI = ['RUN_FINISHED', 'RUN_ERROR'];

/** A response that is no stream: it is given to whoever has asked. */
class NoStream extends Error {
  constructor(response) {
    super();
    this.response = response;
  }
}

/**
 * A `fetch` for clients of AG-UI that take a cut for a failure, such as `HttpAgent`: what it gives goes on behind the last event
 * over any number of connections, and ends with the run.
 */
export function resumingFetch({
  fetch,
  silenceMs = SILENCE_MS,
  giveUpMs = GIVE_UP_MS,
  maxWaitMs = MAX_WAIT_MS,
  onConnection = () => {},
} = {}) {
  return async (url, init = {}) => {
    let head;
    const open = async (place) => {
      const headers = {
        ...plainHeaders(init.headers),
        ...(place?.after !== undefined && { 'last-event-id': place.after }),
      };
      const response = await (fetch ?? globalThis.fetch)(url, { ...init, headers });
      // Without a body there is nothing left, of what has begun.
      if (response.ok && (response.body || head)) return response;
      if (!head) throw new NoStream(response);
      throw new ChatRequestError(response.status, await response.text());
    };
    const adopt = (response) => (head ??= response);
    const isLast = ({ type }) => ENDS_OF_AG_UI.includes(type);
    const events = readRun({ open, signal: init.signal, silenceMs, giveUpMs, maxWaitMs, onConnection, adopt, isLast });
    let first;
    try {
      first = await events.next();
    } catch (error) {
      if (error instanceof NoStream) return error.response;
      throw error;
    }
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(controller) {
        const { done, value } = first ?? (await events.next());
        first = undefined;
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`data: ${JSON.stringify(value)}\n\n`));
      },
      cancel: () => void events.return(),
    });
    return new Response(body, { headers: head?.headers });
  };
}

/** What browsers, Node and React Native call a connection that was lost or never came about. */
const LOST =
  /failed to fetch|fetch failed|load failed|networkerror|network error|network request failed|network connection was lost|error in input stream|terminated|socket hang up|internet connection appears to be offline|could not connect to the server|premature close|body stream buffer was aborted|err_network|err_internet_disconnected|econnreset|econnrefused|other side closed/i;

function isConnectionLost(error) {
  if (error instanceof ChatConnectionError) return true;
  if (error instanceof ChatRequestError)
    return [502, 503, 504].includes(error.status) && error.code !== 'ENGINE_CLOSED';
  if (error?.name === 'AbortError') return false;
  return LOST.test(`${error?.message} ${error?.cause?.code ?? ''} ${error?.cause?.message ?? ''}`);
}

const RETRYABLE = ['connection', 'busy', 'limit', 'unavailable'];

/**
 * What an error of a chat is, so that a page can say it: `{kind, message, retryable, status?, code?, failure?, activeRunId?}`. `kind` is
 * `connection` (lost, or never there), `stopped`, `busy` (the chat answers somebody else), `provider` (`failure` is what kind of refusal
 * or failure), what the server said of a refusal (`limit`, `forbidden`, …), or `bug`. Given the answer's message, its metadata says
 * more than the error's text.
 */
export function describeChatError(error, message) {
  const failure = message?.metadata?.failure;
  if (failure && typeof failure.kind === 'string') {
    const { kind, message: text, statusCode: status, retryable } = failure;
    return { kind: 'provider', failure: kind, message: text, retryable: retryable === true, ...(status && { status }) };
  }
  if (error?.name === 'AbortError' || message?.metadata?.reason === 'stopped') {
    return { kind: 'stopped', message: 'The answer was stopped.', retryable: false };
  }
  const told = error instanceof ChatRequestError ? error : errorIn(error?.responseBody ?? error?.message ?? '');
  if (told?.kind || told?.code) {
    const { kind = 'bug', code, message: text, details } = told;
    const status = told.status ?? told.statusCode;
    const activeRunId = details?.activeRunId;
    const known = kind === 'internal' ? 'bug' : kind;
    return {
      kind: known,
      code,
      status,
      message: text,
      retryable: RETRYABLE.includes(known),
      ...(activeRunId && { activeRunId }),
    };
  }
  if (isConnectionLost(error)) return { kind: 'connection', message: 'The connection was lost.', retryable: true };
  const status = error instanceof ChatRequestError ? error.status : error?.statusCode;
  return { kind: 'bug', message: String(error?.message ?? error), retryable: false, ...(status && { status }) };
}
