// `turnkeep/client`: a page goes on where its connection was cut, stops what it stops, and says what went wrong.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import * as sdk from 'ai';
import * as oldest from 'ai-6.0.134';
import * as seven from 'ai-7';
import * as newest from 'ai-newest';

import {
  ChatConnectionError,
  ChatRequestError,
  EventParser,
  TurnkeepChatTransport,
  describeChatError,
  followRun,
  resumingFetch,
} from '../client.mjs';
import { finish, reasoning, text, toolCall } from '../../examples/demo/provider.mjs';
import { listening, pageOf, randomOf, site, wire } from './site.mjs';
import { answer, collect, thrown, user } from './world.mjs';

/** Cuts altogether, over so many answers; `make cuts` asks for more. */
const CUTS = Number(process.env.CUTS ?? 60);
const ANSWERS = Number(process.env.ANSWERS ?? 4);

const versions = Object.entries({
  'ai 6.0.134': oldest,
  'ai 6.0.207': sdk,
  'the newest ai 6': newest,
  'ai 7': seven,
});
const words = (count, name) => Array.from({ length: count }, (_, place) => `${name}${place} `);

async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const shape = ({ parts }) =>
  parts.map(({ type, text: words, input, output, state }) => ({
    type,
    words,
    input,
    output,
    done: state !== 'streaming',
  }));

for (const [version, ai] of versions) {
  test(`cut at random, an answer is told once and whole: ${version}`, async (t) => {
    const random = randomOf(versions.findIndex(([name]) => name === version) + 1);
    let goOn = () => {};
    // A provider is as slow as it takes for the cuts to come.
    async function* slowly(pieces) {
      for (const piece of pieces) {
        yield piece;
        await new Promise((resolve) => {
          goOn = resolve;
          setTimeout(resolve, 2);
        });
      }
    }
    const script = (request) => {
      const called = request.messages.at(-1).role === 'tool';
      return {
        events: slowly(
          called
            ? [...words(120, 'word').map(text), ...finish('stop', 1, 1)]
            : [
                ...words(20, 'thought').map(reasoning),
                ...words(40, 'look').map(text),
                toolCall(0, `call_${request.messages.length}`, 'look', { at: 'ж'.repeat(300) }),
                ...finish('tool_calls', 1, 1),
              ],
        ),
      };
    };
    const { engine, origin } = await site(t, script, {
      engine: { tools: { look: { readOnly: true, execute: ({ at }) => ({ seen: at.length }) } } },
    });
    let left = CUTS;
    const { api, counts } = await wire(t, origin, () => {
      if (left <= 0) return Infinity;
      left -= 1;
      return 200 + Math.floor(random() * 1_300);
    });
    const transport = new TurnkeepChatTransport({ api, keepIds: true, maxWaitMs: 5, onConnection: () => goOn() });
    for (let number = 0; number < ANSWERS; number++) {
      const page = pageOf(ai, { id: `c${number}`, transport });
      await page.sendMessage({ text: 'go' });
      assert.equal(page.error, undefined, page.error?.stack);
      assert.equal(page.text(), [...words(40, 'look'), ...words(120, 'word')].join(''));
      const { messages } = await engine.chats.open({ ...user, chatId: `c${number}` });
      assert.equal(messages.length, 2);
      const { json } = { json: await (await fetch(`${origin}/api/chat/chats/c${number}`)).json() };
      assert.deepEqual(shape(page.messages.at(-1)), shape(json.messages[1]));
    }
    assert.ok(counts.cuts > Math.min(CUTS, ANSWERS) / 2, `${counts.cuts} cuts`);
    t.diagnostic(`${counts.cuts} cuts over ${ANSWERS} answers`);
  });

  test(`a page stops the run on the server, also before anything is told: ${version}`, async (t) => {
    let asked = 0;
    const { api, engine } = await site(t, () => {
      asked += 1;
      return { events: asked === 1 ? [text('half')] : [], then: 'hang' };
    });
    const transport = new TurnkeepChatTransport({ api, keepIds: true });
    const page = pageOf(ai, { id: 'c1', transport });
    const going = page.sendMessage({ text: 'go' });
    await until(() => page.messages.at(-1)?.role === 'assistant' && page.text() === 'half');
    await page.stop();
    await going;
    const ended = async (chatId) => {
      const run = await engine.runs.latestForChat({ ...user, chatId });
      return run && !['pending', 'running'].includes(run.status) && run;
    };
    assert.equal((await until(() => ended('c1'))).reason, 'stopped');

    const early = pageOf(ai, { id: 'c2', transport });
    const sending = early.sendMessage({ text: 'go' });
    await until(() => early.status === 'submitted');
    await early.stop();
    await sending;
    // Either nothing was begun, or what was begun is stopped.
    const stopped = async () => (await engine.runs.activeForChat({ ...user, chatId: 'c2' })) === null;
    await until(stopped);
  });

  test(`a page that is loaded in mid-answer has all of it, also over cuts: ${version}`, async (t) => {
    let goOn;
    const told = new Promise((resolve) => (goOn = resolve));
    async function* events() {
      yield* words(30, 'a').map(text);
      await told;
      yield* [...words(30, 'b').map(text), ...finish('stop', 1, 1)];
    }
    const { api, origin, engine } = await site(t, [{ events: events() }]);
    const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'go' });
    for await (const chunk of turn.chunks()) if (chunk.delta === 'a29 ') break;
    const random = randomOf(7);
    let left = 4;
    const cut = await wire(t, origin, () => (left-- > 0 ? 300 + Math.floor(random() * 900) : Infinity));
    const { messages } = await (await fetch(`${api}/chats/c1`)).json();
    const page = pageOf(ai, {
      id: 'c1',
      messages,
      transport: new TurnkeepChatTransport({ api: cut.api, keepIds: true }),
    });
    const resumed = page.resumeStream();
    await until(() => page.messages.at(-1)?.role === 'assistant' && page.text().endsWith('a29 '));
    goOn();
    await resumed;
    assert.equal(page.error, undefined, page.error?.stack);
    assert.equal(page.text(), [...words(30, 'a'), ...words(30, 'b')].join(''));
    // Nothing goes on any more.
    const before = page.messages.length;
    await page.resumeStream();
    assert.deepEqual([page.messages.length, page.status], [before, 'ready']);
  });
}

