'use strict';

const { TurnkeepError } = require('../error.js');

/** What of a failure is for its client to mend, what is busy, and what is nobody's fault who asks. */
const KINDS = {
  INVALID_INPUT: 'invalid',
  PAYLOAD_TOO_LARGE: 'invalid',
  UNSUPPORTED_MEDIA: 'invalid',
  NOT_SUPPORTED: 'invalid',
  UNAUTHENTICATED: 'unauthenticated',
  FORBIDDEN: 'forbidden',
  NOT_FOUND: 'not_found',
  METHOD_NOT_ALLOWED: 'invalid',
  A_RUN_ALREADY_ACTIVE: 'busy',
  SUPERSEDE_TARGET_MISMATCH: 'busy',
  SUPERSEDE_TIMEOUT: 'busy',
  SUPERSEDE_INVALID: 'busy',
  MESSAGE_EXISTS: 'conflict',
  ROLE_NAME_TAKEN: 'conflict',
  NOT_WAITING: 'conflict',
  ANSWER_MISMATCH: 'conflict',
  ANSWER_EXPIRED: 'conflict',
  RUN_NOT_ACTIVE: 'conflict',
  RATE_LIMITED: 'limit',
  BUDGET_EXHAUSTED: 'limit',
  STORE_UNAVAILABLE: 'unavailable',
  ENGINE_CLOSED: 'unavailable',
  LEASE_LOST: 'unavailable',
  A_RUN_BEGIN_FAILED: 'unavailable',
  AI_NOT_CONFIGURED: 'not_configured',
  EMBEDDING_NOT_CONFIGURED: 'not_configured',
  STT_NOT_CONFIGURED: 'not_configured',
  SECRET_UNREADABLE: 'not_configured',
  PROVIDER_ERROR: 'provider',
  INTERNAL: 'internal',
};

/** What is a status of its own, as frameworks' errors have it (`HttpException`, `http-errors`). */
function statusOf(error) {
  const status = typeof error?.getStatus === 'function' ? error.getStatus() : (error?.statusCode ?? error?.status);
  return Number.isInteger(status) && status >= 400 && status < 600 ? status : undefined;
}

/**
 * What a client is told of a failure: `{error: {code, kind, message, statusCode, details}}`. Of what is none of turnkeep's or of
 * its framework's nothing is told.
 */
function failureBody(error) {
  if (error instanceof TurnkeepError) {
    const { code, httpStatus: statusCode, details } = error;
    const message = code === 'INTERNAL' ? 'an unexpected failure' : error.message;
    return { error: { code, kind: KINDS[code] ?? 'internal', message, statusCode, details } };
  }
  const statusCode = statusOf(error);
  if (statusCode === undefined) {
    return {
      error: { code: 'INTERNAL', kind: 'internal', message: 'an unexpected failure', statusCode: 500, details: {} },
    };
  }
  const [code, kind] =
    { 401: ['UNAUTHENTICATED', 'unauthenticated'], 403: ['FORBIDDEN', 'forbidden'], 404: ['NOT_FOUND', 'not_found'] }[
      statusCode
    ] ??
    (statusCode === 429
      ? ['RATE_LIMITED', 'limit']
      : statusCode < 500
        ? ['INVALID_INPUT', 'invalid']
        : ['INTERNAL', 'internal']);
  const message = statusCode < 500 && typeof error.message === 'string' ? error.message : 'an unexpected failure';
  return { error: { code, kind, message, statusCode, details: {} } };
}

module.exports = { KINDS, failureBody };
