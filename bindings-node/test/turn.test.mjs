import assert from 'node:assert/strict';
import { test } from 'node:test';

import { finish, reasoning, text, toolCall } from '../../examples/demo/provider.mjs';
import { Engine, TurnkeepError } from '../index.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

const weather = {
  description: 'Tells the weather',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  execute: ({ city }) => ({ city, tempC: 21 }),
};

test('a turn with two tools is streamed, stored and exported', async (t) => {
  const first = [
    reasoning('Hm.'),
    text('Looking. '),
    toolCall(0, 'a', 'weather', { city: 'Oslo' }),
    toolCall(1, 'b', 'time', {}),
    ...finish('tool_calls', 20, 8),
  ];
  const { engine, provider } = await world(t, [first, answer('21 degrees.')], { tools: { weather } });
  const seen = [];
  const time = {
    name: 'time',
    readOnly: true,
    async execute(input, context) {
      seen.push({ input, context });
      return '12:00';
    },
  };
  const turn = await engine.startTurn({ ...user, message: 'Weather?', tools: [time] });
  const chunks = await collect(turn.chunks());
  assert.deepEqual(chunks[0], {
    type: 'start',
    messageId: turn.messageId,
    messageMetadata: { chatId: turn.chatId, runId: turn.runId },
  });
  assert.deepEqual(chunks.at(-1), {
    type: 'finish',
    finishReason: 'stop',
    messageMetadata: {
      usage: { inputTokens: 30, outputTokens: 13, totalTokens: 43, reasoningTokens: 0 },
      status: 'completed',
    },
  });
  assert.equal(chunks.find((chunk) => chunk.toolCallId === 'b' && chunk.output).output, '12:00');

  const { signal, ...context } = seen[0].context;
  assert.deepEqual(context, {
    toolCallId: 'b',
    toolName: 'time',
    chatId: turn.chatId,
    runId: turn.runId,
    messageId: turn.messageId,
  });
  assert.ok(signal instanceof AbortSignal && !signal.aborted);

  const outcome = await turn.done();
  assert.equal(outcome.status, 'succeeded');
  assert.equal(outcome.stepCount, 2);
  const [question, reply] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  assert.equal(question.content, 'Weather?');
  assert.equal(reply.content, 'Looking. 21 degrees.');
  assert.deepEqual(reply.metadata.parts[3].output, { city: 'Oslo', tempC: 21 });
  const run = await engine.runs.get({ ...user, runId: turn.runId });
  assert.equal(run.status, 'succeeded');
  assert.deepEqual(await engine.runs.latestForChat({ ...user, chatId: turn.chatId }), run);
  const markdown = await engine.chats.export({
    ...user,
    chatId: turn.chatId,
    lang: 'ru',
    labels: { tools: { weather: 'Погода' } },
  });
  assert.match(markdown, /\*\*Tool: Погода\*\* \(`weather`\) — done/);
  assert.match(markdown, /## 1\. Вы/);
  assert.equal(provider.requests.length, 2);
});

test('two turns at once: one runs, one is refused', async (t) => {
  const { engine, provider } = await world(t, [answer('hi'), { events: [text('working')], then: 'hang' }]);
  const first = await engine.startTurn({ ...user, message: 'one' });
  await first.done();
  const begin = () => engine.startTurn({ ...user, chatId: first.chatId, message: 'two' });
  const attempts = await Promise.allSettled(Array.from({ length: 20 }, begin));
  const [winner] = attempts.filter(({ status }) => status === 'fulfilled');
  const losers = attempts.filter(({ status }) => status === 'rejected');
  assert.equal(losers.length, 19);
  for (const { reason } of losers) {
    assert.ok(reason instanceof TurnkeepError);
    assert.equal(reason.code, 'A_RUN_ALREADY_ACTIVE');
    assert.equal(reason.httpStatus, 409);
    assert.deepEqual(reason.details, { activeRunId: winner.value.runId });
  }
  assert.equal(await engine.runs.stop({ ...user, chatId: first.chatId }), true);
  assert.equal((await winner.value.done()).reason, 'stopped');
  assert.ok(provider.requests.length <= 2);
});

test('stop, by turn, by run and by signal', async (t) => {
  const hanging = { events: [text('half')], then: 'hang' };
  const { engine } = await world(t, () => hanging);
  const begin = (more) => engine.startTurn({ ...user, message: 'go', ...more });

  const one = await begin();
  assert.equal(await one.stop(), true);
  assert.equal((await one.done()).reason, 'stopped');
  assert.equal(await one.stop(), false);

  const two = await begin();
  assert.equal(await engine.runs.stop({ ...user, runId: two.runId }), true);
  assert.equal((await two.done()).status, 'aborted');

  const controller = new AbortController();
  const three = await begin({ signal: controller.signal });
  controller.abort();
  assert.equal((await three.done()).reason, 'stopped');
  await assert.rejects(begin({ signal: controller.signal }), { name: 'AbortError' });
});

test('what waits for a turn is in its queue until it is taken back', async (t) => {
  const { engine } = await world(t, () => ({ events: [text('half')], then: 'hang' }));
  const turn = await engine.startTurn({ ...user, message: 'go' });
  assert.deepEqual(await turn.queue(), []);
  const { messageId, place } = await engine.runs.steer({ ...user, runId: turn.runId, message: 'I meant B' });
  assert.equal(place, 'this_run');
  const [waiting] = await turn.queue();
  assert.deepEqual([waiting.messageId, waiting.state], [messageId, 'waiting']);
  assert.equal((await engine.runs.unsteer({ ...user, messageId })).state, 'taken_back');
  assert.deepEqual(await turn.queue(), []);
  await turn.stop();
  await turn.done();
});

test('a reader that leaves early ends itself, and the run only when it is not detached', async (t) => {
  const { engine } = await world(t, () => ({ events: [text('half')], then: 'hang' }));
  const detached = await engine.startTurn({ ...user, message: 'go' });
  for await (const chunk of detached.chunks()) if (chunk.type === 'text-delta') break;
  assert.equal((await engine.runs.get({ ...user, runId: detached.runId })).status, 'running');
  await detached.stop();

  const attached = await engine.startTurn({ ...user, message: 'go', detached: false });
  for await (const chunk of attached.chunks()) if (chunk.type === 'text-delta') break;
  assert.equal((await attached.done()).reason, 'disconnected');

  const waiting = await engine.startTurn({ ...user, message: 'go' });
  const reader = waiting.chunks();
  const pending = [];
  for (let i = 0; i < 10; i += 1) pending.push(reader.next());
  await reader.return();
  assert.equal((await Promise.all(pending)).at(-1).done, true);
  await waiting.stop();
});

test('closing settles what runs, and refuses what comes after', async (t) => {
  const { engine } = await world(t, () => ({ events: [text('half')], then: 'hang' }));
  const turn = await engine.startTurn({ ...user, message: 'go' });
  await engine.close({ graceMs: 0 });
  assert.equal((await turn.done()).reason, 'shutdown');
  const refused = await thrown(() => engine.startTurn({ ...user, message: 'go' }));
  assert.equal(refused.code, 'ENGINE_CLOSED');
  assert.equal((await thrown(() => engine.runs.get({ ...user, runId: turn.runId }))).code, 'ENGINE_CLOSED');
  await engine.close();
});

test('wrong input is refused with the name of the field', async (t) => {
  const { engine } = await world(t, []);
  const begin = (more) => () => engine.startTurn({ ...user, message: 'go', ...more });
  const cyclic = {};
  cyclic.self = cyclic;
  const cases = [
    [() => Engine.open(), 'store'],
    [() => Engine.open({ store: 'mysql://x' }), 'store'],
    [() => Engine.open({ store: 'sqlite::memory:', runs: { maxSteps: 'many' } }), 'runs.maxSteps'],
    [() => Engine.open({ store: 'sqlite::memory:', tools: [{ name: 'x' }] }), 'tools[0].execute'],
    [() => Engine.open(null), 'options'],
    [() => engine.close({ graceMs: -1 }), 'graceMs'],
    [() => engine.close({ graceMs: 'long' }), 'graceMs'],
    [() => engine.startTurn(), 'workspaceId'],
    [() => engine.startTurn(null), 'turn'],
    [begin({ signal: {} }), 'signal'],
    [begin({ message: { parts: [] } }), 'message.parts'],
    [begin({ message: { parts: [{ type: 'text' }] } }), 'message.parts[0].text'],
    [begin({ chatId: 'mine' }), 'chatId'],
    [begin({ chatID: 'x' }), 'chatID'],
    [begin({ message: cyclic }), 'turn'],
    [begin({ message: { parts: 1n } }), 'turn'],
    [begin({ tools: { 'a b': { execute() {} } } }), 'tools[0].name'],
    [begin({ tools: { a: { execute() {}, inputSchema: { type: 'nonsense' } } } }), 'tools[0].inputSchema'],
    [begin({ tools: 5 }), 'tools'],
    [begin({ provider: 'nobody' }), 'provider'],
    [begin({ busy: 'wait' }), 'busy'],
    [() => engine.runs.get({ ...user }), 'runId'],
    [() => engine.runs.stop({ ...user }), 'runId'],
    [() => engine.chats.export({ ...user, chatId: '01a2052e-08df-745a-b3b9-43ac3431e4d5', format: 'pdf' }), 'format'],
  ];
  for (const [run, field] of cases) {
    const error = await thrown(run);
    assert.ok(error instanceof TurnkeepError, `${field}: ${error}`);
    assert.deepEqual([error.code, error.httpStatus, error.details.field], ['INVALID_INPUT', 400, field]);
  }
  const folder = await thrown(() => Engine.open({ store: 'sqlite:/proc/nowhere/chats.db' }));
  assert.deepEqual([folder.code, folder.details.field], ['STORE_UNAVAILABLE', 'store']);
  const none = await thrown(begin({ provider: { driver: 'openai-compatible', baseUrl: 'http://127.0.0.1:1' } }));
  assert.equal(none.code, 'AI_NOT_CONFIGURED');
});

test('every provider failure is an outcome, with what had been finished kept', async (t) => {
  const cases = [
    [{ status: 401, body: '{"error":{"message":"bad key"}}' }, /401: bad key/, ''],
    [{ status: 429, body: '{"error":{"message":"slow down"}}' }, /429: slow down/, ''],
    [{ status: 500, body: 'oops' }, /500: .*oops/, ''],
    [{ status: 200, headers: { 'content-type': 'text/html' }, body: '<html>login</html>' }, /<html>login/, ''],
    [{ status: 200, body: '' }, /without a finish reason/, ''],
    [[text('half')], /without a finish reason/, 'half'],
    [{ events: [text('half')], then: 'reset' }, /broke off/, 'half'],
  ];
  for (const [failure, words, kept] of cases) {
    const { engine } = await world(t, [call('time'), failure], { tools: { time: { execute: () => 'noon' } } });
    const turn = await engine.startTurn({ ...user, message: 'go' });
    const chunks = await collect(turn.chunks());
    const outcome = await turn.done();
    assert.deepEqual([outcome.status, outcome.reason], ['failed', 'provider_error']);
    assert.match(outcome.error, words);
    assert.match(chunks.find((chunk) => chunk.type === 'error').errorText, /^The [^<]*AI provider/);
    const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    assert.equal(message.content, kept);
    assert.equal(message.metadata.error, outcome.error);
    assert.equal(message.metadata.parts[1].output, 'noon');
  }
});
