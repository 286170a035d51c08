'use strict';

const { TurnkeepError, native } = require('./error.js');
const { HEARTBEAT_MS, OF_CONNECTION, merge } = require('./head.js');
const binding = require('./native.js');
const { respond } = require('./respond.js');
const { BATCH } = require('./stream.js');

/** The first look at a wrapper that says no more than that its buffer is full, and the longest wait between two. */
const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 50;

/** What is written to: the response itself, or that of a Fastify reply, which is told to leave it to us. */
function targetOf(response) {
  if (typeof response?.hijack !== 'function' || !response.raw) return { response, kept: undefined };
  // What plugins have set is sent by Fastify itself, which does not send this one.
  const { 'content-length': _, ...kept } = response.getHeaders();
  response.hijack();
  return { response: response.raw, kept };
}

function isGone(response) {
  return response.destroyed ?? response.stream?.destroyed ?? false;
}

/** Whether the response itself, and not a wrapper around its methods, holds more than it wants to. */
function isFull(response) {
  return response.writableNeedDrain ?? response.writableLength > response.writableHighWaterMark;
}

/**
 * Resolves when the response can take more, or takes nothing any more. A wrapper may return what its own buffer says and
 * tell nobody when that has room again, so the response is looked at, too.
 */
function writable(response) {
  return new Promise((resolve) => {
    let wait = FIRST_LOOK_MS;
    let timer;
    const done = () => {
      clearTimeout(timer);
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    const look = () => {
      if (isGone(response) || !isFull(response)) return done();
      wait = Math.min(wait * 2, LAST_LOOK_MS);
      timer = setTimeout(look, wait);
    };
    response.once('drain', done);
    response.once('close', done);
    timer = setTimeout(look, wait);
  });
}

/** Ends the response, and resolves when it was handed over or its client has left. */
function ended(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('finish', done);
      response.off('close', done);
      resolve();
    };
    response.once('finish', done);
    response.once('close', done);
    response.end();
  });
}

/** How a stream went, for whoever looks for what keeps answers from their readers. */
class Report {
  #begun = performance.now();
  #last = this.#begun;
  #first;
  #longest = 0;
  bytes = 0;
  heartbeats = 0;

  wrote(bytes) {
    const now = performance.now();
    this.#first ??= now;
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    this.bytes += bytes.length;
  }

  /** `isWhole`: everything was handed over. */
  end(isWhole) {
    const now = performance.now();
    const rounded = (ms) => Math.round(ms * 10) / 10;
    return {
      complete: isWhole,
      elapsedMs: rounded(now - this.#begun),
      firstChunkMs: this.#first === undefined ? null : rounded(this.#first - this.#begun),
      longestSilenceMs: rounded(Math.max(this.#longest, now - this.#last)),
      lastSilenceMs: rounded(now - this.#last),
      heartbeats: this.heartbeats,
      bytes: this.bytes,
    };
  }
}

function sendHead(response, status, headers) {
  const ofHttp2 = typeof response.stream?.respond === 'function';
  for (const [name, value] of headers) {
    if (!(ofHttp2 && OF_CONNECTION.includes(name))) response.setHeader(name, value);
  }
  response.writeHead(status);
  response.flushHeaders?.();
}

/**
 * Sends what a native reader gives, once it is opened, as an HTTP response: head, chunks as they come, heartbeats in silence, end. Other code
 * may have put its own methods into the response, so it is used only in ways that all of that knows: `write` and `end`
 * without callbacks, `flush` where there is one, and the events at its end. Gives a report of how that went.
 */
async function pipe(open, given, { status = 200, headers, heartbeatMs = HEARTBEAT_MS } = {}) {
  if (!(heartbeatMs > 0)) throw TurnkeepError.invalid('heartbeatMs', 'must be a positive number of milliseconds');
  const own = merge(new Map(), headers);
  if (given?.headersSent || given?.raw?.headersSent)
    throw TurnkeepError.invalid('response', 'has sent its head already');
  const { response, kept } = targetOf(given);
  const head = new Map([...merge(new Map(), kept), ...binding.sseHeaders(), ...own]);
  const reader = open();
  const report = new Report();
  let closed = isGone(response);
  const leave = () => {
    closed = true;
    reader.close();
  };
  if (closed) {
    leave();
    return report.end(false);
  }
  response.once('close', leave);
  // A response that fails ends in 'close'; without a listener its error would end the process.
  const ignore = () => {};
  response.on('error', ignore);
  let waiting = false;
  const write = (data) => {
    const more = response.write(data);
    // Where a wrapper compresses, nothing leaves it before that.
    if (typeof response.flush === 'function') response.flush();
    return more !== false;
  };
  let heartbeat;
  const listen = () => {
    clearTimeout(heartbeat);
    heartbeat = setTimeout(ping, Math.min(heartbeatMs, 2 ** 31 - 1));
    heartbeat.unref?.();
  };
  const ping = () => {
    if (!closed && !waiting) {
      write(': ping\n\n');
      report.heartbeats += 1;
    }
    listen();
  };
  try {
    sendHead(response, status, head);
    listen();
    for (;;) {
      const bytes = await native(reader.nextSse(BATCH));
      if (bytes === null || closed) break;
      report.wrote(bytes);
      const more = write(bytes);
      listen();
      if (more || closed) continue;
      waiting = true;
      await writable(response);
      waiting = false;
    }
    clearTimeout(heartbeat);
    // A response whose client leaves now never finishes; it closes.
    const isWhole = !closed;
    if (isWhole) await ended(response);
    return report.end(isWhole && response.writableFinished !== false);
  } catch (error) {
    // Half a stream that ended in order would be taken for a whole one.
    response.destroy();
    throw error;
  } finally {
    clearTimeout(heartbeat);
    response.off('close', leave);
    response.off('error', ignore);
    reader.close();
  }
}

/** The responses that an engine sends at the moment. */
class Pipes {
  #open = new Set();

  /** As `pipe`, and known to those who wait. */
  send(open, response, options) {
    return this.#known(pipe(open, response, options));
  }

  /** The same as a `Response` of the web, which its framework sends. */
  respond(reader, options) {
    let over;
    const sent = new Promise((resolve) => (over = resolve));
    const response = respond(reader, options, over);
    this.#known(sent);
    return response;
  }

  #known(sent) {
    this.#open.add(sent);
    const forget = () => this.#open.delete(sent);
    sent.then(forget, forget);
    return sent;
  }

  /** Resolves when all of them have ended, or after so long: a client may take its time for ever. */
  async ended(limitMs) {
    if (this.#open.size === 0) return;
    let timer;
    const limit = new Promise((resolve) => (timer = setTimeout(resolve, limitMs)));
    await Promise.race([Promise.allSettled([...this.#open]), limit]);
    clearTimeout(timer);
  }
}

module.exports = { Pipes };
