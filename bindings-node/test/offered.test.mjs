// Tools that engines offer, and turns that name theirs. A second engine on the same file stands for another process.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { text } from '../../examples/demo/provider.mjs';
import { Engine } from '../index.mjs';
import { answer, call, collect, thrown, user, world } from './world.mjs';

const asked = { ...user, message: 'How is the weather in Oslo?', offeredTools: ['weather'] };
const script = [call('weather', { city: 'Oslo' }), answer('It is cold.')];

/** A world with a second engine on the same file. */
async function pair(t, answers, options) {
  const { engine, settings, ...rest } = await world(t, answers, options);
  const other = await Engine.open(settings);
  t.after(() => other.close({ graceMs: 0 }));
  return { engine, other, ...rest };
}

/** A tool that notes what it was called with. */
function noting(output = { tempC: 4 }) {
  const calls = [];
  const execute = (input, context) => {
    calls.push({ input, ...context });
    return output;
  };
  return { calls, tools: { weather: { description: 'The weather of a city', execute } } };
}

/** A tool that never answers, and a promise of the first call of it. */
function hanging() {
  let tell;
  const called = new Promise((resolve) => {
    tell = resolve;
  });
  const execute = (_, { signal }) => {
    tell(signal);
    return new Promise(() => {});
  };
  return { called, tools: { weather: { execute } } };
}

test('a turn is driven by another engine, which offers its tools', async (t) => {
  const { engine, other, provider } = await pair(t, script);
  const { calls, tools } = noting();
  const turn = await engine.startTurn(asked);
  const { runId, chatId, messageId } = turn;
  assert.equal((await engine.runs.get({ ...user, runId })).status, 'pending');
  other.offerTools(tools);
  const chunks = await collect(turn.chunks());
  const outcome = await turn.done();
  assert.deepEqual([outcome.status, outcome.stepCount, outcome.messageId], ['succeeded', 2, messageId]);
  const output = chunks.find(({ type }) => type === 'tool-output-available');
  assert.deepEqual(output.output, { tempC: 4 });
  assert.deepEqual([chunks[0].type, chunks.at(-1).type], ['start', 'finish']);
  assert.ok(chunks.some(({ delta }) => delta === 'It is cold.'));
  const [{ signal, ...seen }] = calls;
  assert.deepEqual(seen, {
    input: { city: 'Oslo' },
    toolCallId: 'call_1',
    toolName: 'weather',
    chatId,
    runId,
    messageId,
  });
  assert.equal(signal.aborted, false);
  assert.equal(calls.length, 1);
  assert.equal(provider.requests[0].tools[0].function.description, 'The weather of a city');
  assert.match(Buffer.concat(await collect(turn.sse())).toString(), /data: \[DONE\]\n\n$/);
});

test('an engine drives its own turns with the tools that it offers', async (t) => {
  const first = noting();
  const second = noting();
  const tools = { ...first.tools, unused: { execute: () => 1 } };
  const { engine, provider } = await world(t, [...script, ...script], { tools });
  engine.offerTools();
  for (const requests of [0, 2]) {
    const turn = await engine.startTurn(asked);
    const chunks = await collect(turn.chunks());
    assert.equal((await turn.done()).status, 'succeeded');
    assert.ok(chunks.some(({ type }) => type === 'tool-output-available'));
    // The turn has the tools that it names, and no others of the engine.
    assert.deepEqual(
      provider.requests[requests].tools.map((tool) => tool.function.name),
      ['weather'],
    );
    if (requests === 0) engine.offerTools([{ name: 'weather', ...second.tools.weather }]);
  }
  // The later offer has taken the place of the first.
  assert.deepEqual([first.calls.length, second.calls.length], [1, 1]);
});

