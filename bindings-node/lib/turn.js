'use strict';

const { native } = require('./error.js');
const binding = require('./native.js');

/** Chunks that cross the border at once: a crossing costs more than a chunk. */
const BATCH = 64;
const HEARTBEAT_MS = 15_000;
const SSE_HEADERS = Object.fromEntries(binding.sseHeaders());

/** An async iterator over a native reader; leaving it early leaves the reader at once. */
function iterate(reader, nextItems) {
  let items = [];
  let place = 0;
  let over = false;
  let tail = Promise.resolve();
  const end = (value) => {
    over = true;
    items = [];
    reader.close();
    return { value, done: true };
  };
  const step = async () => {
    if (!over && place >= items.length) {
      items = await native(nextItems(reader));
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
      const result = tail.then(step);
      tail = result.catch(() => {});
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

/** A turn of this process. Forgetting it stops nothing. */
class Turn {
  #native;
  #done;

  constructor(nativeTurn) {
    this.#native = nativeTurn;
    Object.assign(this, JSON.parse(nativeTurn.ids()));
    // Asked for at once, so that the process does not exit in the middle of a turn that nobody is reading.
    this.#done = native(nativeTurn.done()).then((outcome) => JSON.parse(outcome));
    this.#done.catch(() => {});
  }

  /** The turn's chunks, from the first one on. */
  chunks() {
    return iterate(this.#native.reader(), async (reader) => (await reader.next(BATCH)).map((text) => JSON.parse(text)));
  }

  /** The same as bytes of a UI message stream over HTTP, with the terminator. */
  sse() {
    return iterate(this.#native.reader(), async (reader) => {
      const bytes = await reader.nextSse(BATCH);
      return bytes === null ? [] : [bytes];
    });
  }

  /** Sends the stream as an HTTP response: head, chunks as they come, heartbeats in silence, end. */
  async pipe(response, { status = 200, headers = {}, heartbeatMs = HEARTBEAT_MS } = {}) {
    const reader = this.#native.reader();
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
      for (;;) {
        const bytes = await native(reader.nextSse(BATCH));
        if (bytes === null || closed) break;
        if (!response.write(bytes) && !closed) await writable(response);
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

  /** Asks the run to stop; false when it has settled already. */
  async stop() {
    return native(this.#native.stop());
  }

  /** How the turn ended, once that is on disk. */
  done() {
    return this.#done;
  }
}

module.exports = { Turn };