test('ids that the server makes are adopted', async (t) => {
  const { api, engine } = await site(t, () => answer('hi'), { engine: { chats: {} } });
  const transport = new TurnkeepChatTransport({ api });
  const page = pageOf(sdk, { id: 'a-page-s-own', transport });
  await page.sendMessage({ text: 'one' });
  await page.sendMessage({ text: 'two' });
  assert.equal(page.error, undefined);
  const { chatId, runId } = transport.idsOf('a-page-s-own');
  assert.equal((await engine.chats.messages({ ...user, chatId })).length, 4);
  assert.equal((await engine.runs.get({ ...user, runId })).chatId, chatId);
});

test('a run is followed without a framework, from any place', async (t) => {
  const { api, engine } = await site(t, [answer('one')]);
  const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'go' });
  const told = await collect(turn.chunks());
  await turn.done();
  const url = `${api}/runs/${turn.runId}/stream`;
  assert.deepEqual(await collect(followRun({ url })), told);
  assert.deepEqual(await collect(followRun({ url, after: '3' })), told.slice(4));
  const gone = await thrown(() =>
    collect(followRun({ url: `${api}/runs/01a22cae-bf8c-7353-9307-6cfd3a5bfdb2/stream` })),
  );
  assert.deepEqual([gone.status, gone.code, gone.kind], [404, 'NOT_FOUND', 'not_found']);
});

test('a stream that begins anew, or whose places are not known, repeats nothing of what was told', async (t) => {
  const sent = (chunk, head = '') => `${head}data: ${JSON.stringify(chunk)}\n\n`;
  const delta = (words) => ({ type: 'text-delta', id: 't', delta: words });
  const start = { type: 'start', messageId: 'm' };
  const begin = { type: 'text-start', id: 't' };
  const call = { type: 'tool-input-available', toolCallId: 'c', toolName: 'x', input: {} };
  const streams = [
    // Cut without a place; told anew in other pieces, and cut; the place is not known any more; and then to the end.
    [sent(start), sent(begin), sent(delta('one ')), sent(call)],
    [sent(start, 'id: 0\n'), sent(begin, 'id: 1\n'), sent(delta('on'), 'id: 2\n'), sent(delta('e two '), 'id: 3\n')],
    [
      sent(start, 'event: resync\nid: 0\n'),
      sent(begin),
      sent(delta('one two three')),
      sent(call),
      sent({ type: 'finish' }),
    ],
  ];
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(new URL(request.url, 'http://x').search);
    const last = asked.length === streams.length;
    response.writeHead(200);
    for (const event of streams[asked.length - 1]) response.write(event);
    if (last) response.end('data: [DONE]\n\n');
    else response.end();
  });
  const url = await listening(t, server);
  const chunks = await collect(followRun({ url, maxWaitMs: 1 }));
  assert.deepEqual(chunks, [start, begin, delta('one '), call, delta('two '), delta('three'), { type: 'finish' }]);
  assert.deepEqual(asked, ['?from=start', '?from=start', '?after=3']);
});

