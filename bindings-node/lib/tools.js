'use strict';

const { TurnkeepError } = require('./error.js');
const { effectStatement } = require('./functions.js');
const { readSchema } = require('./schema.js');

/** What the AI SDK knows of a tool and turnkeep does not do. What a tool asks for is done or refused, never ignored. */
const NOT_UNDERSTOOD = {
  args: 'tools of a provider are not taken',
  experimental_toToolResultContent: 'is not understood',
  inputExamples: 'is not understood; put examples into the description',
  onInputAvailable: 'is not called here; do it in execute',
  onInputDelta: 'is not called here',
  onInputStart: 'is not called here',
  parameters: 'is called inputSchema',
  providerOptions: 'is not understood; set options of the provider',
  supportsDeferredResults: 'tools of a provider are not taken',
  toModelOutput: 'is not understood; return what the model is to be told',
};
const TYPES = [undefined, 'function', 'dynamic'];

/** Refuses what turnkeep would have to ignore. */
function check(tool, path) {
  for (const [member, problem] of Object.entries(NOT_UNDERSTOOD)) {
    if (tool[member] !== undefined) throw TurnkeepError.invalid(`${path}.${member}`, problem);
  }
  if (tool.needsApproval !== undefined && tool.needsApproval !== false) {
    throw TurnkeepError.invalid(
      `${path}.needsApproval`,
      "is not understood; say approval ('always', or {when: a JSON Schema}) of a tool that is offered",
    );
  }
  if (!TYPES.includes(tool.type)) throw TurnkeepError.invalid(`${path}.type`, 'tools of a provider are not taken');
  const members = ['description', 'readOnly', 'timeoutMs', 'shownOutputBytes', 'approval', 'answerSchema'];
  for (const member of members) {
    if (typeof tool[member] === 'function') throw TurnkeepError.invalid(`${path}.${member}`, 'must not be a function');
  }
}

/** A tool and what its schemas come to. */
function prepare(name, tool, path) {
  // Questions, and tools of the client, run nothing here.
  const runs = tool?.answerSchema === undefined && tool?.clientSide !== true;
  if ((runs || tool.execute !== undefined) && typeof tool?.execute !== 'function') {
    throw TurnkeepError.invalid(`${path}.execute`, 'must be a function');
  }
  check(tool, path);
  const { description, inputSchema, outputSchema, readOnly, timeoutMs, unknownMembers, shownOutputBytes } = tool;
  const input = inputSchema === undefined ? undefined : readSchema(inputSchema, `${path}.inputSchema`);
  const output = outputSchema === undefined ? undefined : readSchema(outputSchema, `${path}.outputSchema`);
  if (output && !output.validate) {
    throw TurnkeepError.invalid(
      `${path}.outputSchema`,
      'cannot be checked: only a schema that checks values itself is taken',
    );
  }
  return {
    tool,
    path,
    definition: {
      name,
      description,
      inputSchema: input?.jsonSchema,
      validatesInput: input?.validate !== undefined || undefined,
      readOnly,
      untrusted: tool.untrusted,
      timeoutMs,
      unknownMembers,
      shownOutputBytes,
      approval: tool.approval,
      editableInput: tool.editableInput,
      answerSchema: tool.answerSchema,
      clientSide: tool.clientSide,
      answerers: tool.answerers,
      expiresAfterMs: tool.expiresAfterMs,
      effects: tool.effects,
      idempotent: tool.idempotent,
      tier: tool.tier,
      catalogLine: tool.catalogLine,
    },
    validateInput: input?.validate,
    validateOutput: output?.validate,
  };
}

/** Tools by name, from an array or from an object whose keys are the names. */
function byName(tools, field = 'tools') {
  const named = new Map();
  if (tools === undefined || tools === null) return named;
  if (typeof tools !== 'object') throw TurnkeepError.invalid(field, 'must be an array or an object of tools');
  const entries = Array.isArray(tools)
    ? tools.map((tool, index) => [tool?.name, tool, `${field}[${index}]`])
    : Object.entries(tools).map(([name, tool]) => [name, tool, `${field}.${name}`]);
  for (const [name, tool, path] of entries) {
    if (typeof name !== 'string') throw TurnkeepError.invalid(`${path}.name`, 'is missing');
    if (named.has(name)) throw TurnkeepError.invalid(`${path}.name`, 'is given twice');
    named.set(name, prepare(name, tool, path));
  }
  return named;
}

