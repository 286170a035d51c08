// The whole HTTP response of a turn: its head in every form that hosts have, and heartbeats.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { text } from '../../examples/demo/provider.mjs';
import { answer, thrown, user, world } from './world.mjs';

/** What a client is answered when the handler has set some headers itself, and these go with the pipe. */
async function headOf(t, given) {
  const { engine } = await world(t, [answer('hi')]);
  const server = createServer(async (_, response) => {
    response.setHeader('Vary', 'origin');
    response.setHeader('Cache-Control', 'public');
    const turn = await engine.startTurn({ ...user, message: 'go' });
    await turn.pipe(response, { status: 201, headers: given });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`);
  await response.text();
  return response;
}

const forms = {
  'an object': { 'Cache-Control': 'no-store', 'X-Mine': '1', 'Set-Cookie': ['a=1', 'b=2'], 'x-absent': undefined },
  'Headers of the web': new Headers([
    ['Cache-Control', 'no-store'],
    ['X-Mine', '1'],
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ]),
  'a list of pairs': [
    ['Cache-Control', 'no-store'],
    ['X-Mine', 1],
    ['Set-Cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ],
  'a raw list': ['Cache-Control', 'no-store', 'X-Mine', '1', 'Set-Cookie', 'a=1', 'set-cookie', 'b=2'],
};

for (const [form, given] of Object.entries(forms)) {
  test(`headers are merged whatever the case of their names: ${form}`, async (t) => {
    const response = await headOf(t, given);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(response.headers.get('x-mine'), '1');
    assert.equal(response.headers.get('vary'), 'origin');
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    assert.deepEqual(response.headers.getSetCookie(), ['a=1', 'b=2']);
  });
}

test('what compresses or keeps answers on the way is told to leave this one alone', async (t) => {
  const response = await headOf(t, undefined);
  assert.equal(response.headers.get('cache-control'), 'no-cache, no-transform');
});

test('what is wrong with a pipe is said before anything is sent', async (t) => {
  const { engine } = await world(t, [answer('hi')]);
  const turn = await engine.startTurn({ ...user, message: 'go', detached: false });
  const response = Object.assign(new EventEmitter(), { headersSent: false });
  for (const [options, field] of [
    [{ headers: ['a'] }, 'headers'],
    [{ headers: 'a' }, 'headers'],
    [{ heartbeatMs: 0 }, 'heartbeatMs'],
  ]) {
    assert.equal((await thrown(() => turn.pipe(response, options))).details.field, field);
  }
  assert.equal((await thrown(() => turn.pipe({ headersSent: true }))).details.field, 'response');
  // Nobody has left who had been there.
  assert.equal((await turn.done()).status, 'succeeded');
});

/** A response whose buffer is full all the time and that, like a wrapper around one, never says `drain`. */
class Wrapped extends EventEmitter {
  written = [];
  destroyed = false;
  headersSent = false;
  writableNeedDrain = false;
  setHeader() {}
  writeHead() {}
  write(data) {
    this.written.push(String(data));
    this.emit('written');
    return false;
  }
  end(...args) {
    assert.deepEqual(args, []);
    this.emit('finish');
  }
}

test('a wrapper that never says that it has room again is not waited for', async (t) => {
  const { engine } = await world(t, [answer('hi')]);
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const response = new Wrapped();
  await turn.pipe(response);
  assert.match(response.written.join(''), /data: \[DONE\]\n\n$/);
});

test('a heartbeat comes after silence only', async (t) => {
  let say;
  async function* words() {
    for (const word of ['one', 'two', 'three']) {
      await new Promise((resolve) => (say = resolve));
      yield text(word);
    }
    await new Promise(() => {});
  }
  const { engine } = await world(t, () => ({ events: words() }));
  const turn = await engine.startTurn({ ...user, message: 'go' });
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const response = new Wrapped();
  response.write = (data) => {
    response.written.push(String(data));
    response.emit('written');
    return true;
  };
  const piped = turn.pipe(response, { heartbeatMs: 1000 });
  const pings = () => response.written.filter((data) => data.startsWith(':')).length;
  const said = async (word) => {
    while (!response.written.join('').includes(word)) await new Promise((resolve) => response.once('written', resolve));
  };
  for (const word of ['one', 'two', 'three']) {
    while (!say) await new Promise(setImmediate);
    t.mock.timers.tick(900);
    const tell = say;
    say = undefined;
    tell();
    await said(word);
    assert.equal(pings(), 0);
  }
  t.mock.timers.tick(1000);
  assert.equal(pings(), 1);
  response.destroyed = true;
  response.emit('close');
  await piped;
});

test('how a stream went is told at its end, also of one whose client left', async (t) => {
  let goOn;
  const told = new Promise((resolve) => (goOn = resolve));
  async function* slow() {
    yield text('half');
    await told;
    yield* answer(' and half');
  }
  const { engine } = await world(t, [{ events: slow() }]);
  const chatId = randomUUID();
  const reports = [];
  let reported;
  const all = new Promise((resolve) => (reported = resolve));
  const server = createServer(async (_, response) => {
    const turn = await engine.startTurn({ ...user, chatId, message: 'go' });
    reports.push(await turn.pipe(response, { heartbeatMs: 1 }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/`;
  for await (const piece of (await fetch(url)).body) if (Buffer.from(piece).toString().includes(': ping')) break;
  while (reports.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reports[0].complete, false);
  assert.ok(reports[0].heartbeats > 0 && reports[0].lastSilenceMs > 0, JSON.stringify(reports[0]));
  const run = await engine.runs.activeForChat({ ...user, chatId });
  const second = createServer(async (_, response) => {
    reports.push(await engine.runs.tail(run.id, user).pipe(response));
    reported();
  });
  await new Promise((resolve) => second.listen(0, '127.0.0.1', resolve));
  t.after(() => second.close());
  const response = await fetch(`http://127.0.0.1:${second.address().port}/`);
  goOn();
  const bytes = (await response.text()).length;
  await all;
  const { complete, firstChunkMs, elapsedMs, longestSilenceMs, bytes: counted } = reports[1];
  assert.deepEqual([complete, counted], [true, bytes]);
  assert.ok(firstChunkMs <= elapsedMs && longestSilenceMs <= elapsedMs);
});
