'use strict';

const { ERROR_CLASSES } = require('./surface.js');

/** A failure of turnkeep: a stable `code`, a `message`, an `httpStatus` as a hint, and `details`. */
class TurnkeepError extends Error {
  constructor({ code, message, httpStatus, details }, options) {
    super(message, options);
    this.name = 'TurnkeepError';
    this.code = code;
    this.httpStatus = httpStatus;
    this.details = details ?? {};
  }

  static invalid(field, problem) {
    return failure({
      code: 'INVALID_INPUT',
      message: `${field}: ${problem}`,
      httpStatus: 400,
      details: { field },
    });
  }
}

/** A class for each code, by its name. */
const classes = {};
const byCode = new Map();
for (const [code, name] of Object.entries(ERROR_CLASSES)) {
  classes[name] = { [name]: class extends TurnkeepError {} }[name];
  byCode.set(code, classes[name]);
}

/** The error that these fields say. */
function failure(fields, options) {
  return new (byCode.get(fields.code) ?? TurnkeepError)(fields, options);
}

/** The native half's errors carry the JSON of a TurnkeepError as their message; whatever else it throws is a bug. */
function fromNative(error) {
  try {
    const fields = JSON.parse(error.message);
    if (typeof fields.code === 'string') return failure(fields);
  } catch {
    // Not ours: falls through to the bug.
  }
  const message = `an unexpected failure in the native half: ${error?.message ?? error}`;
  return failure({ code: 'INTERNAL', message, httpStatus: 500, details: {} }, { cause: error });
}

/** Awaits a native promise and translates its error. */
async function native(promise) {
  try {
    return await promise;
  } catch (error) {
    throw fromNative(error);
  }
}

/** The JSON of what a caller passed in; `replacer` as for `JSON.stringify`. */
function toJson(value, field, replacer) {
  try {
    const text = JSON.stringify(value, replacer);
    if (text !== undefined) return text;
  } catch {
    // BigInt, a cycle, a toJSON that throws.
  }
  throw TurnkeepError.invalid(field, 'has no JSON form');
}

module.exports = { TurnkeepError, classes, failure, fromNative, native, toJson };
