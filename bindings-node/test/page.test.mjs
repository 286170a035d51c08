// What a page does: it opens a chat, comes back in the middle of an answer, and has ids, metadata and files of its own.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import * as sdk from 'ai';

import { Engine, rowToUiMessage } from '../index.mjs';
import { finish, text } from '../../examples/demo/provider.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

const say = (words, more) => ({ role: 'user', parts: [{ type: 'text', text: words }], ...more });

/** What `useChat` makes of the rows that it is given and the chunks that follow. */
async function shown(messages, chunks) {
  const ui = messages.map(rowToUiMessage);
  const stream = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const message = (await collect(sdk.readUIMessageStream({ stream }))).at(-1);
  return [...ui, message].map(({ role, parts }) => [
    role,
    parts.filter(({ type }) => type === 'text').map((part) => part.text),
  ]);
}

test('a chat that nobody has written in is an empty one for every question', async (t) => {
  const { engine } = await world(t, []);
  const of = { ...user, chatId: randomUUID() };
  assert.equal(await engine.runs.activeForChat(of), null);
  assert.equal(await engine.runs.latestForChat(of), null);
  assert.deepEqual(await engine.runs.list(of), []);
  assert.equal(await engine.runs.stop(of), false);
  assert.deepEqual(await engine.chats.messages(of), []);
  assert.deepEqual(await engine.chats.open(of), { messages: [], follow: null });
});

test('a chat of somebody else is refused, whatever is asked', async (t) => {
  const { engine } = await world(t, [answer('hi')]);
  const turn = await engine.startTurn({ ...user, message: 'go' });
  await turn.done();
  const of = { ...user, userId: 'u2', chatId: turn.chatId };
  for (const ask of ['activeForChat', 'latestForChat', 'list', 'stop']) {
    assert.equal((await thrown(() => engine.runs[ask](of))).code, 'FORBIDDEN');
  }
  for (const ask of ['messages', 'open']) assert.equal((await thrown(() => engine.chats[ask](of))).code, 'FORBIDDEN');
});

for (const inProgress of ['omit', 'include']) {
  test(`messages and what is followed fit together, also when the run ends in between: ${inProgress}`, async (t) => {
    let goOn;
    const told = new Promise((resolve) => (goOn = resolve));
    async function* last() {
      yield text('It is ');
      await told;
      yield* [text('warm.'), ...finish('stop', 1, 1)];
    }
    const script = [[text('Looking.'), ...call('weather')], { events: last() }];
    const { engine } = await world(t, script, { tools: { weather: { readOnly: true, execute: () => 21 } } });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    for await (const chunk of turn.chunks()) if (chunk.delta === 'It is ') break;
    const { messages, follow } = await engine.chats.open({ ...user, chatId: turn.chatId, inProgress });
    assert.equal(messages.length, inProgress === 'omit' ? 1 : 2);
    assert.deepEqual([follow.runId, follow.messageId], [turn.runId, turn.messageId]);
    assert.equal(follow.cursor === null, inProgress === 'omit');
    goOn();
    await turn.done();
    const tail = engine.runs.tail(follow.runId, { ...user, ...(follow.cursor && { after: follow.cursor }) });
    const chunks = (await collect(tail)).map(({ chunk }) => chunk);
    if (inProgress === 'omit') {
      assert.deepEqual(await shown(messages, chunks), [
        ['user', ['go']],
        ['assistant', ['Looking.', 'It is warm.']],
      ]);
    } else {
      const [, row] = messages.map(rowToUiMessage);
      assert.deepEqual(
        row.parts.filter(({ type }) => type === 'text').map((part) => part.text),
        ['Looking.'],
      );
      assert.equal(
        chunks
          .filter(({ delta }) => delta)
          .map(({ delta }) => delta)
          .join(''),
        'It is warm.',
      );
      assert.equal(chunks[0].type, 'start-step');
    }
    const after = await engine.chats.open({ ...user, chatId: turn.chatId, inProgress });
    assert.deepEqual([after.messages.length, after.follow], [2, null]);
  });
}

test('an id that is refused says which form is wanted', async (t) => {
  const { engine } = await world(t, []);
  const error = await thrown(() => engine.startTurn({ ...user, chatId: 'pp7TKWZ8MhDLRWRq', message: 'a' }));
  assert.deepEqual([error.code, error.details.field], ['INVALID_INPUT', 'chatId']);
  assert.match(error.message, /UUID/);
  const run = await thrown(() => engine.runs.get({ ...user, runId: 'x' }));
  assert.deepEqual([run.code, run.details.field], ['INVALID_INPUT', 'runId']);
  assert.match(run.message, /UUID/);
});

