// Tools that say what becomes of their calls when a process dies. A second engine on the same file stands for another process.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Engine, effectStatement } from '../index.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

const script = [call('count', { a: 'k' }), answer('Counted.')];

/** Of a turn with this tool: what its code was given, and what readers were told. */
async function called(t, tool) {
  const { engine } = await world(t, script);
  let seen;
  const execute = (_, context) => {
    seen = context;
    return { n: 1 };
  };
  const turn = await engine.startTurn({ ...user, message: 'Count.', tools: { count: { ...tool, execute } } });
  const chunks = await collect(turn.chunks());
  assert.equal((await turn.done()).status, 'succeeded');
  return { seen, output: chunks.find(({ type }) => type === 'tool-output-available')?.output };
}

test('a tool with effects is given the statement by which it notes them', async (t) => {
  const { seen, output } = await called(t, { effects: true });
  assert.deepEqual(output, { n: 1 });
  assert.deepEqual(seen.effect, { key: `${seen.runId}/0/call_1`, database: 'sqlite' });
  const { sql, params } = seen.effectStatement({ result: { n: 1 } });
  assert.match(sql, /^INSERT INTO turnkeep_effects .*\?.*\?.*\?/);
  assert.deepEqual(params, [seen.effect.key, seen.runId, '{"n":1}']);
  assert.deepEqual(seen.effectStatement().params.at(2), null);
  const postgres = effectStatement({ effect: { ...seen.effect, database: 'postgres' }, schema: 'ai' });
  assert.match(postgres.sql, /^INSERT INTO "ai"\.turnkeep_effects .*\$1.*\$2.*\$3/);
  assert.equal('effectStatement' in { ...seen }, false, 'what is copied of a call is data');
});

test('a tool without effects has no statement', async (t) => {
  const { seen } = await called(t, { idempotent: { key: 'a' } });
  assert.equal(seen.idempotencyKey, 'k');
  assert.throws(() => seen.effectStatement(), TypeError);
});

test('what a tool says of itself is checked', async (t) => {
  const { engine } = await world(t, []);
  const tools = { count: { effects: true, readOnly: true, execute: () => 1 } };
  const error = await thrown(() => engine.startTurn({ ...user, message: 'x', tools }));
  assert.deepEqual([error.code, error.details.field], ['INVALID_INPUT', 'tools[0].effects']);
});

test('an idempotent tool is called again by the next engine, with the same key', async (t) => {
  const { engine, settings } = await world(t, script);
  const keys = [];
  let called;
  const waiting = new Promise((resolve) => {
    called = resolve;
  });
  const hangs = (_, { idempotencyKey }) => {
    keys.push(idempotencyKey);
    called();
    return new Promise(() => {});
  };
  const first = await Engine.open(settings);
  first.offerTools({ count: { idempotent: true, execute: hangs } });
  const turn = await engine.startTurn({ ...user, message: 'Count.', offeredTools: ['count'] });
  await waiting;
  await first.close({ graceMs: 0 });
  const next = await Engine.open(settings);
  t.after(() => next.close({ graceMs: 0 }));
  const counts = (_, { idempotencyKey }) => {
    keys.push(idempotencyKey);
    return { n: 2 };
  };
  next.offerTools({ count: { idempotent: true, execute: counts } });
  const chunks = await collect(turn.chunks());
  assert.deepEqual(chunks.find(({ type }) => type === 'tool-output-available').output, { n: 2 });
  assert.equal(keys.length, 2);
  assert.equal(keys[0], keys[1]);
});
