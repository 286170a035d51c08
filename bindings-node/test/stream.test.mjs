// The AI SDK of every pinned version as the judge: its chunk schemas, its reducer, its transport, and what it makes a prompt of.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { finish, reasoning, text, toolCall } from '../../examples/demo/provider.mjs';
import { loop, text as said, versions } from './versions.mjs';
import { rowToUiMessage } from '../index.mjs';
import { answer, collect, user, world } from './world.mjs';

const tools = {
  weather: { execute: ({ city }) => ({ city, tempC: 21 }) },
  broken: {
    execute: () => {
      throw new Error('it broke');
    },
  },
};

const scripts = {
  'two tools': () => [
    [
      reasoning('Hm.'),
      text('Looking. '),
      toolCall(0, 'a', 'weather', { city: 'Oslo' }),
      toolCall(1, 'b', 'broken', {}),
      ...finish('tool_calls', 20, 8),
    ],
    answer('Done.'),
  ],
  'the same call id in every step': () => [
    [toolCall(0, 'call_0', 'weather', { city: 'Oslo' }), ...finish('tool_calls', 1, 1)],
    [toolCall(0, 'call_0', 'weather', { city: 'Rome' }), ...finish('tool_calls', 1, 1)],
    answer('Done.'),
  ],
  'an unknown tool': () => [[toolCall(0, 'a', 'nope', { x: 1 }), ...finish('tool_calls', 1, 1)], answer('Sorry.')],
  'a broken stream': () => [[text('half'), toolCall(0, 'a', 'weather', { city: 'Oslo' })]],
  'an empty answer': () => [{ status: 200, body: '' }],
  'a refusal': () => [{ status: 500, body: 'oops' }],
  'a stop': () => [{ events: [text('half'), toolCall(0, 'a', 'weather', { city: 'Oslo' })], then: 'hang' }],
};

async function run(t, name, protocol) {
  const { engine } = await world(t, scripts[name](), { tools });
  const turn = await engine.startTurn({ ...user, message: 'go', protocol });
  if (name === 'a stop') {
    for await (const chunk of turn.chunks()) if (chunk.type === 'tool-input-delta') break;
    await turn.stop();
  }
  await turn.done();
  const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
  return { turn, message, chunks: await collect(turn.chunks()) };
}

function deferred() {
  const held = {};
  held.promise = new Promise((resolve) => (held.resolve = resolve));
  return held;
}

/** The run, once it has this status. */
async function reached(engine, runId, status) {
  for (;;) {
    const run = await engine.runs.get({ ...user, runId });
    if (run.status === status) return run;
    await collect(engine.runs.tail({ ...user, runId }));
  }
}

const plain = (value) => JSON.parse(JSON.stringify(value));

/** What a client's message is compared in: the reducer keeps a bad input apart, and newer ones name reasoning blocks. */
function comparable(part) {
  const { rawInput, id, ...rest } = plain(part);
  return rawInput === undefined ? rest : { ...rest, input: rawInput };
}

