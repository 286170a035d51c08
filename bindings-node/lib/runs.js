'use strict';

const { failure, native, toJson } = require('./error.js');
const { tellChunk, telling } = require('./failure.js');
const { BATCH, iterate } = require('./stream.js');

/** What a stream over HTTP ends with. */
const DONE = Buffer.from('data: [DONE]\n\n');

/** Whether these bytes are the end: some formats have none. */
const isEnd = (bytes) => bytes.length === 0 || bytes.equals(DONE);

/** The items in bytes of a stream. */
function itemsIn(bytes) {
  if (!bytes || isEnd(bytes)) return [];
  const events = bytes.toString().split('\n\n').slice(0, -1);
  return events.map((event) => {
    const [, cursor] = /^id: (.*)$/m.exec(event);
    const chunk = JSON.parse(event.slice(event.indexOf('data: ') + 'data: '.length));
    return { cursor, chunk, ...(event.startsWith('event: resync') && { resync: true }) };
  });
}

/** A reader of a run's log, from any process. It is opened by its first use, and gives one place to all of its forms. */
class RunTail {
  #open;
  #pipes;
  #words;
  #native;
  #closed = false;
  #chunks;
  #end = null;
  /** Bytes that were read before anybody asked for them. */
  #ahead;

  constructor(open, pipes, words) {
    this.#open = open;
    this.#pipes = pipes;
    this.#words = words;
    this.#chunks = iterate(
      () => this.#nextItems(),
      () => this.close(),
    );
  }

  /** How the run ended, once everything was read; null before. */
  get end() {
    return this.#end;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  next() {
    return this.#chunks.next();
  }

  return(value) {
    return this.#chunks.return(value);
  }

  /** The chunks as bytes of a UI message stream over HTTP, with cursors as ids and the terminator. */
  sse() {
    const next = async () => {
      const bytes = await this.#nextSse();
      return bytes === null ? [] : [bytes];
    };
    return iterate(next, () => this.close());
  }

  /** Sends the stream as an HTTP response. What is wrong with the tail is said before anything is sent. */
  async pipe(response, options) {
    const reader = await this.#reader();
    return this.#pipes.send(() => reader, response, options);
  }

  /** The stream as a `Response` of the web. */
  async toResponse(options) {
    return this.#pipes.respond(await this.#reader(), options);
  }

  async #reader() {
    await this.#opened();
    return { nextSse: () => this.#nextSse(), close: () => this.close() };
  }

  /** Whether nothing is left to be read. Waits for what comes next; that stays to be read. */
  async isAtEnd() {
    if (this.#ahead === undefined) this.#ahead = await this.#nextSse();
    return this.#ahead === null || isEnd(this.#ahead);
  }

  /** Goes away. Whoever waits for chunks is at the end. */
  close() {
    this.#closed = true;
    this.#native?.then((tail) => tail.close()).catch(() => {});
  }

  async #nextItems() {
    const ahead = itemsIn(this.#takeAhead());
    if (ahead.length > 0) return ahead;
    const text = await native((await this.#opened())?.next(BATCH) ?? null);
    const items = text === null ? [] : JSON.parse(text);
    if (this.#words) for (const { chunk } of items) if (chunk) tellChunk(chunk, this.#words);
    if (items[0]?.end === undefined) return items;
    this.#end = items[0].end;
    return [];
  }

  #takeAhead() {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    return ahead;
  }

  async #nextSse() {
    const ahead = this.#takeAhead();
    if (ahead !== undefined) return ahead;
    const tail = await this.#opened();
    const bytes = await native((tail && telling(tail, this.#words).nextSse(BATCH)) ?? null);
    if ((bytes === null || isEnd(bytes)) && tail) this.#end ??= JSON.parse(tail.end() ?? 'null');
    return bytes;
  }

  /** The native tail; null once closed. */
  async #opened() {
    if (this.#closed && !this.#native) return null;
    const opening = (this.#native ??= this.#open());
    try {
      return await opening;
    } catch (error) {
      // What is out of reach now may be asked for again.
      if (this.#native === opening) this.#native = undefined;
      throw error;
    }
  }
}

/**
 * Aborted when the engine says that the host is to end its loop, with the reason as the message of an `AbortError`. The
 * engine, which waits for as long as the run goes on, does not keep it: it is there as long as its run's handle.
 */
function abortedBy(nativeEngine, params) {
  const controller = new AbortController();
  const held = new WeakRef(controller);
  heard(nativeEngine, params).then(
    // A run that has ended has nothing left to stop.
    (reason) => reason === 'settled' || held.deref()?.abort(new DOMException(reason, 'AbortError')),
    (error) => held.deref()?.abort(error),
  );
  return controller;
}

/** The runs that were begun here and are driven by their handles, until these are collected. */
class Handles {
  #native;
  #byId = new Map();
  #collected = new FinalizationRegistry((known) => this.#forgotten(known));

  constructor(nativeEngine) {
    this.#native = nativeEngine;
  }

  /** `handle` is what everything that a host can drive the run with holds on to. */
  add(handle, runId) {
    const known = { runId, used: false, drivenById: false };
    this.#byId.set(runId, known);
    this.#collected.register(handle, known, known);
    return known;
  }

  /** The host drives the run by its id, and need not keep the handle. */
  drivenById(runId) {
    const known = this.#byId.get(runId);
    if (known) known.drivenById = true;
  }

  ended(runId) {
    const known = this.#byId.get(runId);
    if (known) this.#collected.unregister(known);
    this.#byId.delete(runId);
  }

  /** Whoever has never used the handle may have kept the id, and is waited for. */
  #forgotten({ runId, used, drivenById }) {
    this.#byId.delete(runId);
    if (!drivenById) this.#native.abandonRun(runId, used);
  }
}

/** What `runs.signal` gives. Waiting for it keeps no process alive. */
function heard(nativeEngine, params) {
  return new Promise((resolve, reject) => {
    nativeEngine.signal(toJson(params, 'params'), (text) => {
      const told = JSON.parse(text);
      if (typeof told === 'string') resolve(told);
      else reject(failure(told));
    });
  });
}

function tailParams(params, more) {
  return typeof params === 'string' ? { ...more, runId: params } : (params ?? {});
}

/** Ties what keeps a run from being given up to its signal: a host may keep nothing else of the handle. */
const HELD = Symbol('turnkeep.held');

/** What a host is given of a run that it has begun. All of it is held by each of its parts. */
function hostedRun(nativeEngine, handles, run, of, { recordStep, finish }) {
  const controller = abortedBy(nativeEngine, of);
  const held = { controller };
  Object.defineProperty(controller.signal, HELD, { value: held });
  // A run that was begun before is not driven by this handle.
  const known = run.repeated ? undefined : handles.add(held, of.runId);
  const by = (drive) => (given) => {
    if (known) known.used = true;
    return drive(given).finally(() => held);
  };
  return {
    ...run,
    signal: controller.signal,
    recordStep: by((step) => recordStep({ ...of, step })),
    finish: by((options) => finish({ ...options, ...of })),
  };
}

/** The methods of `engine.runs`; `asked` are those that only ask the engine. */
function runsOf(nativeEngine, asked, pipes, words) {
  const handles = new Handles(nativeEngine);
  const { recordStep } = asked;
  const finish = async (params) => {
    await asked.finish(params);
    handles.ended(params.runId);
  };
  const byId = (drive) => (params) => {
    handles.drivenById(params?.runId);
    return drive(params);
  };
  return Object.freeze({
    ...asked,
    tail(params, more) {
      const json = toJson(tailParams(params, more), 'params');
      return new RunTail(() => native(nativeEngine.tail(json)), pipes, words);
    },
    async begin(params) {
      const run = await asked.begin(params);
      const { workspaceId, userId } = params;
      const of = { workspaceId, userId, runId: run.runId };
      return hostedRun(nativeEngine, handles, run, of, { recordStep, finish });
    },
    recordStep: byId(recordStep),
    finish: byId(finish),
    signal: byId(async (params) => heard(nativeEngine, params ?? {})),
  });
}

module.exports = { RunTail, runsOf };
