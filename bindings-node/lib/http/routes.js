'use strict';

// What is answered to which request. A route is given what is known of the request, and gives a result: a value that goes as
// JSON, a stream, a document, or nothing at all.

const { TurnkeepError } = require('../error.js');
const { rowToUiMessage } = require('../functions.js');
const { agUiOf, answersOf, turnOf } = require('./message.js');
const { bytesOf, numberIn, refuse, textIn } = require('./request.js');

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DRIVEN = ['pending', 'running'];
/** What clients count chunks by, and read once they have begun a run. */
const RUN_HEADERS = (run) => ({
  'x-turnkeep-run-id': run.runId,
  'x-turnkeep-chat-id': run.chatId,
  'x-workflow-run-id': run.runId,
});

const json = (value, status = 200) => ({ status, json: value ?? null });
const nothing = () => ({ status: 204 });
const stream = (source, headers) => ({ status: 200, stream: source, headers });

/** The place behind which a client goes on, in any of the ways in which clients say it, and what it is told in. */
function placeOf(context) {
  const format = textIn(context.query, 'format');
  return { ...behind(context), ...(format && { format }) };
}

function behind({ request, query, protocol }) {
  const startIndex = numberIn(query, 'startIndex');
  if (startIndex !== undefined) {
    // Whoever counts chunks counts those of the log: it is told them one for one.
    const place = startIndex > 0 ? { after: startIndex - 1 } : { from: 'start' };
    return { ...place, protocol: 'ai-6' };
  }
  const after = textIn(query, 'after') ?? (request.headers.get('last-event-id') || undefined);
  if (after !== undefined) return { after, protocol };
  const from = textIn(query, 'from');
  return from === undefined ? { protocol } : { from, protocol };
}

/** The stream of a run; nothing where it has ended and the client has all of it. */
async function followed(context, run, place) {
  const { engine, who } = context;
  const tail = engine.runs.tail(run.id, { ...who, ...place });
  if (!DRIVEN.includes(run.status) && (await tail.isAtEnd())) {
    tail.close();
    return nothing();
  }
  return stream(tail, RUN_HEADERS({ runId: run.id, chatId: run.chatId }));
}

