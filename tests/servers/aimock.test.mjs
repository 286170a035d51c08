// Turns of every driver against @copilotkit/aimock: streaming with a tool, and the faults that it can be told to have.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { LLMock } from '@copilotkit/aimock';

import { Engine } from '../../bindings-node/index.mjs';

const user = { workspaceId: 'w1', userId: 'u1' };
const providers = {
  openai: (url) => ({ driver: 'openai', model: 'gpt-4o', baseUrl: `${url}/v1` }),
  'openai-compatible': (url) => ({ driver: 'openai-compatible', model: 'some-model', baseUrl: `${url}/v1` }),
  gemini: (url) => ({ driver: 'gemini', model: 'gemini-2.5-flash', baseUrl: `${url}/v1beta` }),
  ollama: (url) => ({ driver: 'ollama', model: 'llama3.2', baseUrl: url }),
  anthropic: (url) => ({ driver: 'anthropic', model: 'claude-sonnet-4-5', baseUrl: `${url}/v1` }),
};
const weather = {
  name: 'weather',
  description: 'Tells the weather',
  readOnly: true,
  inputSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  execute: ({ city }) => ({ city, tempC: 21 }),
};
const words = 'It is 21 degrees in Oslo, and the sky is as blue as it can be in May. 🙂';
// Faults of its own: what it does in the middle of an answer, and what it answers instead of one.
const faults = {
  truncate: { truncateAfterChunks: 4, latency: 20 },
  disconnect: { disconnectAfterMs: 70, latency: 30 },
  stall: { latency: 3_000 },
  rateLimit: { chaos: { rateLimitRate: 1 } },
  drop: { chaos: { dropRate: 1 } },
  malformed: { chaos: { malformedRate: 1 } },
  disconnectAtOnce: { chaos: { disconnectRate: 1 } },
};

// It goes on stalling when nobody listens any more; with little to say it is soon done.
const contentFor = (fault) => (fault === 'stall' ? 'It' : words);

let mock;
let engine;

before(async () => {
  mock = new LLMock({ port: 0, chunkSize: 7, logLevel: 'silent' });
  mock.on({ userMessage: 'weather in Oslo', hasToolResult: true }, { content: words });
  mock.on({ userMessage: 'weather in Oslo' }, { toolCalls: [{ name: 'weather', arguments: '{"city":"Oslo"}' }] });
  mock.onMessage('think first', { content: words, reasoning: 'Oslo is in Norway.' });
  for (const [name, fault] of Object.entries(faults))
    mock.onMessage(`fault ${name}`, { content: contentFor(name) }, fault);
  await mock.start();
  const configured = Object.entries(providers).map(([name, config]) => [
    name,
    { ...config(mock.url), apiKey: 'test-key' },
  ]);
  engine = await Engine.open({
    // What it refuses it refuses each time.
    http: { retryWaitMs: 10 },
    store: 'sqlite::memory:',
    providers: Object.fromEntries(configured),
    // What becomes of one answer: each fault comes again with each attempt.
    runs: { providerSilenceMs: 1_500, stepRetries: 0 },
  });
});

after(async () => {
  await engine.close({ graceMs: 0 });
  await mock.stop();
});

async function take(provider, message, tools = []) {
  const turn = await engine.startTurn({ ...user, message, provider, tools });
  const chunks = [];
  for await (const chunk of turn.chunks()) chunks.push(chunk);
  const outcome = await turn.done();
  const [, reply] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  return { chunks, outcome, reply, chatId: turn.chatId };
}

const textOf = (chunks) =>
  chunks
    .filter((chunk) => chunk.type === 'text-delta')
    .map((chunk) => chunk.delta)
    .join('');

for (const provider of Object.keys(providers)) {
  test(`${provider}: a turn with a tool`, async () => {
    const { chunks, outcome, reply, chatId } = await take(provider, 'What is the weather in Oslo?', [weather]);
    assert.equal(outcome.status, 'succeeded', outcome.error);
    assert.equal(outcome.stepCount, 2);
    assert.equal(textOf(chunks), words);
    assert.ok(chunks.filter((chunk) => chunk.type === 'text-delta').length > 1, 'it streams');
    const kinds = reply.metadata.parts.map((part) => part.type);
    assert.deepEqual(kinds, ['step-start', 'tool-weather', 'step-start', 'text']);
    assert.deepEqual(reply.metadata.parts[1].output, { city: 'Oslo', tempC: 21 });
    // The history goes back to where it is from, and the next turn works.
    const again = await engine.startTurn({
      ...user,
      chatId,
      message: 'And once more: the weather in Oslo?',
      provider,
      tools: [weather],
    });
    assert.equal((await again.done()).status, 'succeeded');
  });

  test(`${provider}: the scripted faults are outcomes`, async () => {
    for (const name of Object.keys(faults)) {
      const { chunks, outcome, reply } = await take(provider, `fault ${name}, please`);
      const what = `${provider}, ${name}: ${outcome.error}`;
      assert.equal(outcome.status, 'failed', what);
      assert.equal(outcome.reason, name === 'stall' ? 'timeout' : 'provider_error', what);
      assert.ok(outcome.error.length > 10, what);
      assert.ok(!JSON.stringify([outcome, chunks, reply]).includes('test-key'), what);
      assert.equal(chunks.filter((chunk) => chunk.type === 'error').length, 1, what);
      assert.ok(words.startsWith(textOf(chunks)), what);
      assert.equal(reply.content, textOf(chunks), what);
      if (name === 'truncate') assert.notEqual(reply.content, '', what);
      if (name === 'rateLimit') assert.match(outcome.error, /429/, what);
    }
  });
}

for (const provider of ['openai-compatible', 'gemini', 'anthropic']) {
  test(`${provider}: reasoning is told apart`, async () => {
    const { outcome, reply } = await take(provider, 'think first, then tell');
    assert.equal(outcome.status, 'succeeded', outcome.error);
    const reasoning = reply.metadata.parts.find((part) => part.type === 'reasoning');
    assert.equal(reasoning?.text, 'Oslo is in Norway.');
    assert.equal(reply.content, words);
  });
}
