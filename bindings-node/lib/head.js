'use strict';

const { TurnkeepError } = require('./error.js');

/** How long a stream is silent before it says that it is there. */
const HEARTBEAT_MS = 15_000;
/** What belongs to one connection of HTTP/1.1, and has no place in HTTP/2. */
const OF_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'];

/** Headers in any of the forms that Node and the web know, as pairs. */
function pairs(headers) {
  if (headers === undefined || headers === null) return [];
  if (typeof headers !== 'object') throw TurnkeepError.invalid('headers', 'must be an object or a list');
  if (Array.isArray(headers) && !headers.some(Array.isArray)) {
    if (headers.length % 2 !== 0) throw TurnkeepError.invalid('headers', 'a raw list has a value for each name');
    return headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]]] : []));
  }
  return typeof headers[Symbol.iterator] === 'function' ? [...headers] : Object.entries(headers);
}

/** Adds headers to those of `merged`, whatever the case of their names; those that come later win. */
function merge(merged, headers) {
  const own = new Map();
  for (const [name, value] of pairs(headers)) {
    if (value === undefined || value === null) continue;
    const key = String(name).toLowerCase();
    const values = [own.get(key) ?? [], value].flat();
    own.set(key, values.length === 1 ? values[0] : values);
  }
  for (const [name, value] of own) merged.set(name, value);
  return merged;
}

module.exports = { HEARTBEAT_MS, OF_CONNECTION, merge };
