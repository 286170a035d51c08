'use strict';

const { TurnkeepError } = require('./error.js');
const binding = require('./native.js');

/** What the engine is to tell pages of failures, and the host's function that makes sentences of them, if there is one. */
function wordsOf(errorText) {
  if (typeof errorText !== 'function') return { errorText, words: undefined };
  return { errorText: 'failure', words: (failure) => sentence(errorText, failure) };
}

/** The host's sentence. What it throws, or makes no sentence of, must not be in anybody's way. */
function sentence(errorText, failure) {
  try {
    const text = errorText(failure);
    if (typeof text === 'string' && text !== '') return text;
  } catch {
    // Falls through to ours.
  }
  return JSON.parse(binding.callFunction('safeErrorText', JSON.stringify({ failure })));
}

/** The failure that a text stands for; nothing where it is a sentence. */
function failureIn(text) {
  if (typeof text !== 'string' || !text.startsWith('{')) return undefined;
  try {
    const failure = JSON.parse(text);
    return typeof failure.kind === 'string' ? failure : undefined;
  } catch {
    return undefined;
  }
}

/** Puts the host's sentence into a chunk that tells of a failure. */
function tellChunk(chunk, words) {
  if (chunk.type === 'error') {
    const failure = failureIn(chunk.errorText);
    if (failure) chunk.errorText = words(failure);
  }
  const told = chunk.messageMetadata;
  const failure = failureIn(told?.error);
  if (failure) {
    told.error = words(failure);
    if (told.failure) told.failure.message = told.error;
  }
  return chunk;
}

/** The same of an event of a stream over HTTP. */
function tellEvent(event, words) {
  const at = event.indexOf('data: {');
  if (at < 0) return event;
  const from = at + 'data: '.length;
  return event.slice(0, from) + JSON.stringify(tellChunk(JSON.parse(event.slice(from)), words));
}

/** The same of a batch of such events. */
function tellEvents(bytes, words) {
  if (bytes === null || !(bytes.includes('"failure"') || bytes.includes('"errorText"'))) return bytes;
  const events = bytes.toString().split('\n\n');
  return Buffer.from(events.map((event) => tellEvent(event, words)).join('\n\n'));
}

/** A reader of a turn or a log whose events over HTTP have the host's sentences. */
function telling(reader, words) {
  if (!words) return reader;
  return {
    next: (limit) => reader.next(limit),
    nextSse: async (limit) => tellEvents(await reader.nextSse(limit), words),
    end: () => reader.end(),
    close: () => reader.close(),
  };
}

/** Puts the host's sentences into rows, beside what providers have said: `rowToUiMessage` takes them. */
function tellRows(rows, words) {
  for (const { metadata } of words ? rows : []) {
    const failure = failureIn(metadata?.errorText);
    if (failure) metadata.errorText = words(failure);
  }
  return rows;
}

/** What the option may be. */
function checkErrorText(errorText) {
  if (![undefined, 'safe', 'provider'].includes(errorText) && typeof errorText !== 'function') {
    throw TurnkeepError.invalid('errorText', 'must be safe, provider, or a function');
  }
}

module.exports = { checkErrorText, tellChunk, tellRows, telling, wordsOf };