/** The run of this id; nothing where there is none. */
async function findRun({ engine, who }, runId) {
  if (!UUID.test(runId)) return undefined;
  try {
    return await engine.runs.get({ ...who, runId });
  } catch (error) {
    if (error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Begins a turn, or gives the answers that a run waits for. */
async function begin(context) {
  const { engine, who, body, request, protocol } = context;
  const answers = answersOf(body);
  if (answers) return answerAll(context, body.chatId ?? body.id, answers);
  const key = request.headers.get('idempotency-key');
  const asked = { ...(key ? { idempotencyKey: key } : {}), protocol, ...turnOf(body) };
  const turn = await engine.startTurn({ ...asked, ...(await context.turn(asked)), ...who, resumable: true });
  return stream(turn, RUN_HEADERS(turn));
}

async function answerAll(context, chatId, answers, format) {
  const { engine, who, actor, protocol } = context;
  if (typeof chatId !== 'string') throw TurnkeepError.invalid('id', 'the chat is missing');
  const { items } = await engine.runs.waiting({ ...who, actor, chatId });
  const given = answers.flatMap((answer) => {
    const run = items.find(({ waitingFor }) => waitingFor?.some(({ callId }) => callId === answer.callId));
    return run ? [{ run, answer }] : [];
  });
  if (given.length === 0) throw refuse('NOT_WAITING', 409, 'no run of the chat waits for any of these answers');
  const [{ run }] = given;
  // Where the run goes on once it is answered: behind all that was told before.
  let after;
  for await (const item of engine.runs.tail(run.id, who)) after = item.cursor;
  for (const { run: of, answer } of given) await engine.runs.answer({ ...who, runId: of.id, ...answer });
  return stream(
    engine.runs.tail(run.id, { ...who, after, protocol, format }),
    RUN_HEADERS({ runId: run.id, chatId: run.chatId }),
  );
}

/** The same for clients of AG-UI. One that asks again with the id of its run goes on behind its last event. */
async function agUi(context) {
  const { engine, who, body, request } = context;
  const format = 'ag-ui';
  const { chatId, answers, turn: asked } = agUiOf(body);
  const after = request.headers.get('last-event-id');
  if (answers && after) {
    // It was answered before: what is asked for is the rest.
    const run = await engine.runs.latestForChat({ ...who, chatId });
    if (!run) throw refuse('NOT_FOUND', 404, 'there is no such chat');
    return followed(context, run, { after, format });
  }
  if (answers) return answerAll(context, chatId, answers, format);
  const turn = await engine.startTurn({ ...asked, ...(await context.turn(asked)), ...who, format, resumable: true });
  const source = turn.repeated && after ? engine.runs.tail(turn.runId, { ...who, after, format }) : turn;
  return stream(source, RUN_HEADERS(turn));
}

/** What a page shows of a chat, and the run that it is to follow. */
async function open({ engine, who, params, query, protocol }) {
  const chatId = params.chatId;
  const { messages, follow } = await engine.chats.open({
    ...who,
    chatId,
    limit: numberIn(query, 'limit'),
    inProgress: textIn(query, 'inProgress'),
  });
  return json({ messages: messages.map((row) => rowToUiMessage(row, protocol)), follow });
}

/** Resuming, as the AI SDK's clients ask for it: by the chat, or by the run that they were told of. */
async function resume(context) {
  const { engine, who, params, query } = context;
  const counted = query.has('startIndex') ? await findRun(context, params.chatId) : undefined;
  if (counted) return followed(context, counted, placeOf(context));
  const run = await engine.runs.activeForChat({ ...who, chatId: params.chatId });
  return run ? followed(context, run, placeOf(context)) : nothing();
}

async function follow(context) {
  const { engine, who, params } = context;
  return followed(context, await engine.runs.get({ ...who, runId: params.runId }), placeOf(context));
}

async function stop({ engine, who, params: { chatId, runId } }) {
  return json({ stopped: await engine.runs.stop({ ...who, ...(runId ? { runId } : { chatId }) }) });
}

/** A stop of what may not be there yet: a turn that was asked for, by its key. */
async function stopAny({ engine, who, body: { chatId, runId, idempotencyKey } }) {
  if (runId) return json({ stopped: await engine.runs.stop({ ...who, runId }) });
  const asked = idempotencyKey === undefined ? { chatId } : { idempotencyKey, ...(chatId && { chatId }) };
  return json({ stopped: await engine.runs.stop({ ...who, ...asked }) });
}

async function exported({ engine, who, params: { chatId }, query }) {
  const format = textIn(query, 'format') ?? 'markdown';
  const asked = { ...who, chatId, format, lang: textIn(query, 'lang') };
  const [type, suffix] = format === 'json' ? ['application/json', 'json'] : ['text/markdown', 'md'];
  return {
    status: 200,
    document: engine.chats.exportStream(asked),
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'content-disposition': `attachment; filename="chat.${suffix}"`,
      'x-content-type-options': 'nosniff',
    },
  };
}

/** A recording as the body, or as the first file of a form. */
async function transcribe({ engine, who, request, query, maxBodyBytes }) {
  const type = request.headers.get('content-type') ?? '';
  const bytes = await bytesOf(request, maxBodyBytes);
  let [audio, mime] = [bytes, type];
  if (type.startsWith('multipart/form-data')) {
    let form;
    try {
      form = await new Response(bytes, { headers: { 'content-type': type } }).formData();
    } catch {
      throw TurnkeepError.invalid('body', 'is no form');
    }
    const file = [...form.values()].find((value) => typeof value !== 'string');
    if (!file) throw TurnkeepError.invalid('audio', 'is missing');
    [audio, mime] = [Buffer.from(await file.arrayBuffer()), file.type];
  }
  const language = textIn(query, 'language');
  const text = await engine.transcribe({ workspaceId: who.workspaceId, audio, mime, ...(language && { language }) });
  return json({ text });
}

const limits = (query) => ({
  limit: numberIn(query, 'limit'),
  cursor: textIn(query, 'cursor'),
  beforeCursor: textIn(query, 'beforeCursor'),
});

/** Routes that need no more than an operation and where its parameters come from. */
const of =
  (operation, params, made = json) =>
  async (context) => {
    const [space, name] = operation.split('.');
    return made(await context.engine[space][name](params(context)));
  };
const done = () => nothing();

/**
 * `[name, method, path, what]`. The names are those by which hosts replace a route or switch it off; names that come first
 * win. `bytes`: the route reads its body itself.
 */
const ROUTES = [
  ['turn', 'POST', '', begin],
  ['agUi', 'POST', 'ag-ui', agUi],
  ['chats', 'GET', 'chats', of('chats.list', ({ who, query }) => ({ ...who, ...limits(query) }))],
  [
    'search',
    'GET',
    'chats/search',
    of('chats.search', ({ who, query }) => ({
      ...who,
      query: textIn(query, 'query') ?? '',
      chatId: textIn(query, 'chatId'),
      limit: numberIn(query, 'limit'),
      before: textIn(query, 'before'),
    })),
  ],
  ['open', 'GET', 'chats/:chatId', open],
  [
    'rename',
    'PATCH',
    'chats/:chatId',
    of('chats.rename', ({ who, params, body }) => ({ ...who, chatId: params.chatId, title: body.title })),
  ],
  [
    'delete',
    'DELETE',
    'chats/:chatId',
    of('chats.delete', ({ who, params }) => ({ ...who, chatId: params.chatId }), done),
  ],
  [
    'messages',
    'GET',
    'chats/:chatId/messages',
    of('chats.uiMessagePage', ({ who, params, query, protocol }) => ({
      ...who,
      protocol,
      chatId: params.chatId,
      newestFirst: textIn(query, 'newestFirst') === 'true',
      ...limits(query),
    })),
  ],
  [
    'versions',
    'GET',
    'chats/:chatId/messages/:messageId/versions',
    of('chats.versions', ({ who, params }) => ({ ...who, ...params })),
  ],
  [
    'runs',
    'GET',
    'chats/:chatId/runs',
    of('runs.list', ({ who, params, query }) => ({
      ...who,
      chatId: params.chatId,
      limit: numberIn(query, 'limit'),
      before: textIn(query, 'before'),
    })),
  ],
  [
    'fork',
    'POST',
    'chats/:chatId/fork',
    of('chats.fork', ({ who, params, body: { messageId, step, forkId, title } }) => ({
      ...who,
      chatId: params.chatId,
      messageId,
      step,
      forkId,
      title,
    })),
  ],
  ['export', 'GET', 'chats/:chatId/export', exported],
  [
    'waiting',
    'GET',
    'waiting',
    of('runs.waiting', ({ who, actor, query }) => ({
      ...who,
      actor,
      chatId: textIn(query, 'chatId'),
      cursor: textIn(query, 'cursor'),
      limit: numberIn(query, 'limit'),
    })),
  ],
  ['run', 'GET', 'runs/:runId', of('runs.get', ({ who, params }) => ({ ...who, runId: params.runId }))],
  ['follow', 'GET', 'runs/:runId/stream', follow],
  ['stopRun', 'POST', 'runs/:runId/stop', stop],
  [
    'answer',
    'POST',
    'runs/:runId/answers',
    of('runs.answer', ({ who, params, body: { callId, approved, output, input, reason, token } }) => ({
      ...who,
      runId: params.runId,
      callId,
      approved,
      output,
      input,
      reason,
      token,
    })),
  ],
  [
    'steer',
    'POST',
    'runs/:runId/messages',
    of('runs.steer', ({ who, params, body, request }) => ({
      ...who,
      runId: params.runId,
      message: body.message,
      idempotencyKey: body.idempotencyKey ?? request.headers.get('idempotency-key') ?? undefined,
    })),
  ],
  ['queue', 'GET', 'runs/:runId/messages', of('runs.queue', ({ who, params }) => ({ ...who, runId: params.runId }))],
  [
    'unsteer',
    'DELETE',
    'runs/:runId/messages/:messageId',
    of('runs.unsteer', ({ who, params }) => ({ ...who, messageId: params.messageId })),
  ],
  ['roles', 'GET', 'roles', of('roles.list', ({ who, actor }) => ({ workspaceId: who.workspaceId, actor }))],
  [
    'createRole',
    'POST',
    'roles',
    of('roles.create', ({ who, actor, body }) => ({ ...body, workspaceId: who.workspaceId, actor })),
  ],
  [
    'updateRole',
    'PATCH',
    'roles/:roleId',
    of('roles.update', ({ who, actor, params, body }) => ({ ...body, ...params, workspaceId: who.workspaceId, actor })),
  ],
  [
    'deleteRole',
    'DELETE',
    'roles/:roleId',
    of('roles.delete', ({ who, actor, params }) => ({ ...params, workspaceId: who.workspaceId, actor }), done),
  ],
  ['settings', 'GET', 'settings', of('settings.get', ({ who, actor }) => ({ workspaceId: who.workspaceId, actor }))],
  [
    'updateSettings',
    'PATCH',
    'settings',
    of('settings.update', ({ who, actor, body }) => ({ workspaceId: who.workspaceId, settings: body, actor })),
  ],
  [
    'testSettings',
    'POST',
    'settings/test',
    of('settings.test', ({ who, actor, body: { capability } }) => ({
      workspaceId: who.workspaceId,
      capability,
      actor,
    })),
  ],
  [
    'usage',
    'GET',
    'usage',
    of('usage.report', ({ who, actor, query }) => ({
      ...who,
      actor,
      chatId: textIn(query, 'chatId'),
      since: textIn(query, 'since'),
      until: textIn(query, 'until'),
      by: textIn(query, 'by')?.split(','),
    })),
  ],
  ['stopAny', 'POST', 'stop', stopAny],
  ['transcribe', 'POST', 'transcribe', transcribe, { bytes: true }],
  // What is named by a chat alone comes last: the AI SDK's clients ask for it so.
  ['resume', 'GET', ':chatId/stream', resume],
  ['stop', 'POST', ':chatId/stop', stop],
].map(([name, method, path, answer, { bytes = false } = {}]) => ({
  name,
  method,
  segments: path === '' ? [] : path.split('/'),
  answer,
  bytes,
}));

/** What a path's segments say where they are those of a route; nothing where they are not. */
function match(segments, path) {
  if (segments.length !== path.length) return undefined;
  const params = {};
  for (const [place, segment] of segments.entries()) {
    if (segment.startsWith(':')) params[segment.slice(1)] = path[place];
    else if (segment !== path[place]) return undefined;
  }
  return params;
}

module.exports = { ROUTES, match };
