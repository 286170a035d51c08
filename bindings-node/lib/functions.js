'use strict';

const { randomUUID } = require('node:crypto');

const binding = require('./native.js');
const { TurnkeepError, fromNative } = require('./error.js');
const byReference = require('./steps.js');
const { stepsOf } = require('./sdk-step.js');
const { functions } = require('./surface.js');

/** The JSON of a value in which a bigint is an integer with all of its digits. */
function stringify(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // V8 says "Do not know how to serialize a BigInt"; what else it says comes again below.
    if (!(error instanceof TypeError)) throw error;
  }
  // JSON.stringify can write no bare text of ours, so digits go in as strings that nobody can have foreseen.
  const mark = `bigint-${randomUUID()}:`;
  const text = JSON.stringify(value, (_, item) => (typeof item === 'bigint' ? mark + item : item));
  return text.replace(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

/** The JSON of the arguments, each by its name. */
function toText(parameters) {
  try {
    return stringify(parameters);
  } catch (error) {
    for (const [name, value] of Object.entries(parameters)) {
      try {
        stringify(value);
      } catch {
        // A cycle, a toJSON that throws, too deep or too long.
        throw TurnkeepError.invalid(name, 'has no JSON form');
      }
    }
    throw error;
  }
}

function native(work) {
  try {
    return work();
  } catch (error) {
    throw fromNative(error);
  }
}

function call(name, parameters) {
  const text = toText(parameters);
  const result = native(() => binding.callFunction(name, text));
  return result === null ? undefined : JSON.parse(result);
}

/** The one object that some functions take. */
function options(given) {
  if (typeof given !== 'object' || given === null) throw TurnkeepError.invalid('arguments', 'must be an object');
  return given;
}

function list(items) {
  return items instanceof Set ? [...items] : items;
}

const ERROR_FIELDS = ['name', 'message', 'statusCode', 'responseBody', 'text'];

/** What is read of an error. The rest may refer to itself, hold requests with keys in them, or be large. */
function errorFields(error) {
  if (typeof error !== 'object' || error === null) return error;
  const fields = {};
  for (const field of ERROR_FIELDS) {
    try {
      const value = error[field];
      if (JSON.stringify(value) !== undefined) fields[field] = value;
    } catch {
      // A getter that throws, or something without a JSON form: as if it were not there.
    }
  }
  return fields;
}

/** Those that do no more than to call. */
const plain = functions(call, list, options);

function flushAssistant(steps, inProgressText, status, extra) {
  return (
    byReference.flush(steps, inProgressText, status, extra) ??
    plain.flushAssistant(stepsOf(steps), inProgressText, status, extra)
  );
}

function assistantParts(steps, fallbackText) {
  return byReference.parts(steps, fallbackText) ?? plain.assistantParts(stepsOf(steps), fallbackText);
}

function serializeSteps(steps) {
  const trace = byReference.trace(steps);
  return trace ? trace[0] : plain.serializeSteps(stepsOf(steps));
}

/** Also as what is given to `map`, which says the index after the row. */
function rowToUiMessage(row, protocol) {
  return plain.rowToUiMessage(row, typeof protocol === 'number' ? undefined : protocol);
}

function compactToolOutput(value) {
  const compact = byReference.compact(value);
  if (compact !== undefined) return compact;
  let text;
  try {
    text = JSON.stringify(value);
  } catch {
    // What cannot be written is left alone, as is what leaves nothing to write.
  }
  if (text === undefined) return value;
  const compacted = native(() => binding.compactToolOutput(text));
  return compacted === null ? value : JSON.parse(compacted);
}

function describeProviderError(error, fallback) {
  return plain.describeProviderError(errorFields(error), fallback);
}

function isFatalProviderError(error) {
  return plain.isFatalProviderError(errorFields(error));
}

module.exports = {
  ...plain,
  assistantParts,
  compactToolOutput,
  describeProviderError,
  flushAssistant,
  isFatalProviderError,
  rowToUiMessage,
  serializeSteps,
};