for (const [version, { sdk, protocol, ...more }] of Object.entries(versions)) {
  for (const name of Object.keys(scripts)) {
    test(`${version} sends the stored message back to its model: ${name}`, async (t) => {
      const { message } = await run(t, name, protocol);
      const told = plain(rowToUiMessage(message, protocol));
      const { success, error } = await sdk.safeValidateUIMessages({ messages: [told] });
      // A message that nothing came of has no parts, which the older versions take for none.
      assert.ok(success || told.parts.length === 0, String(error));
      const messages = [...(await sdk.convertToModelMessages([told])), { role: 'user', content: 'Go on.' }];
      const { asked } = await loop({ sdk, protocol, ...more }, [said('Well.')], { messages });
      const sent = asked[0].flatMap(({ content }) => (Array.isArray(content) ? content : []));
      const texts = sent.filter(({ type }) => type === 'text').map(({ text }) => text);
      assert.equal(texts.slice(0, -1).join(''), message.content);
      const outcomes = sent.filter(({ type }) => type === 'tool-result').length;
      assert.equal(outcomes, message.metadata.parts.filter(({ toolCallId }) => toolCallId).length);
    });

    test(`${version} accepts every chunk and reduces to the stored message: ${name}`, async (t) => {
      const { turn, message, chunks } = await run(t, name, protocol);
      const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
      for (const chunk of chunks) {
        const { success, error } = await schema.validate(chunk);
        assert.ok(success, `${JSON.stringify(chunk)}: ${error}`);
      }
      const stream = new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      });
      const errors = [];
      const reduced = (
        await collect(sdk.readUIMessageStream({ stream, onError: (error) => errors.push(error.message) }))
      ).at(-1);
      assert.deepEqual(
        errors,
        chunks.filter(({ type }) => type === 'error').map(({ errorText }) => errorText),
      );
      if (reduced === undefined) return assert.deepEqual(message.metadata.parts, []);
      assert.equal(reduced.id, message.id);
      assert.equal(reduced.role, message.role);
      assert.deepEqual(reduced.parts.map(comparable), message.metadata.parts);
      const { chatId, runId, usage } = plain(reduced.metadata);
      assert.deepEqual([chatId, runId, usage], [turn.chatId, turn.runId, message.metadata.usage]);
    });
  }

  test(`${version} takes a step that is withdrawn, and a page can leave it out`, async (t) => {
    const script = [
      [text('half'), toolCall(0, 'a', 'weather', { city: 'Oslo' })],
      { status: 503, body: '{"error":{"message":"too much to do"}}' },
      answer('whole'),
    ];
    const { engine } = await world(t, script, { tools, runs: { stepRetries: 1 } });
    const turn = await engine.startTurn({ ...user, message: 'go', protocol, fallbacks: [{ model: 'other' }] });
    assert.equal((await turn.done()).status, 'succeeded');
    const chunks = await collect(turn.chunks());
    const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
    for (const chunk of chunks) {
      const { success, error } = await schema.validate(chunk);
      assert.ok(success, `${JSON.stringify(chunk)}: ${error}`);
    }
    const stream = ReadableStream.from(chunks);
    const reduced = (await collect(sdk.readUIMessageStream({ stream }))).at(-1);
    const steps = [];
    for (const part of reduced.parts) {
      if (part.type === 'step-start') steps.push([]);
      steps.at(-1).push(comparable(part));
    }
    // Version 7 has taken it back itself.
    const isWithdrawn = (step) => step.some(({ type }) => type === 'data-withdrawn');
    assert.equal(steps.filter(isWithdrawn).length, protocol === 'ai-7' ? 0 : 1);
    const shown = steps.filter((step) => !isWithdrawn(step)).flat();
    const [, message] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    assert.deepEqual(shown, message.metadata.parts.map(comparable));
    const switched = shown.find(({ type }) => type === 'data-model');
    assert.deepEqual(switched.data, { model: 'other', instead: 'm', kind: 'overloaded' });
    assert.equal(message.content, 'whole');
  });

  test(`${version} is told what joins a run, and how a call came out that somebody was asked for`, async (t) => {
    const held = Promise.withResolvers?.() ?? deferred();
    const offered = [
      { name: 'weather', ...tools.weather },
      { name: 'remove', approval: 'always', execute: () => 'removed' },
    ];
    const script = [
      [toolCall(0, 'a', 'weather', { city: 'Oslo' }), ...finish('tool_calls', 1, 1)],
      [
        text('Asking. '),
        toolCall(0, 'b', 'remove', {}),
        toolCall(1, 'c', 'remove', { it: 2 }),
        ...finish('tool_calls', 1, 1),
      ],
      answer('Done.'),
    ];
    offered[0].execute = async () => (await held.promise, 21);
    const { engine } = await world(t, script);
    engine.offerTools(offered);
    const turn = await engine.startTurn({ ...user, message: 'go', protocol, offeredTools: ['weather', 'remove'] });
    await engine.runs.steer({ ...user, runId: turn.runId, message: 'I meant B' });
    held.resolve();
    const before = await collect(turn.chunks());
    const { waitingFor } = await reached(engine, turn.runId, 'waiting');
    for (const [index, { callId }] of waitingFor.entries()) {
      const reason = index === 0 ? {} : { reason: 'not this one' };
      await engine.runs.answer({ ...user, runId: turn.runId, callId, approved: index === 0, ...reason });
    }
    await reached(engine, turn.runId, 'succeeded');
    const items = await collect(engine.runs.tail({ ...user, runId: turn.runId, from: 'start', protocol }));
    const chunks = items.map(({ chunk }) => chunk);
    const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
    for (const chunk of [...before, ...chunks]) {
      const { success, error } = await schema.validate(chunk);
      assert.ok(success, `${JSON.stringify(chunk)}: ${error}`);
    }
    const reduced = (await collect(sdk.readUIMessageStream({ stream: ReadableStream.from(chunks) }))).at(-1);
    const [, row] = await engine.chats.messages({ ...user, chatId: turn.chatId });
    const told = rowToUiMessage(row, protocol);
    // Version 6 is told nothing of what was said, but for how it came out.
    const withoutAnswer = ({ approval, ...part }) => (protocol === 'ai-7' || !approval ? { approval, ...part } : part);
    const strip = (parts) => plain(parts.map(comparable).map(withoutAnswer));
    assert.deepEqual(strip(reduced.parts), strip(told.parts));
    const states = told.parts.filter(({ type }) => type === 'tool-remove').map(({ state }) => state);
    assert.deepEqual(states, ['output-available', 'output-denied']);
    const joined = protocol === 'ai-7' ? 'steering-message' : 'data-steering';
    assert.ok(reduced.parts.some(({ type }) => type === joined));
    const sent = await sdk.convertToModelMessages([plain(told)]);
    assert.ok(sent.some(({ role }) => role === 'tool'));
  });

  test(`${version} rejects what is not a chunk`, async () => {
    const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
    assert.equal((await schema.validate({ type: 'text-delta', id: '1' })).success, false);
  });

  test(`${version} reads back what is piped over HTTP`, async (t) => {
    const { engine } = await world(t, scripts['two tools'](), { tools });
    let turn;
    const server = createServer(async (request, response) => {
      for await (const _ of request);
      turn = await engine.startTurn({ ...user, message: 'go', protocol });
      await turn.pipe(response, { headers: { 'x-mine': '1' } });
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    let headers;
    const transport = new sdk.DefaultChatTransport({
      api: `http://127.0.0.1:${server.address().port}/`,
      fetch: async (...call) => {
        const response = await fetch(...call);
        headers = response.headers;
        return response;
      },
    });
    const stream = await transport.sendMessages({
      chatId: 'c',
      trigger: 'submit-message',
      messages: [{ id: '1', role: 'user', parts: [{ type: 'text', text: 'go' }] }],
    });
    const received = await collect(stream);
    assert.deepEqual(received.map(plain), await collect(turn.chunks()));
    assert.equal(headers.get('content-type'), 'text/event-stream');
    assert.equal(headers.get('x-vercel-ai-ui-message-stream'), 'v1');
    assert.equal(headers.get('x-mine'), '1');
  });
}

test('a client that leaves ends the pipe and not the run', async (t) => {
  const { engine } = await world(t, () => ({ events: [text('half')], then: 'hang' }));
  const turn = await engine.startTurn({ ...user, message: 'go' });
  let piped;
  const server = createServer((_, response) => {
    piped = turn.pipe(response, { heartbeatMs: 5 });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const response = await fetch(`http://127.0.0.1:${server.address().port}/`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let received = '';
  while (!received.includes('half') || !received.includes(': ping\n\n')) received += (await reader.read()).value;
  await reader.cancel();
  await piped;
  assert.equal((await engine.runs.get({ ...user, runId: turn.runId })).status, 'running');
});

test('the bytes end with the terminator', async (t) => {
  const { engine } = await world(t, [answer('hi')]);
  const turn = await engine.startTurn({ ...user, message: 'go' });
  const bytes = Buffer.concat(await collect(turn.sse())).toString();
  assert.match(bytes, /^id: 0\ndata: \{"type":"start"/);
  assert.ok(bytes.endsWith('\n\ndata: [DONE]\n\n'));
});
