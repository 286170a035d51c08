// What a page of the AI SDK's does that wants an answer anew or edits what it has written, over HTTP.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';

import * as sdk from 'ai';

import { PageState } from './site.mjs';
import { answer, thrown, user, world } from './world.mjs';

class Page extends sdk.AbstractChat {
  constructor(id, api) {
    super({ id, state: new PageState(), transport: new sdk.DefaultChatTransport({ api }) });
  }

  texts() {
    return this.messages.map(({ parts }) =>
      parts
        .filter((part) => part.type === 'text')
        .map(({ text }) => text)
        .join(''),
    );
  }
}

/** A server with the one route that hosts write. */
async function served(t, engine) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { id, messages, trigger, messageId } = JSON.parse(Buffer.concat(chunks));
    try {
      const turn = await engine.startTurn({ ...user, chatId: id, message: messages.at(-1), trigger, messageId });
      await turn.pipe(response);
    } catch (error) {
      response.writeHead(error.httpStatus ?? 500).end(error.message);
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/chat`;
}

const contents = async (engine, chatId) => {
  const rows = await engine.chats.messages({ ...user, chatId });
  return rows.map(({ content }) => content);
};

test('a page has its answer written anew, edits, and goes on', async (t) => {
  const { engine, provider } = await world(t, (_, number) => answer(`answer ${number + 1}`), { chats: { ids: 'any' } });
  const page = new Page('page-1', await served(t, engine));
  const said = () => JSON.stringify(provider.requests.at(-1).messages.slice(1));

  await page.sendMessage({ text: 'one' });
  assert.deepEqual(page.texts(), ['one', 'answer 1']);
  await page.regenerate();
  assert.deepEqual(page.texts(), ['one', 'answer 2']);
  assert.deepEqual(await contents(engine, 'page-1'), ['one', 'answer 2']);
  assert.doesNotMatch(said(), /answer 1/);

  await page.sendMessage({ text: 'two' });
  assert.deepEqual(await contents(engine, 'page-1'), ['one', 'answer 2', 'two', 'answer 3']);
  // The first message again, in other words, and once more: the page calls it by the same id for ever.
  const [{ id: messageId }] = page.messages;
  for (const text of ['uno', 'eins']) await page.sendMessage({ text, messageId });
  assert.deepEqual(page.texts(), ['eins', 'answer 5']);
  assert.deepEqual(await contents(engine, 'page-1'), ['eins', 'answer 5']);
  assert.doesNotMatch(said(), /uno|one|two|answer/);
  // An answer in the middle, by its id; what came after it goes.
  await page.sendMessage({ text: 'three' });
  await page.regenerate({ messageId: page.messages[1].id });
  assert.deepEqual(page.texts(), ['eins', 'answer 7']);
  assert.deepEqual(await contents(engine, 'page-1'), ['eins', 'answer 7']);
  await page.sendMessage({ text: 'four' });
  assert.deepEqual(await contents(engine, 'page-1'), ['eins', 'answer 7', 'four', 'answer 8']);
  assert.equal(page.error, undefined);

  // Everything that was there is a version.
  const [asked, answered, other] = await engine.chats.messages({ ...user, chatId: 'page-1' });
  const versions = async ({ id }) => {
    const found = await engine.chats.versions({ ...user, chatId: 'page-1', messageId: id });
    return found.map(({ current, message }) => [message.content, current]);
  };
  assert.deepEqual(await versions(asked), [
    ['one', false],
    ['uno', false],
    ['eins', true],
  ]);
  assert.deepEqual(await versions(answered), [
    ['answer 5', false],
    ['answer 7', true],
  ]);
  assert.deepEqual(await versions(other), [['four', true]]);
  // They are found and exported no more.
  assert.deepEqual(await engine.chats.search({ ...user, query: 'uno' }), []);
  assert.doesNotMatch(await engine.chats.export({ ...user, chatId: 'page-1' }), /uno/);
  const triggers = (await engine.runs.list({ ...user, chatId: 'page-1' })).map(({ trigger }) => trigger);
  assert.deepEqual(triggers.slice(0, 2), ['user', 'regenerate']);
});

test('what cannot be written anew is refused by its name', async (t) => {
  const { engine, provider } = await world(t, () => answer('hi'));
  const turn = await engine.startTurn({ ...user, message: 'go' });
  await turn.done();
  const [asked, answered] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  const other = await engine.startTurn({ ...user, message: 'elsewhere' });
  await other.done();
  const before = provider.requests.length;
  const again = { ...user, chatId: turn.chatId, trigger: 'regenerate-message' };
  for (const [request, code, field] of [
    [{ ...again, messageId: randomUUID() }, 'INVALID_INPUT', 'messageId'],
    [{ ...again, messageId: other.messageId }, 'INVALID_INPUT', 'messageId'],
    [{ ...again, chatId: randomUUID() }, 'INVALID_INPUT', 'messageId'],
    [{ ...user, trigger: 'regenerate-message' }, 'INVALID_INPUT', 'messageId'],
    [{ ...again, busy: 'enqueue' }, 'INVALID_INPUT', 'busy'],
    [{ ...again, trigger: 'user', messageId: answered.id, message: 'x' }, 'INVALID_INPUT', 'messageId'],
    [{ ...again, trigger: 'user', messageId: asked.id }, 'INVALID_INPUT', 'message'],
    [{ ...again, userId: 'u2' }, 'FORBIDDEN', undefined],
  ]) {
    const error = await thrown(() => engine.startTurn(request));
    assert.deepEqual([error.code, error.details.field], [code, field], JSON.stringify(request));
  }
  assert.equal(provider.requests.length, before);
  assert.deepEqual(await contents(engine, turn.chatId), ['go', 'hi']);
});

test('a host that drives its own loop generates anew, too', async (t) => {
  const { engine } = await world(t, () => answer('hi'));
  const begun = await engine.runs.begin({ ...user, message: 'go' });
  await engine.runs.recordStep({ ...user, runId: begun.runId, step: { text: 'first' } });
  await engine.runs.finish({ ...user, runId: begun.runId, status: 'succeeded' });
  const { chatId, messageId } = begun;
  const again = await engine.runs.begin({ ...user, chatId, trigger: 'regenerate-message', messageId });
  await engine.runs.recordStep({ ...user, runId: again.runId, step: { text: 'second' } });
  await engine.runs.finish({ ...user, runId: again.runId, status: 'succeeded' });
  assert.deepEqual(await contents(engine, chatId), ['go', 'second']);
});
