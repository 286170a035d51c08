'use strict';

const { TurnkeepError } = require('./error.js');

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
    if (typeof tool?.execute !== 'function') throw TurnkeepError.invalid(`${path}.execute`, 'must be a function');
    if (named.has(name)) throw TurnkeepError.invalid(`${path}.name`, 'is given twice');
    named.set(name, tool);
  }
  return named;
}

/** What the engine is told of the tools: everything but the code. */
function definitions(named) {
  return [...named].map(([name, { description, inputSchema, readOnly, timeoutMs, unknownMembers }]) => ({
    name,
    description,
    inputSchema,
    readOnly,
    timeoutMs,
    unknownMembers,
  }));
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

/** Runs one call and answers it. Never rejects: whatever the tool does becomes the call's outcome. */
async function run(mailbox, tool, ticket, call, signal) {
  try {
    const { input, ...context } = call;
    const output = await tool.execute(input, { ...context, signal });
    // Nothing at all, or something without a JSON form such as a function, is null.
    mailbox.respond(ticket, JSON.stringify(output) ?? 'null');
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

module.exports = { byName, definitions, serve };
