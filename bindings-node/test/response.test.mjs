import assert from 'node:assert/strict';
import { test } from 'node:test';

import { finish, text } from '../../examples/demo/provider.mjs';
import { answer, thrown, user, world } from './world.mjs';

const hangs = { events: [text('half')], then: 'hang' };

async function all(iterable) {
  const pieces = [];
  for await (const piece of iterable) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test('a turn and a tail are responses of the web', async (t) => {
  const { engine } = await world(t, [answer('Hello.')]);
  const turn = await engine.startTurn({ ...user, message: 'hi' });
  const response = await turn.toResponse({ status: 201, headers: { 'X-Own': 'yes', 'Cache-Control': 'no-store' } });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  assert.deepEqual([response.headers.get('x-own'), response.headers.get('cache-control')], ['yes', 'no-store']);
  assert.equal(response.headers.get('connection'), null);
  assert.equal(await response.text(), await all(turn.sse()));
  const tail = await engine.runs.tail(turn.runId, { ...user, from: 'start' }).toResponse();
  assert.equal(await tail.text(), await all(engine.runs.tail(turn.runId, { ...user, from: 'start' }).sse()));
});

test('what is wrong is said before there is a response', async (t) => {
  const { engine } = await world(t, [answer('Hello.')]);
  const turn = await engine.startTurn({ ...user, message: 'hi' });
  const wrong = await thrown(() => turn.toResponse({ heartbeatMs: 0 }));
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'heartbeatMs']);
  const foreign = await thrown(() => engine.runs.tail(turn.runId, { ...user, userId: 'other' }).toResponse());
  assert.equal(foreign.code, 'FORBIDDEN');
});

test('a client that leaves ends its response, and the run only where it is not detached', async (t) => {
  const { engine } = await world(t, [hangs, hangs]);
  for (const detached of [false, true]) {
    const turn = await engine.startTurn({ ...user, message: 'hi', detached });
    const reader = (await turn.toResponse()).body.getReader();
    let seen = '';
    while (!seen.includes('half')) seen += new TextDecoder().decode((await reader.read()).value);
    await reader.cancel();
    if (detached) {
      assert.equal((await engine.runs.get({ ...user, runId: turn.runId })).status, 'running');
      await turn.stop();
    }
    assert.equal((await turn.done()).reason, detached ? 'stopped' : 'disconnected');
  }
});

test('silence has heartbeats, one at a time', async (t) => {
  const { engine } = await world(t, [hangs]);
  const turn = await engine.startTurn({ ...user, message: 'hi' });
  const reader = (await turn.toResponse({ heartbeatMs: 5 })).body.getReader();
  let pings = 0;
  while (pings < 3) if (new TextDecoder().decode((await reader.read()).value) === ': ping\n\n') pings++;
  await turn.stop();
  let last;
  for (let read = await reader.read(); !read.done; read = await reader.read()) last = read.value;
  assert.match(new TextDecoder().decode(last), /\[DONE\]/);
});

test('closing waits for responses that are being read', async (t) => {
  const { engine } = await world(t, [[text('a'), ...finish('stop', 1, 1)]]);
  const turn = await engine.startTurn({ ...user, message: 'hi' });
  const response = await turn.toResponse();
  await turn.done();
  const [body] = await Promise.all([response.text(), engine.close({ graceMs: 10_000 })]);
  assert.match(body, /\[DONE\]/);
});
