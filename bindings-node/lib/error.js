'use strict';

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
    return new TurnkeepError({
      code: 'INVALID_INPUT',
      message: `${field}: ${problem}`,
      httpStatus: 400,
      details: { field },
    });
  }
}

/** The native half's errors carry the JSON of a TurnkeepError as their message; whatever else it throws is a bug. */
function fromNative(error) {
  try {
    const fields = JSON.parse(error.message);
    if (typeof fields.code === 'string') return new TurnkeepError(fields);
  } catch {
    // Not ours: falls through to the bug.
  }
  const message = `an unexpected failure in the native half: ${error?.message ?? error}`;
  return new TurnkeepError({ code: 'INTERNAL', message, httpStatus: 500, details: {} }, { cause: error });
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

module.exports = { TurnkeepError, fromNative, native, toJson };
