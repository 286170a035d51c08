// The page that a user has open, which the host checks.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Engine } from '../index.mjs';
import { answer, call, thrown, user, world } from './world.mjs';

/** Turns in which the model asks for the page and answers then. */
const script = (_, number) => (number % 2 === 0 ? call('getCurrentPage') : answer('ok'));

/** What the model is told of the page, in the prompt and by the tool. */
async function told({ engine, provider }, openPage) {
  const turn = await engine.startTurn({ ...user, message: 'What is this?', openPage, pageTool: true });
  assert.equal((await turn.done()).status, 'succeeded');
  const [first, second] = provider.requests.slice(-2);
  return [first.messages[0].content.includes('(pageId: '), JSON.parse(second.messages.at(-1).content)];
}

test('only what the check gives counts', async (t) => {
  const turns = await world(t, script);
  const opened = { id: 'p1', title: "The client's" };
  assert.deepEqual(await told(turns, opened), [true, { page: opened }]);
  const asked = [];
  turns.engine.checkPages(async (given, context) => {
    asked.push([given, context.toolName]);
    return { id: 'p1', title: 'Its own' };
  });
  assert.deepEqual(await told(turns, opened), [true, { page: { id: 'p1', title: 'Its own' } }]);
  assert.deepEqual(asked, [[{ ...user, page: opened }, 'checkOpenPage']]);
  // One after another takes the place of the one before.
  const none = [() => null, () => undefined, () => 'p1', () => Promise.reject(new Error('no'))];
  for (const check of none) {
    turns.engine.checkPages(check);
    assert.deepEqual(await told(turns, opened), [false, { page: null }]);
  }
  assert.deepEqual(await told(turns, undefined), [false, { page: null }]);
  assert.equal(asked.length, 1);
});

test('a check is a function, and ends with its engine', async () => {
  const engine = await Engine.open({ store: 'sqlite::memory:' });
  const wrong = await thrown(async () => engine.checkPages({}));
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'check']);
  engine.checkPages(() => null);
  await engine.close();
  assert.equal((await thrown(async () => engine.checkPages(() => null))).code, 'ENGINE_CLOSED');
});