test('what is wrong is named', async (t) => {
  const execute = () => 1;
  const { engine } = await world(t, [], { tools: { weather: { execute } } });
  const turns = [
    [{ tools: { x: { execute } } }, 'tools'],
    [{ provider: 'default' }, 'provider'],
    [{ offeredTools: ['a', 'a'] }, 'offeredTools[1]'],
    [{ offeredTools: 'weather' }, 'offeredTools'],
    [{ offeredTools: [5] }, 'offeredTools[0]'],
  ];
  for (const [more, field] of turns) {
    const error = await thrown(() => engine.startTurn({ ...asked, ...more }));
    assert.deepEqual([error.code, error.details], ['INVALID_INPUT', { field }]);
  }
  const offers = [
    ['weather', 'tools'],
    [[{ execute }], 'tools[0].name'],
    [[{ name: 'a' }], 'tools[0].execute'],
    [[{ name: 'a b', execute }], 'tools[0].name'],
    [{ a: { execute }, b: { execute, timeoutMs: 'soon' } }, 'tools[1].timeoutMs'],
    [{ a: { execute, inputSchema: { type: 5 } } }, 'tools[0].inputSchema'],
    [{ a: { execute, inputSchema: { n: 5n } } }, 'offer'],
  ];
  for (const [tools, field] of offers) {
    const error = await thrown(() => engine.offerTools(tools));
    assert.deepEqual([error.code, error.details], ['INVALID_INPUT', { field }]);
  }
  const { settings } = await world(t, []);
  const error = await thrown(() => Engine.open({ ...settings, runs: { maxOfferedRuns: 0 } }));
  assert.deepEqual(error.details, { field: 'runs.maxOfferedRuns' });
  await engine.close();
  assert.equal((await thrown(() => engine.offerTools())).code, 'ENGINE_CLOSED');
});

test('a run that is left to nobody can be stopped, and its turn ends', async (t) => {
  const { engine, other } = await pair(t, script);
  const turn = await engine.startTurn(asked);
  const reading = collect(turn.chunks());
  assert.equal(await turn.stop(), true);
  other.offerTools(noting().tools);
  const outcome = await turn.done();
  assert.deepEqual([outcome.status, outcome.reason], ['aborted', 'stopped']);
  assert.equal((await reading).at(-1).type, 'abort');
});

test('the last reader of a turn that is not detached stops it also elsewhere', async (t) => {
  const { engine, other } = await pair(t, () => ({ events: [text('half')], then: 'hang' }));
  other.offerTools(noting().tools);
  const turn = await engine.startTurn({ ...asked, detached: false });
  for await (const { delta } of turn.chunks()) if (delta === 'half') break;
  const outcome = await turn.done();
  assert.deepEqual([outcome.status, outcome.reason], ['aborted', 'disconnected']);
});

test('a closing engine leaves its run to another one, whose model is told what is not known', async (t) => {
  const answers = [
    call('weather', { city: 'Oslo' }, 'a'),
    call('weather', { city: 'Oslo' }, 'b'),
    answer('It is cold.'),
  ];
  const { engine, other, provider } = await pair(t, answers);
  const { called, tools: hang } = hanging();
  engine.offerTools(hang);
  const turn = await engine.startTurn(asked);
  const signal = await called;
  const chunks = collect(turn.chunks());
  const [error] = await Promise.all([thrown(() => turn.done()), engine.close({ graceMs: 0 })]);
  assert.equal(error.code, 'LEASE_LOST');
  await chunks;
  if (!signal.aborted) await once(signal, 'abort');
  const { calls, tools } = noting();
  other.offerTools(tools);
  const tail = other.runs.tail(turn.runId, user);
  await collect(tail);
  assert.deepEqual(tail.end, { status: 'succeeded', reason: null, error: null });
  assert.deepEqual(
    calls.map(({ toolCallId }) => toolCallId),
    ['b'],
  );
  assert.match(provider.requests[1].messages.at(-1).content, /whether it took effect is unknown/);
  const [, message] = await other.chats.messages({ ...user, chatId: turn.chatId });
  const [first, second] = message.metadata.parts.filter(({ type }) => type === 'tool-weather');
  assert.deepEqual([first.state, second.state], ['output-error', 'output-available']);
});

test('closing ends the offer at once, and a run that nobody drives then waits for the next', async (t) => {
  const { engine, other } = await pair(t, script);
  other.offerTools(noting().tools);
  await other.close();
  const turn = await engine.startTurn(asked);
  assert.equal((await engine.runs.get({ ...user, runId: turn.runId })).status, 'pending');
  const waiting = thrown(() => turn.done());
  await engine.close();
  assert.equal((await waiting).code, 'ENGINE_CLOSED');
});