test('an id that a client has made up is one chat of its user, for every call', async (t) => {
  const { engine } = await world(t, () => answer('hi'), { chats: { ids: 'any' } });
  const of = { ...user, chatId: 'pp7TKWZ8MhDLRWRq' };
  const first = await engine.startTurn({ ...of, message: 'one' });
  await first.done();
  const second = await engine.startTurn({ ...of, message: 'two' });
  await second.done();
  assert.match(first.chatId, /^[\da-f]{8}-[\da-f]{4}-8/);
  assert.equal(second.chatId, first.chatId);
  assert.equal((await engine.chats.messages(of)).length, 4);
  assert.equal((await engine.chats.messages({ ...user, chatId: first.chatId })).length, 4);
  assert.equal((await engine.runs.latestForChat(of)).id, second.runId);
  assert.match(await engine.chats.export(of), /one/);
  const other = await engine.startTurn({ ...of, userId: 'u2', message: 'mine' });
  assert.notEqual(other.chatId, first.chatId);
  assert.equal(
    (await thrown(() => engine.startTurn({ ...of, chatId: 'x'.repeat(300), message: 'a' }))).details.field,
    'chatId',
  );
});

test("a client's message keeps its id and its metadata", async (t) => {
  const { engine } = await world(t, () => answer('hi'));
  const id = randomUUID();
  const turn = await engine.startTurn({ ...user, message: say('go', { id, metadata: { sentAt: 5 } }) });
  await turn.done();
  const row = (await engine.chats.messages({ ...user, chatId: turn.chatId })).find(({ role }) => role === 'user');
  assert.equal(row.id, id);
  assert.deepEqual(rowToUiMessage(row), {
    id,
    role: 'user',
    metadata: { sentAt: 5 },
    parts: [{ type: 'text', text: 'go' }],
  });
});

test('what is in the chat already is not written twice', async (t) => {
  const { engine, provider } = await world(t, () => answer('hi'));
  const chatId = randomUUID();
  for (const id of [randomUUID(), 'msg-1']) {
    const message = say('go', { id });
    await (await engine.startTurn({ ...user, chatId, message, trigger: 'submit-message' })).done();
    const asked = provider.requests.length;
    for (const more of [{}, { busy: 'enqueue' }]) {
      const { code } = await thrown(() => engine.startTurn({ ...user, chatId, message, ...more }));
      assert.equal(code, 'MESSAGE_EXISTS');
    }
    assert.equal(provider.requests.length, asked);
  }
  assert.equal((await engine.chats.messages({ ...user, chatId })).length, 4);
});

test('the id of a message in a chat of somebody else is free for everybody', async (t) => {
  const { engine } = await world(t, () => answer('hi'));
  const message = say('go', { id: randomUUID() });
  const mine = await engine.startTurn({ ...user, message });
  await mine.done();
  const theirs = await engine.startTurn({ ...user, userId: 'u2', chatId: randomUUID(), message });
  await theirs.done();
  assert.equal((await engine.chats.messages({ ...user, userId: 'u2', chatId: theirs.chatId })).length, 2);
  assert.equal((await engine.chats.messages({ ...user, chatId: mine.chatId })).length, 2);
});

test('files are taken that the driver has a form for, and a refusal names those', async (t) => {
  const { engine, provider } = await world(t, () => answer('hi'), {});
  const attach = (mediaType) =>
    say('What is it?', {
      parts: [
        { type: 'file', mediaType, url: `data:${mediaType};base64,aGVsbG8=`, filename: 'a' },
        { type: 'text', text: '?' },
      ],
    });
  for (const mediaType of ['application/pdf', 'text/plain', 'text/markdown', 'audio/wav', 'audio/mpeg', 'image/png']) {
    const turn = await engine.startTurn({ ...user, message: attach(mediaType) });
    assert.equal((await turn.done()).status, 'succeeded', mediaType);
  }
  const asked = provider.requests.length;
  for (const [mediaType, code] of [
    ['video/mp4', 'UNSUPPORTED_MEDIA'],
    ['audio/ogg', 'UNSUPPORTED_MEDIA'],
    ['application/zip', 'INVALID_INPUT'],
  ]) {
    const error = await thrown(() => engine.startTurn({ ...user, message: attach(mediaType) }));
    assert.deepEqual([error.code, error.details.field], [code, 'message.parts[0].mediaType']);
    assert.match(error.message, /image\/\*.*application\/pdf/);
  }
  const provider_ = { driver: 'ollama', model: 'm', baseUrl: provider.baseUrl };
  const error = await thrown(() =>
    engine.startTurn({ ...user, message: attach('application/pdf'), provider: provider_ }),
  );
  assert.match(error.message, /takes image\/\* only/);
  assert.equal(provider.requests.length, asked);
});

const refusal = { status: 401, body: '{"error":{"message":"key of org-77 is gone"},"account":"org-77"}' };

