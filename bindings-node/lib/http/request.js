'use strict';

// What is read of a request, and what of it is refused before the engine is asked.

const { TurnkeepError, failure } = require('../error.js');

/** A refusal of the router's own, with a status. */
function refuse(code, httpStatus, message, details = {}) {
  return failure({ code, message, httpStatus, details });
}

/** The body as bytes, never more than the limit of them in memory. */
async function bytesOf(request, maxBodyBytes) {
  const tooLarge = () =>
    refuse('PAYLOAD_TOO_LARGE', 413, `body: has more than ${maxBodyBytes} bytes`, { field: 'body' });
  if (Number(request.headers.get('content-length')) > maxBodyBytes) throw tooLarge();
  if (!request.body) return Buffer.alloc(0);
  const pieces = [];
  let length = 0;
  for await (const piece of request.body) {
    length += piece.byteLength;
    if (length > maxBodyBytes) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

/** The body as an object; an empty one where there is none. */
async function objectOf(request, maxBodyBytes) {
  const bytes = await bytesOf(request, maxBodyBytes);
  if (bytes.length === 0) return {};
  let value;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw TurnkeepError.invalid('body', 'is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw TurnkeepError.invalid('body', 'must be an object');
  }
  return value;
}

/**
 * Pages of other sites can have a browser send its cookies along, also with bodies that are called text. Browsers say so in
 * a header that no page can set.
 */
function refuseOtherSites(request, origins) {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  if (request.headers.get('sec-fetch-site') !== 'cross-site') return;
  const origin = request.headers.get('origin');
  if (origins.includes('*') || (origin !== null && origins.includes(origin))) return;
  throw refuse('FORBIDDEN', 403, 'a page of another site asks; `origins` names those that may', {
    reason: 'cross_site',
  });
}

/**
 * Whether a socket may be opened: it brings cookies along and is read by whoever opens it, and no browser asks beforehand
 * whether another site's page may. Who is no browser has no origin.
 */
function mayOpenSocket(headers, origins) {
  const origin = headers.get('origin');
  if (origin === null || origins.includes('*') || origins.includes(origin)) return true;
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site !== 'cross-site';
  return URL.canParse(origin) && new URL(origin).host === headers.get('host');
}

/** A number in the query. */
function numberIn(query, name) {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw TurnkeepError.invalid(name, 'must be a whole number');
  return value;
}

/** A text in the query. */
function textIn(query, name) {
  return query.get(name) || undefined;
}

module.exports = { bytesOf, mayOpenSocket, numberIn, objectOf, refuse, refuseOtherSites, textIn };
