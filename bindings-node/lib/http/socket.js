'use strict';

// The frames of the AI SDK's `WebSocketChatTransport`: many chats over one socket.

const { failureBody } = require('./failure.js');

/** What waits in a socket before its reader is waited for, and for how long at once. */
const HIGH_WATER = 1024 * 1024;
const LOOK_MS = 20;
/** The status of a socket that is not to be served. */
const REFUSED = 1008;

const isText = (value) => typeof value === 'string' && value.length > 0;
const isPlain = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** A frame as it was sent; nothing where it is none. */
function frameOf(data) {
  try {
    const text = typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
    const frame = JSON.parse(text);
    return isPlain(frame) && isText(frame.requestId) ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** Calls `listener` with the data of each message, whichever kind of socket it is. */
function listen(socket, listener, closed) {
  if (typeof socket.on === 'function') {
    socket.on('message', (data) => listener(data));
    socket.on('close', closed);
    // Without a listener a socket's error would end the process; `close` follows.
    socket.on('error', () => {});
    return;
  }
  socket.addEventListener('message', ({ data }) => listener(data));
  socket.addEventListener('close', closed);
}

/** Requests of one socket. */
class Session {
  #router;
  #socket;
  #request;
  #native;
  /** What is being sent, by the id of its request. */
  #open = new Map();
  #closed = false;

  constructor(router, socket, request, native) {
    this.#router = router;
    this.#socket = socket;
    this.#request = request;
    this.#native = native;
    listen(
      socket,
      (data) => this.#heard(data),
      () => this.#close(),
    );
  }

  #heard(data) {
    const frame = frameOf(data);
    if (frame === undefined) return;
    if (frame.type === 'abort') return void this.#abort(frame.requestId);
    if (frame.type !== 'send' && frame.type !== 'resume') return;
    if (this.#open.has(frame.requestId)) return;
    const entry = { aborted: false, source: undefined, runId: undefined };
    this.#open.set(frame.requestId, entry);
    this.#answer(frame, entry)
      .catch((error) => this.#fail(frame.requestId, error))
      .finally(() => this.#open.delete(frame.requestId));
  }

  /** The request of the web that a frame stands for: that of the socket, with the frame's headers and body. */
  #asked(frame) {
    const headers = new Headers(this.#request.headers);
    for (const name of ['content-length', 'content-type', 'sec-websocket-key', 'upgrade', 'connection'])
      headers.delete(name);
    if (isPlain(frame.headers)) {
      for (const [name, value] of Object.entries(frame.headers)) {
        // Who asks was said when the socket was opened.
        if (!['cookie', 'host', 'origin', 'sec-fetch-site'].includes(name.toLowerCase()))
          headers.set(name, String(value));
      }
    }
    const base = this.#router.base;
    if (frame.type === 'resume') {
      const url = new URL(`${base}/${encodeURIComponent(String(frame.id))}/stream`, 'http://localhost');
      if (Number.isSafeInteger(frame.lastSequence)) url.searchParams.set('startIndex', String(frame.lastSequence + 1));
      return new Request(url, { headers });
    }
    headers.set('content-type', 'application/json');
    const { id, trigger, messageId, messages, body } = frame;
    const json = JSON.stringify({ ...(isPlain(body) ? body : {}), id, trigger, messageId, messages });
    return new Request(new URL(base, 'http://localhost'), { method: 'POST', headers, body: json });
  }

  async #answer(frame, entry) {
    const { requestId } = frame;
    const result = await this.#router.resolve(this.#asked(frame), this.#native);
    if (result?.status === 204) return this.#send({ type: 'no-active', requestId });
    if (!result?.stream) {
      const told = result?.json?.error ?? { message: 'it is not to be had over a socket' };
      return this.#send({ type: 'error', requestId, errorText: JSON.stringify({ error: told }) });
    }
    entry.runId = result.headers['x-turnkeep-run-id'];
    this.#send({ type: 'start', requestId });
    // Places in compact form are no numbers that only grow, so what is sent is counted.
    let sequence = Number.isSafeInteger(frame.lastSequence) ? frame.lastSequence + 1 : 0;
    entry.source = result.stream[Symbol.asyncIterator]?.() ?? result.stream.chunks();
    // It was stopped before it had begun.
    if (entry.aborted) return this.#stop(entry);
    if (this.#closed) await entry.source.return?.();
    for await (const item of entry.source) {
      this.#send({ type: 'chunk', requestId, sequence: sequence++, chunk: item.chunk ?? item });
      await this.#drained();
      if (entry.aborted || this.#closed) return;
    }
    if (!entry.aborted) this.#send({ type: 'end', requestId });
  }

  /** An explicit stop: this transport has no other way to say so. */
  async #abort(requestId) {
    const entry = this.#open.get(requestId);
    if (!entry) return;
    entry.aborted = true;
    if (entry.runId) await this.#stop(entry);
  }

  async #stop({ runId, source }) {
    await source?.return?.().catch(() => {});
    const url = new URL(`${this.#router.base}/runs/${runId}/stop`, 'http://localhost');
    const headers = new Headers(this.#request.headers);
    headers.delete('content-length');
    await this.#router.resolve(new Request(url, { method: 'POST', headers }), this.#native);
  }

  #fail(requestId, error) {
    this.#send({ type: 'error', requestId, errorText: JSON.stringify(failureBody(error)) });
  }

  #send(frame) {
    if (this.#closed) return;
    try {
      this.#socket.send(JSON.stringify(frame));
    } catch {
      this.#close();
    }
  }

  async #drained() {
    while (!this.#closed && this.#socket.bufferedAmount > HIGH_WATER) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** A client that is gone stops nothing. */
  #close() {
    this.#closed = true;
    for (const { source } of this.#open.values()) source?.return?.().catch(() => {});
  }
}

/** Serves a socket: `request` is what it was opened with, of the web or of Node. */
function socketHandler(router) {
  return (socket, request) => {
    const headers = request?.headers instanceof Headers ? request.headers : new Headers();
    if (!(request?.headers instanceof Headers)) {
      for (const [name, value] of Object.entries(request?.headers ?? {})) {
        if (value !== undefined) headers.set(name, [value].flat().join(', '));
      }
    }
    if (!router.opensTo(headers)) return void socket.close(REFUSED, 'a page of another site asks');
    new Session(router, socket, { headers }, request);
  };
}

module.exports = { socketHandler };
