// Runs whose host has forgotten them: nothing is left that could drive them, in this thread or at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Worker } from 'node:worker_threads';

import { collect, user, world } from './world.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** The run once it has ended, for which garbage is collected as often as it takes. */
async function collected(engine, runId) {
  for (;;) {
    const run = await engine.runs.get({ ...user, runId });
    if (run.status !== 'running') return run;
    gc();
    await nextTurn();
  }
}

/** Begins a run and keeps of its handle what `keep` returns. */
async function begun(engine, keep = () => undefined) {
  const run = await engine.runs.begin({ ...user, message: 'go' });
  const { runId, chatId } = run;
  return { runId, chatId, kept: await keep(run) };
}

test('a run whose handle is collected is given up, and its chat is free', async (t) => {
  const { engine } = await world(t, []);
  const { runId, chatId } = await begun(engine, async (run) => void (await run.recordStep({ text: 'kept' })));
  const { status, reason, stepCount } = await collected(engine, runId);
  assert.deepEqual([status, reason, stepCount], ['aborted', 'worker_lost', 1]);
  const again = await engine.runs.begin({ ...user, chatId });
  await again.finish({ status: 'succeeded' });
});

test('one that was never driven by its handle is given up when nobody drives it by its id', async (t) => {
  const { engine } = await world(t, [], { runs: { stopDeadlineMs: 100 } });
  const { runId } = await begun(engine);
  assert.equal((await collected(engine, runId)).reason, 'worker_lost');
});

test('whatever is kept of a handle keeps the run', async (t) => {
  const { engine } = await world(t, [], { runs: { stopDeadlineMs: 100 } });
  const kept = [
    await begun(engine, (run) => run),
    await begun(engine, ({ recordStep }) => ({ recordStep })),
    await begun(engine, ({ signal }) => ({ signal })),
  ];
  const byId = await begun(engine);
  await engine.runs.recordStep({ ...user, runId: byId.runId, step: { text: 'one' } });
  const forgotten = await begun(engine, async (run) => void (await run.recordStep({ text: 'one' })));
  await collected(engine, forgotten.runId);
  const idle = await begun(engine);
  await collected(engine, idle.runId);
  for (const { runId } of [...kept, byId]) assert.equal((await engine.runs.get({ ...user, runId })).status, 'running');
  assert.equal(await kept[1].kept.recordStep({ text: 'one' }), 0);
  assert.equal(await engine.runs.recordStep({ ...user, runId: byId.runId, step: { text: 'two' } }), 1);
  const { signal } = kept[2].kept;
  const aborted = new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await engine.runs.stop({ ...user, runId: kept[2].runId });
  await aborted;
  assert.equal(signal.reason.message, 'stopped');
  await kept[0].kept.finish({ status: 'succeeded' });
});

test('a run whose worker thread has ended is given up', async (t) => {
  const { engine, settings } = await world(t, []);
  const script = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Engine } = require(workerData.package);
    (async () => {
      const engine = await Engine.open(workerData.settings);
      const run = await engine.runs.begin({ ...workerData.user, message: 'go' });
      await run.recordStep({ text: 'kept' });
      setInterval(() => run, 1000);
      parentPort.postMessage(run.runId);
    })();
  `;
  const worker = new Worker(script, {
    eval: true,
    workerData: { package: new URL('../index.js', import.meta.url).pathname, settings, user },
  });
  const runId = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  assert.equal((await engine.runs.get({ ...user, runId })).status, 'running');
  await worker.terminate();
  const tail = engine.runs.tail(runId, user);
  await collect(tail);
  assert.deepEqual([tail.end.status, tail.end.reason], ['aborted', 'worker_lost']);
});
