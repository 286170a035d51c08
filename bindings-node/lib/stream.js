'use strict';

const { native } = require('./error.js');
const binding = require('./native.js');

/** Chunks that cross the border at once: a crossing costs more than a chunk. */
const BATCH = 64;
const HEARTBEAT_MS = 15_000;
const SSE_HEADERS = Object.fromEntries(binding.sseHeaders());

/**
 * An async iterator over batches, an empty one of which is the last; leaving it early leaves what is read at once.
 * `close` is called then, and at the end.
 */
function iterate(nextItems, close) {
  let items = [];
  let place = 0;
  let over = false;
  let queue = Promise.resolve();
  const end = (value) => {
    over = true;
    items = [];
    close();
    return { value, done: true };
  };
  const step = async () => {
    if (!over && place >= items.length) {
      items = await nextItems();
      place = 0;
      if (items.length === 0) return end(undefined);
    }
    return over ? { value: undefined, done: true } : { value: items[place++], done: false };
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      // One after the other, also for a caller that does not wait.
      const result = queue.then(step);
      queue = result.catch(() => {});
      return result;
    },
    async return(value) {
      return end(value);
    },
  };
}

/** Resolves when the response can take more, or takes nothing any more. */
function writable(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}

/** Sends what a native reader gives as an HTTP response: head, chunks as they come, heartbeats in silence, end. */
async function pipe(reader, response, { status = 200, headers = {}, heartbeatMs = HEARTBEAT_MS } = {}) {
  let closed = response.destroyed;
  const leave = () => {
    closed = true;
    reader.close();
  };
  if (closed) return leave();
  response.once('close', leave);
  // A response that fails ends in 'close'; without a listener its error would end the process.
  const ignore = () => {};
  response.on('error', ignore);
  const heartbeat = setInterval(() => closed || response.write(': ping\n\n'), heartbeatMs);
  heartbeat.unref();
  try {
    response.writeHead(status, { ...SSE_HEADERS, ...headers });
    response.flushHeaders?.();
    try {
      for (;;) {
        const bytes = await native(reader.nextSse(BATCH));
        if (bytes === null || closed) break;
        if (!response.write(bytes) && !closed) await writable(response);
      }
    } catch (error) {
      // Half a stream that ended in order would be taken for a whole one.
      response.destroy();
      throw error;
    }
    clearInterval(heartbeat);
    // A response whose client leaves now never finishes; it closes.
    if (!closed) await new Promise((resolve) => response.once('close', resolve).end(resolve));
  } finally {
    clearInterval(heartbeat);
    response.off('close', leave);
    response.off('error', ignore);
    reader.close();
  }
}

module.exports = { BATCH, SSE_HEADERS, iterate, pipe };
