// Calls that wait for somebody, answered by an engine that does not offer their tools.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Engine } from '../index.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

test('a call waits until another engine allows it, with other arguments', async (t) => {
  const { engine, settings } = await world(t, [call('write', { page: 1 }), answer('Done.')]);
  const other = await Engine.open(settings);
  t.after(() => other.close({ graceMs: 0 }));
  const calls = [];
  const inputSchema = { type: 'object', properties: { page: { type: 'integer' } } };
  const execute = (input) => calls.push(input);
  engine.offerTools({ write: { approval: 'always', editableInput: true, inputSchema, execute } });
  const turn = await engine.startTurn({ ...user, message: 'go', offeredTools: ['write'] });
  const chunks = await collect(turn.chunks());
  assert.deepEqual(
    chunks.slice(-2).map(({ type }) => type),
    ['tool-approval-request', 'finish'],
  );
  assert.equal((await turn.done()).status, 'waiting');
  assert.deepEqual(calls, []);
  const actor = { userId: user.userId, isAdmin: false };
  const { items } = await other.runs.waiting({ workspaceId: user.workspaceId, actor });
  const [{ callId, kind, toolName, input }] = items[0].waitingFor;
  assert.deepEqual([kind, toolName, input], ['approval', 'write', { page: 1 }]);
  const { runId } = turn;
  const given = { ...user, runId, callId, approved: true, input: { page: 2 } };
  assert.deepEqual(await other.runs.answer(given), { runId, callId, waiting: 0 });
  assert.equal((await thrown(() => other.runs.answer(given))).code, 'NOT_WAITING');
  for (;;) {
    const run = await other.runs.get({ ...user, runId });
    if (run.status === 'succeeded') break;
    await collect(await other.runs.tail({ ...user, runId }));
  }
  assert.deepEqual(calls, [{ page: 2 }]);
});

test('a question and a tool of the client need no code', async (t) => {
  const { engine } = await world(t, []);
  engine.offerTools({ ask: { answerSchema: { type: 'string' } }, where: { clientSide: true } });
  assert.throws(() => engine.offerTools({ write: { approval: 'always' } }), { code: 'INVALID_INPUT' });
  assert.throws(() => engine.offerTools({ ask: { answerSchema: {}, execute: 5 } }), { code: 'INVALID_INPUT' });
});
