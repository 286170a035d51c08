// Logs that other processes follow, busy chats, keys, and runs that the host drives. A second engine on the same file
// stands for another process.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import * as oldest from 'ai';
import { MockLanguageModelV3, simulateReadableStream } from 'ai/test';
import * as newest from 'ai-newest';

import { finish, reasoning, text, toolCall } from '../../examples/demo/provider.mjs';
import { Engine, RunTail, TurnkeepError } from '../index.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

const tools = { weather: { execute: ({ city }) => ({ city, tempC: 21 }) } };
const hanging = () => ({ events: [text('half')], then: 'hang' });
const plain = (value) => JSON.parse(JSON.stringify(value));

/** A world with a second engine on the same file. */
async function pair(t, script, options = {}) {
  const { engine, settings, ...rest } = await world(t, script, options);
  const other = await Engine.open(settings);
  t.after(() => other.close({ graceMs: 0 }));
  return { engine, other, ...rest };
}

/** Something that the test opens when it is time. */
function gate() {
  let open;
  const opened = new Promise((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** A first step with a call; then an answer whose second half waits for the gate. */
function gated() {
  const { open, opened } = gate();
  async function* second() {
    yield text('First half, ');
    await opened;
    for (let word = 0; word < 40; word += 1) yield text(`word ${word} `);
    yield* finish('stop', 10, 5);
  }
  const first = [reasoning('Hm.'), text('Looking. '), toolCall(0, 'a', 'weather', { city: 'Oslo' })];
  const script = (_, number) => [[...first, ...finish('tool_calls', 20, 8)], { events: second() }][number];
  return { script, open };
}

/** Reads until a chunk has this text. */
async function until(iterator, words) {
  const items = [];
  for (;;) {
    const { value, done } = await iterator.next();
    assert.ok(!done, `no "${words}" in ${JSON.stringify(items)}`);
    items.push(value);
    if (JSON.stringify(value).includes(words)) return items;
  }
}

async function reduced(sdk, chunks) {
  const stream = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  return plain((await collect(sdk.readUIMessageStream({ stream }))).at(-1));
}

/** Newer reducers name reasoning blocks. */
const comparable = ({ id: _, ...part }) => part;

async function served(t, handler) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}/chat`;
}

for (const [version, sdk] of Object.entries({ 'ai 6.0.207': oldest, 'the newest ai 6': newest })) {
  test(`${version}: a turn is followed from another process, live and exactly`, async (t) => {
    const { script, open } = gated();
    const { engine, other } = await pair(t, script, { tools });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    const { runId } = turn;
    const tails = [engine, other].flatMap((reader) => [
      reader.runs.tail({ ...user, runId, from: 'start' }),
      reader.runs.tail(runId, user),
    ]);
    const begun = await Promise.all(tails.map((tail) => until(tail, 'First half, ')));
    assert.ok(tails.every((tail) => tail.end === null));
    open();
    const direct = await collect(turn.chunks());
    await turn.done();
    const logs = await Promise.all(tails.map(async (tail, place) => [...begun[place], ...(await collect(tail))]));
    const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
    for (const [place, items] of logs.entries()) {
      assert.deepEqual(tails[place].end, { status: 'succeeded', reason: null, error: null });
      assert.ok(items.every((item) => item.resync === undefined));
      const chunks = items.map(({ chunk }) => chunk);
      for (const chunk of chunks) assert.ok((await schema.validate(chunk)).success, JSON.stringify(chunk));
      assert.deepEqual([chunks[0], chunks.at(-1)], [direct[0], direct.at(-1)]);
      assert.deepEqual((await reduced(sdk, chunks)).parts.map(comparable), message.metadata.parts);
    }
    const [log, snapshot] = logs;
    assert.deepEqual(
      log.map(({ cursor }) => cursor),
      log.map((_, place) => String(place)),
    );
    assert.deepEqual(log, logs[2]);
    for (const place of [0, 5, log.length - 2, log.length - 1]) {
      const after = place % 2 ? log[place].cursor : Number(log[place].cursor);
      assert.deepEqual(await collect(other.runs.tail({ ...user, runId, after })), log.slice(place + 1));
    }
    for (const place of [1, 4]) {
      const { cursor: after } = snapshot[place];
      const again = [...snapshot.slice(0, place + 1), ...(await collect(other.runs.tail({ ...user, runId, after })))];
      const chunks = again.map(({ chunk }) => chunk);
      assert.deepEqual((await reduced(sdk, chunks)).parts.map(comparable), message.metadata.parts);
    }
  });

  test(`${version}: an unmodified client resumes in another process`, async (t) => {
    const { script, open } = gated();
    const { engine, other } = await pair(t, script, { tools });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    await until(turn.chunks(), 'First half, ');
    const bodies = [];
    const api = await served(t, async (request, response) => {
      const [, , chatId] = request.url.split('/');
      const run = await other.runs.activeForChat({ ...user, chatId });
      if (run === null) return response.writeHead(204).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for await (const bytes of other.runs.tail({ ...user, runId: run.id }).sse()) {
        bodies.push(bytes);
        response.write(bytes);
      }
      response.end();
    });
    const transport = new sdk.DefaultChatTransport({ api });
    const stream = await transport.reconnectToStream({ chatId: turn.chatId });
    const reader = stream.getReader();
    const chunks = [];
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      chunks.push(value);
      if (JSON.stringify(value).includes('First half, ')) open();
    }
    await turn.done();
    const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    const client = await reduced(sdk, chunks);
    assert.equal(client.id, message.id);
    assert.deepEqual(client.parts.map(comparable), message.metadata.parts);
    const body = Buffer.concat(bodies).toString();
    assert.match(body, /^id: 0\ndata: \{"type":"start"/);
    assert.ok(body.endsWith('\n\ndata: [DONE]\n\n'));
    // Nothing to resume any more.
    assert.equal(await transport.reconnectToStream({ chatId: turn.chatId }), null);
  });
}

test('a tail is piped, ends early without stopping anything, and says what is wrong', async (t) => {
  const { engine, other } = await pair(t, hanging);
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const { runId } = turn;
  const { open: settle, opened: settled } = gate();
  const url = await served(t, (_, response) => {
    other.runs
      .tail({ ...user, runId })
      .pipe(response, { headers: { 'x-mine': '1' }, heartbeatMs: 5 })
      .then(settle, settle);
  });
  const response = await fetch(url);
  assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  assert.equal(response.headers.get('x-mine'), '1');
  const body = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let received = '';
  while (!received.includes('half') || !received.includes(': ping\n\n')) received += (await body.read()).value;
  await body.cancel();
  assert.equal((await settled).complete, false);

  for await (const { chunk } of other.runs.tail({ ...user, runId })) if (chunk.type === 'text-delta') break;
  // Who waits when the tail is closed is at the end, in both forms.
  for (const form of [(tail) => tail, (tail) => tail.sse()]) {
    const tail = other.runs.tail({ ...user, runId });
    const reader = form(tail);
    assert.equal((await reader.next()).done, false);
    const pending = Array.from({ length: 90 }, () => reader.next());
    tail.close();
    assert.equal((await Promise.all(pending)).at(-1).done, true);
    assert.equal(tail.end, null);
  }
  const unused = other.runs.tail({ ...user, runId });
  unused.close();
  assert.deepEqual(await collect(unused), []);
  assert.equal((await engine.runs.get({ ...user, runId })).status, 'running');

  const failure = async (...params) => {
    const tail = other.runs.tail(...params);
    assert.ok(tail instanceof RunTail);
    const error = await thrown(() => tail.next());
    assert.ok(error instanceof TurnkeepError);
    return [error.code, error.details.field];
  };
  assert.deepEqual(await failure(runId, { ...user, userId: 'u2' }), ['FORBIDDEN', undefined]);
  assert.deepEqual(await failure(runId, { ...user, after: 'x' }), ['INVALID_INPUT', 'after']);
  assert.deepEqual(await failure(runId, { ...user, after: 1, from: 'start' }), ['INVALID_INPUT', 'from']);
  assert.deepEqual(await failure(runId, { ...user, from: 'end' }), ['INVALID_INPUT', 'from']);
  assert.deepEqual(await failure({ ...user }), ['INVALID_INPUT', 'runId']);
  assert.deepEqual(await failure(), ['INVALID_INPUT', 'workspaceId']);
  // Before anything is sent, so that the host can still answer with a status.
  const head = {};
  const refused = await thrown(() => other.runs.tail(runId, { ...user, userId: 'u2' }).pipe(head));
  assert.equal(refused.code, 'FORBIDDEN');

  const cut = other.runs.tail({ ...user, runId });
  await until(cut, 'half');
  const waiting = thrown(() => cut.next());
  await other.close({ graceMs: 0 });
  assert.equal((await waiting).code, 'ENGINE_CLOSED');
  await turn.stop();
});

test('a turn that waits begins when the chat is free', async (t) => {
  const script = (_, number) => [hanging(), answer('Second.'), answer('Third.')][number];
  const { engine, other } = await pair(t, script);
  const first = await engine.startTurn({ ...user, message: 'one' });
  await until(first.chunks(), 'half');
  const { chatId } = first;
  const second = await engine.startTurn({ ...user, chatId, message: 'two', busy: 'enqueue' });
  const third = await other.startTurn({ ...user, chatId, message: 'three', busy: 'enqueue' });
  const runs = await other.runs.list({ ...user, chatId });
  assert.deepEqual(
    runs.map(({ id, status }) => [id, status]),
    [
      [third.runId, 'pending'],
      [second.runId, 'pending'],
      [first.runId, 'running'],
    ],
  );
  assert.equal((await other.runs.list({ ...user, chatId, limit: 1 })).length, 1);
  assert.equal((await engine.runs.activeForChat({ ...user, chatId })).id, first.runId);
  const following = collect(other.runs.tail({ ...user, runId: second.runId }));
  assert.equal(await other.runs.stop({ ...user, runId: first.runId }), true);
  for (const turn of [second, third]) assert.equal((await turn.done()).status, 'succeeded');
  assert.ok((await following).some(({ chunk }) => chunk.delta === 'Second.'));
  const messages = await engine.chats.messages({ ...user, chatId });
  assert.deepEqual(
    messages.map(({ content }) => content),
    ['one', 'half', 'two', 'Second.', 'three', 'Third.'],
  );
  assert.equal(await engine.runs.activeForChat({ ...user, chatId }), null);
  assert.equal(await engine.runs.sweep(), 0);
  const { store, notifications, activeRuns } = await engine.health();
  await assert.rejects(Engine.pendingMigrations('sqlite:x'), { code: 'INVALID_INPUT', details: { field: 'store' } });
  await assert.rejects(Engine.pendingMigrations('postgres://127.0.0.1:1/x'), { code: 'STORE_UNAVAILABLE' });
  assert.deepEqual([store.kind, store.ok, notifications.state, activeRuns], ['sqlite', true, 'none', 0]);
});

test('a run is superseded by name only', async (t) => {
  const script = (_, number) => [hanging(), answer('Instead.'), hanging()][number];
  const { engine, other } = await pair(t, script);
  const first = await engine.startTurn({ ...user, message: 'one' });
  await until(first.chunks(), 'half');
  const { chatId } = first;
  const instead = (runId) => other.startTurn({ ...user, chatId, message: 'two', busy: { supersede: runId } });
  const invalid = await thrown(() => instead('01a2052e-08df-745a-b3b9-43ac3431e4d5'));
  assert.deepEqual([invalid.code, invalid.details], ['SUPERSEDE_INVALID', { field: 'busy.supersede' }]);
  const second = await instead(first.runId);
  assert.equal((await first.done()).reason, 'superseded');
  assert.equal((await second.done()).status, 'succeeded');
  const third = await engine.startTurn({ ...user, chatId, message: 'three' });
  const mismatch = await thrown(() => instead(first.runId));
  assert.equal(mismatch.code, 'SUPERSEDE_TARGET_MISMATCH');
  assert.equal(mismatch.httpStatus, 409);
  assert.deepEqual(mismatch.details, { activeRunId: third.runId });
  await third.stop();
  const wrong = await thrown(() => engine.startTurn({ ...user, chatId, message: 'x', busy: 'whatever' }));
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'busy']);
});

test('a stop by its key may come before the turn, and lists have pages', async (t) => {
  const { engine } = await world(t, [answer('one'), answer('two')]);
  assert.equal(await engine.runs.stop({ ...user, idempotencyKey: 'early' }), true);
  const stopped = await engine.startTurn({ ...user, message: 'go', idempotencyKey: 'early' });
  assert.equal((await stopped.done()).reason, 'stopped');
  const { chatId } = stopped;
  for (const message of ['a', 'b']) await (await engine.startTurn({ ...user, chatId, message })).done();
  const all = await engine.chats.messages({ ...user, chatId });
  const page = await engine.chats.messages({ ...user, chatId, limit: 2, before: all[4].id });
  assert.deepEqual(page, all.slice(2, 4));
  const runs = await engine.runs.list({ ...user, chatId });
  assert.deepEqual(await engine.runs.list({ ...user, chatId, before: runs[0].id, limit: 1 }), [runs[1]]);
  assert.equal((await engine.chats.open({ ...user, chatId, limit: 1 })).messages.length, 1);
});

test('a key makes one turn, whose chunks both callers have', async (t) => {
  const { script, open } = gated();
  const { engine, other, provider } = await pair(t, script, { tools });
  const request = { ...user, message: 'go', idempotencyKey: 'k1' };
  const first = await engine.startTurn(request);
  assert.equal(first.repeated, false);
  await until(first.chunks(), 'First half, ');
  const again = await other.startTurn(request);
  assert.deepEqual(
    [again.repeated, again.runId, again.chatId, again.messageId],
    [true, first.runId, first.chatId, first.messageId],
  );
  const following = collect(again.chunks());
  open();
  const [a, b] = await Promise.all([following, collect(first.chunks())]);
  assert.deepEqual((await reduced(oldest, a)).parts, (await reduced(oldest, b)).parts);
  assert.deepEqual(await again.done(), await first.done());
  assert.ok(
    Buffer.concat(await collect(again.sse()))
      .toString()
      .endsWith('data: [DONE]\n\n'),
  );
  assert.equal(provider.requests.length, 2);
  const empty = await thrown(() => engine.startTurn({ ...request, idempotencyKey: '' }));
  assert.equal(empty.details.field, 'idempotencyKey');
});

test('a host keeps its own loop', async (t) => {
  const { engine, other } = await pair(t, []);
  const run = await engine.runs.begin({ ...user, message: 'go', idempotencyKey: 'h' });
  assert.equal(run.repeated, false);
  const { runId, chatId } = run;
  const busy = await thrown(() => engine.runs.begin({ ...user, chatId }));
  assert.deepEqual([busy.code, busy.details], ['A_RUN_ALREADY_ACTIVE', { activeRunId: runId }]);
  const queued = await thrown(() => engine.runs.begin({ ...user, busy: 'enqueue' }));
  assert.deepEqual([queued.code, queued.details.field], ['INVALID_INPUT', 'busy']);
  assert.equal((await engine.runs.begin({ ...user, idempotencyKey: 'h' })).repeated, true);

  const tail = other.runs.tail({ ...user, runId });
  const step = {
    text: 'Looking. ',
    toolCalls: [
      { toolCallId: 'a', toolName: 'weather', input: { city: 'Oslo' } },
      { toolCallId: 'b', toolName: 'time', input: {} },
    ],
    toolResults: [{ toolCallId: 'a', output: { tempC: 21 } }],
    toolErrors: [{ toolCallId: 'b', error: new RangeError('no clock') }],
    finishReason: 'tool-calls',
  };
  assert.equal(await run.recordStep(step), 0);
  assert.equal(await engine.runs.recordStep({ ...user, runId, step: { ...step, number: 0 } }), 0);
  await until(tail, 'no clock');
  const wrong = await thrown(() =>
    run.recordStep({
      content: [
        { type: 'text', text: 'x' },
        { type: 'tool-call', toolCallId: 'c' },
      ],
    }),
  );
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'step.content[1].toolName']);
  assert.equal((await thrown(() => run.finish({ status: 'running' }))).details.field, 'status');
  assert.equal((await thrown(() => other.runs.recordStep({ ...user, runId, step }))).code, 'LEASE_LOST');
  await run.finish({ status: 'succeeded', step: { text: 'Done.', finishReason: 'stop' } });
  await run.finish({ status: 'succeeded' });
  assert.equal((await thrown(() => run.recordStep(step))).code, 'LEASE_LOST');
  assert.equal(await engine.runs.signal({ ...user, runId }), 'settled');
  assert.equal(run.signal.aborted, false);
  const rest = (await collect(tail)).map(({ chunk }) => chunk);
  assert.ok(rest.some(({ delta }) => delta === 'Done.'));
  assert.equal(tail.end.status, 'succeeded');
  const [, message] = await other.chats.messages({ ...user, chatId });
  assert.equal(message.content, 'Looking. Done.');
  assert.equal(message.metadata.parts.find(({ toolCallId }) => toolCallId === 'b').errorText, 'no clock');
});

test("a host's loop is told to stop, by a person, another run and the end of its engine", async (t) => {
  const { engine, other } = await pair(t, [], { runs: { stopPollMs: 20, supersedeTimeoutMs: 20_000 } });
  const aborted = (signal) =>
    signal.aborted
      ? signal.reason
      : new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason)));
  const run = await engine.runs.begin({ ...user, message: 'go' });
  const { chatId } = run;
  assert.equal(await other.runs.stop({ ...user, chatId }), true);
  const reason = await aborted(run.signal);
  assert.deepEqual([reason.name, reason.message], ['AbortError', 'stopped']);
  await run.finish({ status: 'aborted', step: { text: 'half' } });
  assert.equal((await other.runs.get({ ...user, runId: run.runId })).reason, 'stopped');

  const second = await engine.runs.begin({ ...user, chatId });
  const superseding = other.runs.begin({ ...user, chatId, busy: { supersede: second.runId } });
  assert.equal((await aborted(second.signal)).message, 'superseded');
  await second.finish({ status: 'aborted' });
  const third = await superseding;
  assert.equal((await engine.runs.get({ ...user, runId: second.runId })).reason, 'superseded');

  await third.recordStep({ text: 'kept' });
  await other.close({ graceMs: 0 });
  assert.equal((await aborted(third.signal)).message, 'shutdown');
  const ended = await engine.runs.get({ ...user, runId: third.runId });
  assert.deepEqual([ended.status, ended.reason], ['aborted', 'shutdown']);
  // What belongs to another process, or to nobody.
  assert.equal(await engine.runs.signal({ ...user, runId: third.runId }), 'settled');
  assert.equal((await thrown(() => engine.runs.signal({ ...user, runId: 'x' }))).details.field, 'runId');
  assert.equal((await thrown(() => engine.runs.signal())).code, 'INVALID_INPUT');
});

test("the AI SDK's own loop is recorded as it goes, and stopped in the middle", async (t) => {
  const { engine, other } = await pair(t, [], { runs: { stopPollMs: 20 } });
  const usage = { inputTokens: { total: 3 }, outputTokens: { total: 4 } };
  const answers = [
    [
      { type: 'tool-call', toolCallId: 'a', toolName: 'broken', input: '{}' },
      { type: 'finish', finishReason: { unified: 'tool-calls' }, usage },
    ],
    [
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'Sorry.' },
      { type: 'text-end', id: '1' },
      { type: 'finish', finishReason: { unified: 'stop' }, usage },
    ],
  ];
  const calls = [];
  const model = new MockLanguageModelV3({
    doStream: async ({ abortSignal }) => {
      calls.push(abortSignal);
      const chunks = answers[calls.length - 1];
      if (chunks) return { stream: simulateReadableStream({ chunks }) };
      return new Promise((_, reject) => abortSignal.addEventListener('abort', () => reject(abortSignal.reason)));
    },
  });
  const loop = async (run) => {
    const errors = [];
    const result = oldest.streamText({
      model,
      prompt: 'go',
      tools: {
        broken: oldest.tool({
          inputSchema: oldest.jsonSchema({ type: 'object' }),
          execute: () => {
            throw new Error('it broke');
          },
        }),
      },
      stopWhen: oldest.stepCountIs(5),
      abortSignal: run.signal,
      onStepFinish: (step) => run.recordStep(step),
      onError: ({ error }) => void errors.push(error),
    });
    await result.consumeStream();
    return errors;
  };
  const run = await engine.runs.begin({ ...user, message: 'go' });
  assert.deepEqual(await loop(run), []);
  await run.finish({ status: 'succeeded' });
  const [, message] = await other.chats.messages({ ...user, chatId: run.chatId });
  assert.equal(message.content, 'Sorry.');
  assert.equal(message.metadata.parts[1].errorText, 'it broke');
  assert.deepEqual([message.metadata.usage.inputTokens, message.metadata.finishReason], [6, 'stop']);

  const stopped = await engine.runs.begin({ ...user, chatId: run.chatId });
  const looping = loop(stopped);
  await other.runs.stop({ ...user, runId: stopped.runId });
  // A stop is an abort to the SDK, not an error.
  assert.deepEqual(await looping, []);
  assert.equal(stopped.signal.aborted, true);
  await stopped.finish({ status: 'aborted' });
});

for (const [version, sdk] of Object.entries({ 'ai 6.0.207': oldest, 'the newest ai 6': newest })) {
  test(`${version}: what a generator yields is shown as preliminary results, here and elsewhere`, async (t) => {
    const { open, opened } = gate();
    const search = {
      readOnly: true,
      async *execute() {
        yield { hits: 0 };
        await opened;
        yield { hits: 2 };
      },
    };
    const { engine, other } = await pair(t, [[...call('search')], answer('ok')], { tools: { search } });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    const { runId } = turn;
    const chunks = turn.chunks();
    const tail = other.runs.tail({ ...user, runId, from: 'start' });
    const live = await until(chunks, 'preliminary');
    const followed = await until(tail, 'preliminary');
    open();
    live.push(...(await collect(chunks)));
    followed.push(...(await collect(tail)));
    const logs = [live, followed.map(({ chunk }) => chunk)];
    logs.push((await collect(other.runs.tail(runId, user))).map(({ chunk }) => chunk));
    const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
    const [, row] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    for (const [place, log] of logs.entries()) {
      for (const chunk of log) assert.ok((await schema.validate(chunk)).success, JSON.stringify(chunk));
      const shown = log.filter(({ type }) => type === 'tool-output-available');
      const preliminary = shown.slice(0, -1);
      assert.ok(preliminary.every((chunk) => chunk.preliminary === true));
      if (place < 2) assert.deepEqual(preliminary[0].output, { hits: 0 });
      else assert.deepEqual(preliminary, [], 'a snapshot tells what it came to');
      assert.deepEqual(shown.at(-1), { type: 'tool-output-available', toolCallId: 'call_1', output: { hits: 2 } });
      assert.deepEqual((await reduced(sdk, log)).parts.map(comparable), row.metadata.parts);
    }
    assert.deepEqual(row.metadata.parts[1].output, { hits: 2 });
  });
}

test('a run that is stopped while a tool shows what it has keeps no half outcome', async (t) => {
  const tools = {
    search: {
      async *execute(_, { signal }) {
        yield { hits: 0 };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
  };
  const { engine } = await world(t, [call('search')], { tools });
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const chunks = turn.chunks();
  await until(chunks, 'preliminary');
  await turn.stop();
  const rest = await collect(chunks);
  assert.equal(rest.filter(({ type }) => type === 'tool-output-error').length, 1);
  const [, row] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  assert.equal(row.metadata.parts[1].errorText, 'The tool call did not complete.');
});

test('options of runs reach the engine', async (t) => {
  const given = {
    tailPollMs: 5,
    chunkRetentionMs: 0,
    supersedeTimeoutMs: 50,
    refreshEveryStep: true,
    firstChunkMs: 60_000,
    stepTimeoutMs: 60_000,
    runTimeoutMs: 200,
    degenerationGuard: false,
  };
  const { engine } = await world(t, hanging, { runs: given });
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const { status, reason } = await turn.done();
  assert.deepEqual([status, reason], ['aborted', 'timeout']);
  const run = await engine.runs.begin({ ...user, chatId: turn.chatId });
  const late = await thrown(() =>
    engine.startTurn({ ...user, chatId: turn.chatId, message: 'x', busy: { supersede: run.runId } }),
  );
  assert.deepEqual([late.code, late.details], ['SUPERSEDE_TIMEOUT', { activeRunId: run.runId }]);
  await run.finish({ status: 'aborted' });
  const wrong = await thrown(() => Engine.open({ store: 'sqlite::memory:', runs: { tailPollMs: 0 } }));
  assert.equal(wrong.details.field, 'runs.tailPollMs');
});