/** What a page is told of the failure of a turn, by every way that there is. */
async function toldOf(t, errorText) {
  const { engine } = await world(t, [refusal], { errorText });
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const { error, failure } = await turn.done();
  assert.match(error, /org-77/);
  assert.equal(failure.message, error);
  const of = { ...user, runId: turn.runId };
  const fromSse = async (events) =>
    Buffer.concat(await collect(events))
      .toString()
      .split('\n\n')
      .filter((event) => event.includes('data: {'))
      .map((event) => JSON.parse(event.slice(event.indexOf('{'))));
  const streams = [
    await collect(turn.chunks()),
    await fromSse(turn.sse()),
    await fromSse((await turn.toResponse()).body),
    await fromSse((await engine.runs.tail(of).toResponse()).body),
    (await collect(engine.runs.tail(of))).map(({ chunk }) => chunk),
    await fromSse(engine.runs.tail(of).sse()),
  ];
  const told = streams.map((chunks) => {
    const { messageMetadata: how } = chunks.find(({ messageMetadata }) => messageMetadata?.failure);
    assert.equal(how.error, how.failure.message);
    assert.equal(chunks.find(({ type }) => type === 'error').errorText, how.error);
    return how.error;
  });
  const { messages } = await engine.chats.open({ ...user, chatId: turn.chatId });
  for (const rows of [messages, await engine.chats.messages({ ...user, chatId: turn.chatId })]) {
    assert.match(rows[1].metadata.error, /org-77/);
    const { metadata } = rowToUiMessage(rows[1]);
    assert.equal(metadata.error, metadata.failure.message);
    told.push(metadata.error);
  }
  assert.equal(new Set(told).size, 1, told.join());
  return { told: told[0], error };
}

test('what a provider said is not told to pages unless the host asks', async (t) => {
  const safe = 'The AI provider refused the request: authentication failed (401).';
  assert.equal((await toldOf(t)).told, safe);
  assert.equal((await toldOf(t, 'safe')).told, safe);
  const { told, error } = await toldOf(t, 'provider');
  assert.equal(told, error);
});

test('a host makes the sentence that pages are told, and what it does wrong is in nobody\u2019s way', async (t) => {
  const seen = [];
  const { told, error } = await toldOf(t, (failure) => {
    seen.push(failure);
    return `Sorry: ${failure.kind}, "${failure.statusCode}"\n`;
  });
  assert.equal(told, 'Sorry: authentication, "401"\n');
  assert.deepEqual(seen[0], { kind: 'authentication', statusCode: 401, retryable: false, message: error });
  for (const wrong of [
    () => undefined,
    () => 5,
    () => {
      throw new Error('no');
    },
  ]) {
    assert.match((await toldOf(t, wrong)).told, /authentication failed/);
  }
  const refused = await thrown(() => Engine.open({ store: 'sqlite::memory:', errorText: 'all' }));
  assert.deepEqual([refused.code, refused.details.field], ['INVALID_INPUT', 'errorText']);
});

test('a large output is after a reload what it was while it came, and keeps its shape where it is too large', async (t) => {
  const records = Array.from({ length: 300 }, (_, id) => ({ id, title: `Page ${id}`, snippet: 'words '.repeat(10) }));
  for (const shownOutputBytes of [undefined, 2_000]) {
    const search = { readOnly: true, shownOutputBytes, execute: () => records };
    const { engine } = await world(t, [call('search'), answer('ok')], { tools: { search } });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    const chunks = await collect(turn.chunks());
    await turn.done();
    const stream = new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(chunk);
        controller.close();
      },
    });
    const live = (await collect(sdk.readUIMessageStream({ stream }))).at(-1);
    const [, row] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    const reloaded = rowToUiMessage(row);
    const output = ({ parts }) => parts.find(({ type }) => type === 'tool-search').output;
    assert.deepEqual(output(live), output(reloaded));
    assert.deepEqual(output(reloaded), records.slice(0, output(reloaded).length));
    assert.equal(output(reloaded).length === records.length, shownOutputBytes === undefined);
    const truncated = shownOutputBytes && { call_1: JSON.stringify(records).length };
    for (const { metadata } of [live, reloaded]) assert.deepEqual(metadata.truncatedOutputs, truncated);
  }
});

test('why an answer ends is in the metadata of its message, streamed and from the row', async (t) => {
  const script = [
    { events: [text('half')], then: 'hang' },
    { status: 500, body: '{"error":{"message":"no"}}' },
    answer('hi'),
  ];
  const { engine } = await world(t, script);
  const stopped = await engine.startTurn({ ...user, message: 'one' });
  for await (const chunk of stopped.chunks()) if (chunk.delta) break;
  await stopped.stop();
  for (const [turn, expected] of [
    [stopped, { status: 'aborted', reason: 'stopped' }],
    [await engine.startTurn({ ...user, message: 'two' }), { status: 'error', reason: 'provider_error' }],
    [await engine.startTurn({ ...user, message: 'three' }), { status: 'completed', reason: undefined }],
  ]) {
    await turn.done();
    const chunks = await collect(turn.chunks());
    const streamed = Object.assign({}, ...chunks.map(({ messageMetadata }) => messageMetadata));
    const reading = chunks.findIndex(({ type }) => ['error', 'abort', 'finish'].includes(type));
    assert.ok(chunks.findIndex(({ messageMetadata }) => messageMetadata?.status) <= reading);
    const row = (await engine.chats.messages({ ...user, chatId: turn.chatId })).find(
      ({ role }) => role === 'assistant',
    );
    for (const { status, reason } of [streamed, rowToUiMessage(row).metadata])
      assert.deepEqual({ status, reason }, expected);
    assert.equal(rowToUiMessage(row).metadata.error, streamed.error);
  }
});