const isPromise = (value) => typeof value?.then === 'function';

/** Waits for JSON Schemas that are made in the background. */
async function complete(named) {
  for (const { definition, path } of named.values()) {
    try {
      if (isPromise(definition.inputSchema)) definition.inputSchema = await definition.inputSchema;
    } catch (error) {
      throw TurnkeepError.invalid(`${path}.inputSchema`, errorText(error));
    }
  }
  return named;
}

/** What the engine is told of the tools: everything but the code. */
function definitions(named) {
  return [...named.values()].map(({ definition, path }) => {
    if (isPromise(definition.inputSchema)) {
      throw TurnkeepError.invalid(
        `${path}.inputSchema`,
        'is not there yet; give the tools to Engine.open, which waits',
      );
    }
    return definition;
  });
}

/** The text of anything that can be thrown. */
function errorText(error) {
  try {
    const text = error instanceof Error ? error.message || error.name : String(error);
    return text || 'The tool failed without a message.';
  } catch {
    return 'The tool failed with an error that has no text.';
  }
}

/**
 * The value itself, or the last one of a generator or of a stream, each of which `show` is given. Who iterates has left
 * when the call is over.
 */
async function lastValue(output, signal, show) {
  const result = await output;
  const iterate = result?.[Symbol.asyncIterator] ?? (typeof result?.next === 'function' && result[Symbol.iterator]);
  if (typeof iterate !== 'function') return result;
  let last;
  for await (const value of { [Symbol.asyncIterator]: () => iterate.call(result) }) {
    last = value;
    if (signal.aborted) break;
    show(value);
  }
  return last;
}

/** Nothing at all, or something without a JSON form such as a function, is null; what would lose all that it holds is not. */
function toOutputJson(value) {
  const text = JSON.stringify(value) ?? 'null';
  const prototype = typeof value === 'object' && value !== null ? Object.getPrototypeOf(value) : null;
  if (text === '{}' && prototype !== null && prototype !== Object.prototype) {
    throw new Error(`The tool's output is a ${value.constructor?.name || 'value'}, which has no JSON form.`);
  }
  return text;
}

/** Shows readers what a call has so far. What has no JSON form is an error only as the output. */
function show(mailbox, ticket, value) {
  let text;
  try {
    text = toOutputJson(value);
  } catch {
    return;
  }
  mailbox.show(ticket, text);
}

/** The statement by which a call notes that it has been done. */
function statementOf(call, options) {
  if (!call.effect) throw new TypeError(`The tool ${call.toolName} has no effects`);
  return effectStatement({ ...options, effect: call.effect });
}

/** Runs one call and answers it. Never rejects: whatever the tool does becomes the call's outcome. */
async function run(mailbox, prepared, ticket, call, signal) {
  try {
    const { input: sent, ...context } = call;
    const checked = (await prepared.validateInput?.(sent)) ?? { value: sent };
    if (checked.problem !== undefined) {
      throw new Error(`Invalid input for tool ${call.toolName}: ${checked.problem}`);
    }
    if (signal.aborted) return;
    // The AI SDK's name for it.
    const given = Object.defineProperty({ ...context, signal }, 'abortSignal', { value: signal });
    Object.defineProperty(given, 'effectStatement', { value: (options) => statementOf(call, options) });
    const result = prepared.tool.execute(checked.value, given);
    const output = await lastValue(result, signal, (value) => show(mailbox, ticket, value));
    const { value, problem } = (await prepared.validateOutput?.(output)) ?? { value: output };
    if (problem !== undefined) throw new Error(`Invalid output of tool ${call.toolName}: ${problem}`);
    mailbox.respond(ticket, toOutputJson(value));
  } catch (error) {
    mailbox.fail(ticket, errorText(error));
  }
}

/** Takes the tool calls of a turn or an offer and runs them, until there can be no more. */
async function serve(mailbox, named) {
  const running = new Map();
  for (;;) {
    const text = await mailbox.nextToolMessage();
    if (text === null) return;
    const { type, ticket, ...call } = JSON.parse(text);
    if (type === 'cancelled') {
      running.get(ticket)?.abort();
      continue;
    }
    const controller = new AbortController();
    running.set(ticket, controller);
    void run(mailbox, named.get(call.toolName), ticket, call, controller.signal).finally(() => running.delete(ticket));
  }
}

/** The tool itself: it is there for its types. */
const defineTool = (tool) => tool;

module.exports = { byName, complete, defineTool, definitions, serve };
