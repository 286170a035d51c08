// A site: an engine behind the router on a server of Node's, the AI SDK's page in front, and a wire between that can be cut.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, createServer as createWire } from 'node:net';

import { createRouter } from '../http.mjs';
import { user, world } from './world.mjs';

/** The state of a page, as the AI SDK's frameworks keep it. */
export class PageState {
  status = 'ready';
  error = undefined;
  messages = [];
  constructor(messages = []) {
    this.messages = messages;
  }
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => (this.messages = this.messages.with(index, message));
  snapshot = (value) => structuredClone(value);
}

/** A page of any version of the AI SDK. */
export function pageOf(sdk, { id, messages, ...init }) {
  class Page extends sdk.AbstractChat {
    constructor() {
      super({ id, state: new PageState(messages), ...init });
    }
    text() {
      const last = this.messages.at(-1);
      return last.parts
        .filter((part) => part.type === 'text')
        .map((part) => part.text)
        .join('');
    }
  }
  return new Page();
}

export async function listening(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** An engine with a scripted provider behind `createRouter`. */
export async function site(t, script, { engine: settings, router: options } = {}) {
  const made = await world(t, script, { chats: { ids: 'any' }, ...settings });
  const failures = [];
  const router = createRouter({
    engine: made.engine,
    who: () => user,
    onError: (error) => failures.push(error),
    ...options,
  });
  const server = createServer(router.node);
  const origin = await listening(t, server);
  const api = `${origin}/api/chat`;
  const ask = async (method, path, body, headers) => {
    const response = await fetch(`${api}${path}`, {
      method,
      headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      // A stream, a document, or nothing.
    }
    return { status: response.status, headers: response.headers, text, json };
  };
  return { ...made, router, server, origin, api, ask, failures };
}

/**
 * A wire to `origin`, or for each connection to what it gives, that is cut behind so many bytes of each connection's answers as
 * `budget()` says.
 */
export async function wire(t, origin, budget) {
  const counts = { cuts: 0 };
  const proxy = createWire((client) => {
    const { port } = new URL(typeof origin === 'function' ? origin() : origin);
    const upstream = connect(Number(port), '127.0.0.1');
    let left = Infinity;
    let isCut = false;
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    client.on('error', cut).on('close', cut);
    upstream.on('error', cut).on('close', cut);
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (isCut) return;
      // Also of one that was opened before there was anything to cut.
      if (left === Infinity) left = budget();
      if (bytes.length < left) {
        left -= bytes.length;
        client.write(bytes);
        return;
      }
      counts.cuts += 1;
      isCut = true;
      client.write(bytes.subarray(0, left), cut);
    });
  });
  const address = await listening(t, proxy);
  return { api: `${address}/api/chat`, counts };
}

/** Numbers below one that look random and come again with the same seed. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
