'use strict';

// What a client of the AI SDK sends, as what the engine is asked.

const { TurnkeepError } = require('../error.js');

/** What of a turn its client may say; everything else is the host's. */
const OF_CLIENTS = ['roleId', 'openPage', 'busy', 'idempotencyKey', 'protocol', 'messageId', 'trigger'];

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A client's body as the fields of a turn. `messages` is the chat as the page has it; only its last message is new. */
function turnOf(body) {
  const { id, chatId = id, messages, message } = body;
  const turn = {};
  if (chatId !== undefined && chatId !== null) turn.chatId = chatId;
  for (const field of OF_CLIENTS) if (body[field] !== undefined && body[field] !== null) turn[field] = body[field];
  if (turn.trigger === 'regenerate-message') return turn;
  if (message !== undefined) return { ...turn, message };
  if (!Array.isArray(messages)) throw TurnkeepError.invalid('messages', 'must be a list, unless there is a message');
  const last = messages.at(-1);
  if (!isObject(last)) throw TurnkeepError.invalid('messages', 'has no last message');
  if (last.role !== 'user') throw TurnkeepError.invalid(`messages[${messages.length - 1}].role`, 'must be user');
  return { ...turn, message: last };
}

/** A tool's part as the answer to the call that waits for one; nothing while the part has none. */
function answerIn({ state, approval, output, preliminary, errorText, toolCallId: callId }) {
  if (state === 'approval-responded' && isObject(approval)) {
    return { callId, approved: approval.approved === true, reason: approval.reason };
  }
  if (state === 'output-available' && preliminary !== true) return { callId, output };
  if (state === 'output-error') return { callId, approved: false, reason: errorText };
  if (state === 'output-denied') return { callId, approved: false, reason: approval?.reason };
  return undefined;
}

/**
 * The answers that a client gives by sending its messages again, the last of which is then the assistant's
 * (`addToolOutput`, `addToolApprovalResponse`); nothing where the last one is the user's.
 */
function answersOf(body) {
  const last = Array.isArray(body.messages) ? body.messages.at(-1) : undefined;
  if (body.trigger === 'regenerate-message' || body.message !== undefined) return undefined;
  if (!isObject(last) || last.role !== 'assistant' || !Array.isArray(last.parts)) return undefined;
  const parts = last.parts.filter((part) => isObject(part) && typeof part.toolCallId === 'string');
  return parts.map(answerIn).filter(Boolean);
}

/** A part of a message of AG-UI's as the AI SDK has it. */
function partOf({ type, text, source }, place) {
  if (type === 'text') return { type, text };
  const { value, mimeType: mediaType } = isObject(source) ? source : {};
  if (!['image', 'audio', 'video', 'document'].includes(type) || typeof value !== 'string') {
    throw TurnkeepError.invalid(place, 'is no part that can be sent');
  }
  return { type: 'file', mediaType, url: source.type === 'data' ? `data:${mediaType};base64,${value}` : value };
}

/** What a `RunAgentInput` of AG-UI's asks for: the fields of a turn, or the answers to what interrupted one. */
function agUiOf({ threadId, runId, messages, resume, forwardedProps }) {
  if (typeof threadId !== 'string') throw TurnkeepError.invalid('threadId', 'must be text');
  if (typeof runId !== 'string') throw TurnkeepError.invalid('runId', 'must be text');
  if (Array.isArray(resume) && resume.length > 0) {
    const answers = resume.map(({ interruptId: callId, status, payload }) => {
      const said = isObject(payload) ? payload : { approved: payload };
      const approved = status === 'resolved' && said.approved !== false;
      return {
        callId,
        approved,
        ...(approved && said.input !== undefined && { input: said.input }),
        reason: said.reason,
      };
    });
    return { chatId: threadId, answers };
  }
  const list = Array.isArray(messages) ? messages : [];
  const last = list.at(-1);
  // A tool of the client's has come to something.
  if (isObject(last) && last.role === 'tool') {
    const given = list.slice(list.findLastIndex(({ role }) => role !== 'tool') + 1);
    const answers = given.map(({ toolCallId: callId, content, error }) =>
      error === undefined ? { callId, output: content } : { callId, approved: false, reason: error },
    );
    return { chatId: threadId, answers };
  }
  if (!isObject(last) || last.role !== 'user') throw TurnkeepError.invalid('messages', 'must end in one of the user');
  const parts = Array.isArray(last.content)
    ? last.content.map((part, place) => partOf(part, `messages[${list.length - 1}].content[${place}]`))
    : [{ type: 'text', text: String(last.content) }];
  const { roleId, openPage } = isObject(forwardedProps) ? forwardedProps : {};
  const message = { id: last.id, role: 'user', parts };
  return {
    chatId: threadId,
    turn: {
      chatId: threadId,
      idempotencyKey: runId,
      message,
      ...(roleId && { roleId }),
      ...(openPage && { openPage }),
    },
  };
}

module.exports = { agUiOf, answersOf, isObject, turnOf };
