'use strict';

const binding = require('./native.js');
const { TurnkeepError, fromNative, native, toJson } = require('./error.js');
const { checkErrorText, tellRows, wordsOf } = require('./failure.js');
const { Pipes } = require('./pipe.js');
const { runsOf } = require('./runs.js');
const { stepOf } = require('./sdk-step.js');
const { operations } = require('./surface.js');
const { byName, complete, definitions, serve } = require('./tools.js');
const { Turn } = require('./turn.js');

/** The longest grace that crosses the border, some 49 days. */
const MAX_GRACE_MS = 2 ** 32 - 1;
/** The longest time that a timer of Node's can wait, some 24 days. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** How long closing waits at least for responses whose turns have ended. */
const FLUSH_MS = 1_000;
/** How long a turn may go on once its engine closes, unless told otherwise. */
const GRACE_MS = 5_000;

function object(value, field) {
  if (typeof value !== 'object' || value === null) throw TurnkeepError.invalid(field, 'must be an object');
  return value;
}

/** Bytes as the engine takes them. */
function base64(bytes) {
  if (!ArrayBuffer.isView(bytes)) throw TurnkeepError.invalid('audio', 'must be a Buffer or Uint8Array');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Errors have no members that JSON would show; of a tool's error the name and the message are kept. */
function withErrors(_, value) {
  return value instanceof Error ? { name: value.name, message: value.message } : value;
}

/** The pieces of an export. It begins when the first of them is asked for. */
async function* pieces(nativeEngine, params) {
  const reader = await native(nativeEngine.export(toJson(params ?? {}, 'params')));
  for (;;) {
    const piece = await native(reader.next());
    if (piece === null) return;
    yield piece;
  }
}

/** Operations on settings take their parameters in their order, or by their names in one object. */
function named(params) {
  return typeof params.workspaceId === 'object' && params.workspaceId !== null ? params.workspaceId : params;
}

/** The AI SDK's own steps are taken. */
const withStep = (params) => (params?.step ? { ...params, step: stepOf(params.step) } : params);

/** What is made of parameters before they cross. */
const BEFORE = {
  'settings.get': named,
  'settings.update': named,
  'settings.test': named,
  'runs.recordStep': withStep,
  'runs.finish': withStep,
  transcribe: (params) => ({ ...object(params, 'params'), audio: base64(params.audio) }),
};

/** How values are written that have no JSON of their own. */
const REPLACERS = { 'runs.recordStep': withErrors, 'runs.finish': withErrors };

/** What is made of answers once they are here. */
const AFTER = {
  'chats.messages': tellRows,
  'chats.open': ({ messages, ...rest }, words) => ({ messages: tellRows(messages, words), ...rest }),
};

class Engine {
  #native;
  #tools;
  #words;
  #pipes = new Pipes();

  /** Use `Engine.open`. */
  constructor(nativeEngine, tools, words) {
    this.#native = nativeEngine;
    this.#tools = tools;
    this.#words = words;
    const asked = operations(async (method, given) => {
      const params = BEFORE[method]?.(given) ?? given ?? {};
      const answer = JSON.parse(await native(nativeEngine.call(method, toJson(params, 'params', REPLACERS[method]))));
      return AFTER[method]?.(answer, words) ?? answer;
    });
    const { engine, runs, chats, ...others } = asked;
    Object.assign(this, engine);
    this.runs = runsOf(nativeEngine, runs, this.#pipes, words);
    this.chats = Object.freeze({ ...chats, exportStream: (params) => pieces(nativeEngine, params) });
    for (const [name, named] of Object.entries(others)) this[name] = Object.freeze(named);
    this.rotateSecrets = this.secrets.rotate;
  }

  static async open(given = {}) {
    const { tools, errorText: chosen, ...options } = object(given, 'options');
    checkErrorText(chosen);
    const { errorText, words } = wordsOf(chosen);
    const named = await complete(byName(tools));
    const json = toJson({ ...options, errorText }, 'options');
    return new Engine(await native(binding.openEngine(json)), named, words);
  }

  static async pendingMigrations(store) {
    return JSON.parse(await native(binding.pendingMigrations(String(store))));
  }

  async startTurn(given = {}) {
    const { tools, offeredTools, signal, ...request } = object(given, 'turn');
    if (signal && !(signal instanceof AbortSignal)) throw TurnkeepError.invalid('signal', 'must be an AbortSignal');
    // A turn that names its tools takes them from whoever offers them.
    const named = new Map([...(offeredTools ? [] : this.#tools), ...(await complete(byName(tools)))]);
    signal?.throwIfAborted();
    const json = toJson({ ...request, offeredTools, tools: definitions(named) }, 'turn');
    const nativeTurn = await native(this.#native.startTurn(json));
    const turn = new Turn(nativeTurn, this.#pipes, this.#words);
    // Rejects only if the native half does, which ends the turn's tools; the turn itself then says why.
    serve(nativeTurn, named).catch(() => {});
    if (signal) this.#stopOnAbort(turn, signal);
    return turn;
  }

  async runStateless(given = {}) {
    const request = object(given, 'turn');
    return this.startTurn({ ...request, stateless: request.stateless ?? {} });
  }

  offerTools(tools) {
    const named = tools === undefined ? this.#tools : byName(tools);
    const json = toJson({ tools: definitions(named) }, 'offer');
    let offer;
    try {
      offer = this.#native.offerTools(json);
    } catch (error) {
      throw fromNative(error);
    }
    // Rejects only if the native half does, which ends the offer.
    serve(offer, named).catch(() => {});
  }

  checkPages(check) {
    if (typeof check !== 'function') throw TurnkeepError.invalid('check', 'must be a function');
    this.#askAs('checkOpenPage', check, () => this.#native.checkPages());
  }

  docmostTokens(token) {
    if (typeof token !== 'function') throw TurnkeepError.invalid('token', 'must be a function');
    this.#askAs('docmostToken', token, () => this.#native.docmostTokens());
  }

  /** Has a function of the host's asked as a tool of this name is. */
  #askAs(name, execute, begin) {
    let offer;
    try {
      offer = begin();
    } catch (error) {
      throw fromNative(error);
    }
    // Rejects only if the native half does, after which nothing is asked any more.
    serve(offer, new Map([[name, { tool: { execute } }]])).catch(() => {});
  }

  async close(given = {}) {
    const { graceMs } = object(given, 'options');
    if (graceMs !== undefined && !(Number.isFinite(graceMs) && graceMs >= 0)) {
      throw TurnkeepError.invalid('graceMs', 'must be a number of milliseconds, not negative');
    }
    const begun = performance.now();
    await native(this.#native.close(graceMs && Math.min(graceMs, MAX_GRACE_MS)));
    // Whoever ends the process or cuts the connections after this cuts no response short.
    const left = Math.min(graceMs ?? GRACE_MS, MAX_TIMEOUT_MS) - (performance.now() - begun);
    await this.#pipes.ended(Math.max(left, FLUSH_MS));
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  #stopOnAbort(turn, signal) {
    // A stop that cannot be noted in the store has stopped the run all the same.
    const stop = () => void turn.stop().catch(() => {});
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    const forget = () => signal.removeEventListener('abort', stop);
    turn.done().then(forget, forget);
  }
}

module.exports = { Engine };
