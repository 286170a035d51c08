'use strict';

// Steps of the AI SDK in values that JSON has a form for: its step results are objects of a class, the files in them hold
// bytes, and errors have no members of their own.

/** What is read of one. What else the SDK's has (requests, responses, contexts of the host) stays where it is. */
const MEMBERS = [
  'number',
  'content',
  'reasoningText',
  'text',
  'toolCalls',
  'toolResults',
  'toolErrors',
  'files',
  'sources',
  'finishReason',
  'usage',
  'experimental_steeringMessages',
];

/** By which the SDK keeps the input of a call from before a tool has refined it; what an approval is signed for. */
const SCHEMA_INPUT = 'ai-sdk-tool-call-input-schema-input';

const { hasOwn } = Object;
const isObject = (value) => typeof value === 'object' && value !== null;

/** The step, or what is read of one of the SDK's. Whatever is neither goes through, to be refused by the core. */
function stepOf(step) {
  try {
    return isOfSdk(step) ? read(step) : step;
  } catch {
    // A getter that throws: it does so again where it is known whose it is.
    return step;
  }
}

/** Steps as they cross: the very same list when there is nothing in it to be read. */
function stepsOf(steps) {
  if (!Array.isArray(steps)) return steps;
  const read = Array.from(steps, stepOf);
  return read.some((step, index) => step !== steps[index]) ? read : steps;
}

function isOfSdk(step) {
  if (!isObject(step) || Array.isArray(step) || typeof step.toJSON === 'function') return false;
  return [step.content, step.files, step.experimental_steeringMessages].some(Array.isArray);
}

function read(step) {
  const read = {};
  // A class has the rest as getters, which say again what is in its content.
  for (const name of MEMBERS) if (hasOwn(step, name)) read[name] = step[name];
  if (Array.isArray(step.content)) read.content = step.content.map((entry) => entryOf(entry, saysErrorsWhole(step)));
  if (Array.isArray(read.files)) read.files = read.files.map(fileOf);
  if (Array.isArray(read.toolErrors)) read.toolErrors = read.toolErrors.map((error) => withError(error, false));
  const { experimental_steeringMessages: messages } = read;
  if (Array.isArray(messages)) read.experimental_steeringMessages = messages.map(messageOf);
  return read;
}

/** Since version 7, which measures its steps, the SDK tells its model the name of an error as well. */
function saysErrorsWhole(step) {
  return hasOwn(step, 'performance');
}

function entryOf(entry, whole) {
  if (!isObject(entry)) return entry;
  let read = withError(entry, whole);
  if (isObject(entry.file)) read = { ...read, file: fileOf(entry.file) };
  if (isObject(entry.toolCall)) {
    const { toolCallId, toolName, input, providerExecuted, dynamic, title, toolMetadata } = entry.toolCall;
    read = { ...read, toolCall: { toolCallId, toolName, input, providerExecuted, dynamic, title, toolMetadata } };
    const symbol = Object.getOwnPropertySymbols(entry.toolCall).find((known) => known.description === SCHEMA_INPUT);
    // Where nothing was refined it is the input.
    if (symbol !== undefined && JSON.stringify(entry.toolCall[symbol]) !== JSON.stringify(input)) {
      read.inputSchemaInput = entry.toolCall[symbol];
    }
  }
  return read;
}

/** The entry with the error as its model was told it. */
function withError(entry, whole) {
  if (!(entry?.error instanceof Error)) return entry;
  if (whole) return { ...entry, error: String(entry.error) };
  const { name, message } = entry.error;
  return { ...entry, error: { name, message } };
}

/** A file as the SDK generates it, or as pages have it. */
function fileOf(file) {
  if (!isObject(file) || typeof file.base64 !== 'string') return file;
  const { mediaType, base64, filename, providerMetadata } = file;
  return { mediaType, base64, filename, providerMetadata };
}

function messageOf(message) {
  if (!isObject(message) || !Array.isArray(message.content)) return message;
  const content = message.content.map((part) => {
    if (!isObject(part)) return part;
    const read = { ...part };
    if (hasOwn(part, 'data')) read.data = dataOf(part.data);
    if (hasOwn(part, 'image')) read.image = dataOf(part.image);
    return read;
  });
  return { ...message, content };
}

/** Bytes as base64, a URL as its text. */
function dataOf(data) {
  if (data instanceof URL) return data.href;
  if (data instanceof ArrayBuffer) return Buffer.from(data).toString('base64');
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64');
  if (isObject(data) && hasOwn(data, 'data')) return { ...data, data: dataOf(data.data) };
  if (isObject(data) && hasOwn(data, 'url')) return { ...data, url: dataOf(data.url) };
  return data;
}

module.exports = { stepOf, stepsOf };