test('a connection that is silent, or that nobody answers, is given up when its time is over', async (t) => {
  const server = createServer((_, response) => response.writeHead(200).write(': nothing\n\n'));
  const url = await listening(t, server);
  const states = [];
  const run = followRun({ url, silenceMs: 20, giveUpMs: 200, onConnection: ({ state }) => states.push(state) });
  const error = await thrown(() => collect(run));
  assert.ok(error instanceof ChatConnectionError);
  assert.ok(states.length > 1 && states.every((state) => state === 'lost'));
  assert.equal(describeChatError(error).kind, 'connection');
  const nobody = await thrown(() => collect(followRun({ url: 'http://127.0.0.1:9/', giveUpMs: 50 })));
  assert.ok(nobody instanceof ChatConnectionError);
  const stop = new AbortController();
  const stopped = thrown(() => collect(followRun({ url: 'http://127.0.0.1:9/', signal: stop.signal })));
  stop.abort();
  assert.equal((await stopped).name, 'AbortError');
});

test('events are cut out of whatever pieces they come in', () => {
  const stream = ': ping\r\n\r\nid: 1\r\nevent: resync\r\ndata: a\r\ndata:b\r\n\r\ndata: c\n\nid: 2\rdata: d\r\r';
  const expected = [{ id: '1', event: 'resync', data: 'a\nb' }, { data: 'c' }, { id: '2', data: 'd' }];
  for (let size = 1; size <= stream.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...parser.push(stream.slice(at, at + size)));
    assert.deepEqual(events.concat(parser.push('\n')).slice(0, 3), expected, `pieces of ${size}`);
  }
});

test('errors are told apart', () => {
  const body = (code, kind, statusCode, details = {}) =>
    JSON.stringify({ error: { code, kind, message: `it is ${kind}`, statusCode, details } });
  const of = (message, more = {}) => Object.assign(new Error(message), more);
  const cases = [
    // Chromium, Firefox, Safari, Node, React Native, a cut in the middle.
    [of('Failed to fetch', { name: 'TypeError' }), 'connection', true],
    [of('NetworkError when attempting to fetch resource.'), 'connection', true],
    [of('Load failed'), 'connection', true],
    [of('The network connection was lost.'), 'connection', true],
    [of('fetch failed', { cause: { code: 'ECONNREFUSED' } }), 'connection', true],
    [of('terminated', { cause: { message: 'other side closed' } }), 'connection', true],
    [of('Network request failed'), 'connection', true],
    [of('network error'), 'connection', true],
    [of('Error in input stream'), 'connection', true],
    [new ChatConnectionError('gone'), 'connection', true],
    [of('aborted', { name: 'AbortError' }), 'stopped', false],
    // The AI SDK's default transport throws the body of a refusal as a message.
    [of(body('A_RUN_ALREADY_ACTIVE', 'busy', 409, { activeRunId: 'r1' })), 'busy', true],
    [of('no', { responseBody: body('RATE_LIMITED', 'limit', 429) }), 'limit', true],
    [new ChatRequestError(403, body('FORBIDDEN', 'forbidden', 403)), 'forbidden', false],
    [new ChatRequestError(500, body('INTERNAL', 'internal', 500)), 'bug', false],
    [new ChatRequestError(502, '<html>Bad Gateway</html>'), 'connection', true],
    [of("Cannot read properties of undefined (reading 'x')"), 'bug', false],
    [undefined, 'bug', false],
  ];
  for (const [error, kind, retryable] of cases) {
    const said = describeChatError(error);
    assert.deepEqual([said.kind, said.retryable], [kind, retryable], error?.message);
    assert.equal(typeof said.message, 'string');
  }
  assert.equal(describeChatError(cases[11][0]).activeRunId, 'r1');
  const failure = { kind: 'rate_limit', statusCode: 429, retryable: true, message: 'Slow down.' };
  assert.deepEqual(describeChatError(of('An error occurred.'), { metadata: { failure } }), {
    kind: 'provider',
    failure: 'rate_limit',
    message: 'Slow down.',
    retryable: true,
    status: 429,
  });
});

test('it is small', () => {
  assert.ok(gzipSync(readFileSync(new URL('../client.mjs', import.meta.url))).length <= 8 * 1024);
});

test('a fetch that goes on gives refusals on as they are, and ends when its reader does', async (t) => {
  const { api, engine } = await site(t, () => ({ events: [text('half')], then: 'hang' }));
  const goesOn = resumingFetch();
  const post = (body, signal) =>
    goesOn(`${api}/ag-ui`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal,
    });
  const refused = await post({ threadId: 'c1' });
  assert.deepEqual([refused.status, (await refused.json()).error.code], [400, 'INVALID_INPUT']);

  const input = { threadId: 'c1', runId: 'r1', messages: [{ id: 'm1', role: 'user', content: 'go' }] };
  const controller = new AbortController();
  const response = await post(input, controller.signal);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  let received = '';
  const reading = (async () => {
    for await (const piece of response.body) {
      received += Buffer.from(piece).toString();
      if (received.includes('half')) controller.abort();
    }
  })();
  await assert.rejects(reading, { name: 'AbortError' });
  // A reader that leaves stops nothing.
  assert.equal((await engine.runs.activeForChat({ ...user, chatId: 'c1' })).status, 'running');
});
