import assert from 'node:assert/strict';
import { test } from 'node:test';

import { answer, call, collect, user, world } from './world.mjs';

/** Runs one call of `execute` and gives what the model and the readers were told. */
async function outcomeOf(t, execute, more = {}) {
  const { engine, provider } = await world(t, [call('tool'), answer('ok')]);
  const turn = await engine.startTurn({ ...user, message: 'go', tools: { tool: { execute, ...more } } });
  const chunks = await collect(turn.chunks());
  assert.equal((await turn.done()).status, 'succeeded');
  const chunk = chunks.find(({ type }) => type === 'tool-output-available' || type === 'tool-output-error');
  const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  const part = message.metadata.parts[1];
  assert.deepEqual([part.output, part.errorText], [chunk.output, chunk.errorText]);
  return { chunk, told: provider.requests[1].messages.at(-1).content };
}

const uncaught = [];
process.on('uncaughtException', (error) => uncaught.push(error));
process.on('unhandledRejection', (error) => uncaught.push(error));

test('what a tool returns is its output', async (t) => {
  const cases = [
    [() => ({ a: [1, 'x'] }), { a: [1, 'x'] }, '{"a":[1,"x"]}'],
    [async () => 'text', 'text', 'text'],
    [() => undefined, null, 'null'],
    [() => {}, null, 'null'],
    [() => () => {}, null, 'null'],
    [() => ({ then: (resolve) => resolve(7) }), 7, '7'],
    [() => '\ud83d', '\ufffd', '\ufffd'],
  ];
  for (const [execute, output, text] of cases) {
    const { chunk, told } = await outcomeOf(t, execute);
    assert.deepEqual([chunk.output, told], [output, text]);
  }
});

test('whatever a tool throws is its error, and nothing becomes an uncaught exception', async (t) => {
  const silent = new Error('');
  const nasty = {
    get message() {
      throw new Error('no');
    },
    toString() {
      throw new Error('no');
    },
  };
  const cyclic = {};
  cyclic.self = cyclic;
  const cases = [
    [
      () => {
        throw new TypeError('sync');
      },
      /^sync$/,
    ],
    [
      async () => {
        throw new Error('async');
      },
      /^async$/,
    ],
    [() => Promise.reject('a string'), /^a string$/],
    [() => Promise.reject(), /^undefined$/],
    [
      () => {
        throw silent;
      },
      /^Error$/,
    ],
    [
      () => {
        throw nasty;
      },
      /no text/,
    ],
    [
      () => ({
        get then() {
          throw new Error('evil then');
        },
      }),
      /^evil then$/,
    ],
    [() => 5n, /BigInt/],
    [() => cyclic, /circular/],
  ];
  for (const [execute, words] of cases) {
    const { chunk, told } = await outcomeOf(t, execute);
    assert.match(chunk.errorText, words);
    assert.equal(told, chunk.errorText);
  }
  await new Promise(setImmediate);
  assert.deepEqual(uncaught, []);
});

test('a tool that hangs runs into its timeout and is told so', async (t) => {
  let aborted;
  const execute = (_, { signal }) =>
    new Promise((resolve) => {
      aborted = new Promise((heard) => signal.addEventListener('abort', heard));
      signal.addEventListener('abort', () => resolve('too late'));
    });
  const { chunk } = await outcomeOf(t, execute, { timeoutMs: 50 });
  assert.equal(chunk.errorText, 'The tool call timed out after 50 ms.');
  await aborted;
});

test('a stop aborts running tools', async (t) => {
  const { engine } = await world(t, [call('tool')]);
  let started;
  const running = new Promise((resolve) => {
    started = resolve;
  });
  const execute = (_, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new Error('stopped')));
      started(signal);
    });
  const turn = await engine.startTurn({ ...user, message: 'go', tools: { tool: { execute } } });
  const signal = await running;
  await turn.stop();
  const outcome = await turn.done();
  assert.equal(outcome.status, 'aborted');
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  assert.equal(message.metadata.parts[1].errorText, 'The tool call did not complete.');
});

test('input is checked before a tool sees it', async (t) => {
  const inputSchema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  const { chunk } = await outcomeOf(t, () => assert.fail('it was called'), { inputSchema });
  assert.match(chunk.errorText, /Invalid input for tool tool/);
});

test('a deferred tool is told in a line until the model asks for it', async (t) => {
  const script = [call('loadTools', { names: ['far'] }), call('far', {}, 'call_2'), answer('Done.')];
  const { engine, provider } = await world(t, script);
  const tools = {
    near: { execute: () => 1 },
    far: { tier: 'deferred', catalogLine: 'Is far away', description: 'Long', execute: () => 2 },
  };
  const turn = await engine.startTurn({ ...user, message: 'Go.', tools });
  assert.equal((await turn.done()).status, 'succeeded');
  const told = provider.requests.map(({ tools }) => tools.map((tool) => tool.function.name));
  assert.deepEqual(told, [
    ['near', 'loadTools'],
    ['near', 'loadTools', 'far'],
    ['near', 'loadTools', 'far'],
  ]);
  assert.match(provider.requests[0].tools[1].function.description, /\n- far: Is far away$/);
});
