import assert from 'node:assert/strict';
import { test } from 'node:test';

import { buildChatJson, TurnkeepError } from '../index.mjs';
import { user, world } from './world.mjs';

const document = (messages) =>
  buildChatJson({
    title: 'Long',
    chatId: 'c',
    rows: Array.from({ length: messages }, (_, number) => ({
      role: number % 2 ? 'assistant' : 'user',
      content: `message ${number} ${'é'.repeat(40)}`,
      metadata: null,
      createdAt: new Date(1_782_909_296_000 + number).toISOString(),
    })),
  });

const withoutTime = (text) => text.replace(/^- Exported: .*$/m, '').replace(/"exportedAt":"[^"]*"/, '');

test('an export comes in pieces, and JSON makes a chat again', async (t) => {
  const { engine } = await world(t, []);
  const chat = await engine.chats.import({ ...user, document: document(3000) });
  assert.equal(chat.title, 'Long');
  const of = { ...user, chatId: chat.id };
  for (const format of ['markdown', 'json']) {
    const pieces = [];
    for await (const piece of engine.chats.exportStream({ ...of, format })) {
      assert.ok(Buffer.isBuffer(piece));
      pieces.push(piece);
    }
    assert.ok(pieces.length > 3);
    const whole = await engine.chats.export({ ...of, format });
    assert.ok(withoutTime(Buffer.concat(pieces).toString('utf8')) === withoutTime(whole));
  }
  const again = await engine.chats.import({ ...user, document: await engine.chats.export({ ...of, format: 'json' }) });
  const messages = await engine.chats.messages({ ...user, chatId: again.id });
  assert.equal(messages.length, 3000);
  assert.deepEqual(
    messages.map((message) => message.createdAt),
    (await engine.chats.messages(of)).map((message) => message.createdAt),
  );
});

test('an export may be left early, and says what is wrong at its first piece', async (t) => {
  const { engine } = await world(t, []);
  const chat = await engine.chats.import({ ...user, document: document(2000) });
  for await (const piece of engine.chats.exportStream({ ...user, chatId: chat.id })) {
    assert.match(piece.toString('utf8'), /^# Long/);
    break;
  }
  const stranger = engine.chats.exportStream({ workspaceId: 'w', userId: 'someone else', chatId: chat.id });
  await assert.rejects(stranger.next(), (error) => error instanceof TurnkeepError && error.code === 'FORBIDDEN');
  assert.deepEqual(await stranger.next(), { value: undefined, done: true });
  const broken = engine.chats.import({ ...user, document: document(2).replace('"assistant"', '"tool"') });
  await assert.rejects(broken, (error) => error.details.field === 'document.messages[1].role');
});
