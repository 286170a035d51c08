'use strict';

const { native } = require('./error.js');
const { tellChunk, telling } = require('./failure.js');
const { BATCH, iterate } = require('./stream.js');

/** A turn that was begun here. Forgetting it stops nothing. */
class Turn {
  #native;
  #pipes;
  #words;
  #done;

  constructor(nativeTurn, pipes, words) {
    this.#native = nativeTurn;
    this.#pipes = pipes;
    this.#words = words;
    Object.assign(this, JSON.parse(nativeTurn.ids()), { repeated: nativeTurn.isRepeated() });
    // Asked for at once, so that the process does not exit in the middle of a turn that nobody is reading. A run that is
    // driven elsewhere needs neither this process nor to be watched by it.
    if (nativeTurn.isDrivenHere()) void this.done();
  }

  /** What its stream over HTTP is read from, with the host's sentences in it. */
  #reader() {
    return telling(this.#native.reader(), this.#words);
  }

  /** The turn's chunks, from the first one on. */
  chunks() {
    const reader = this.#native.reader();
    const words = this.#words;
    const read = (text) => (words ? tellChunk(JSON.parse(text), words) : JSON.parse(text));
    const next = async () => (await native(reader.next(BATCH))).map(read);
    return iterate(next, () => reader.close());
  }

  /** The same as bytes of a UI message stream over HTTP, with the terminator. */
  sse() {
    const reader = this.#reader();
    const next = async () => {
      const bytes = await native(reader.nextSse(BATCH));
      return bytes === null ? [] : [bytes];
    };
    return iterate(next, () => reader.close());
  }

  /** Sends the stream as an HTTP response: head, chunks as they come, heartbeats in silence, end. */
  async pipe(response, options) {
    return this.#pipes.send(() => this.#reader(), response, options);
  }

  /** The stream as a `Response` of the web. */
  async toResponse(options) {
    return this.#pipes.respond(this.#reader(), options);
  }

  /** Asks the run to stop; false when it has settled already. */
  async stop() {
    return native(this.#native.stop());
  }

  /** The messages that wait for the run, in their order. */
  async queue() {
    return JSON.parse(await native(this.#native.queue()));
  }

  /** How the turn ended, once that is on disk. */
  done() {
    if (!this.#done) {
      this.#done = native(this.#native.done()).then((outcome) => JSON.parse(outcome));
      this.#done.catch(() => {});
    }
    return this.#done;
  }
}

module.exports = { Turn };
