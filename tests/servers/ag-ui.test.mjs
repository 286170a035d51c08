// AG-UI: its own client reads our turns, every event passes its schemas, and a stream that is cut goes on exactly.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, test } from 'node:test';

import { HttpAgent } from '@ag-ui/client';
import { EventSchemas } from '@ag-ui/core/schemas';

import { finish, reasoning, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { EventParser } from '../../bindings-node/client.mjs';
import { createRouter } from '../../bindings-node/http.mjs';
import { Engine } from '../../bindings-node/index.mjs';

const user = { workspaceId: 'w1', userId: 'u1' };
const words = (name, count) => Array.from({ length: count }, (_, place) => `${name}${place} `);
let provider;
let engine;
let server;
let url;
let script;

before(async () => {
  provider = await startProvider((request) => script(request));
  engine = await Engine.open({
    store: 'sqlite::memory:',
    chats: { ids: 'any' },
    runs: { stepRetries: 0 },
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
    tools: { look: { readOnly: true, execute: ({ at }) => ({ seen: at }) } },
  });
  engine.offerTools({
    write: { inputSchema: { type: 'object' }, approval: 'always', execute: () => 'written' },
    ask: { inputSchema: { type: 'object' }, clientSide: true },
  });
  const turn = ({ request }) => (request.headers.get('x-offered') ? { offeredTools: ['write', 'ask'] } : {});
  server = createServer(createRouter({ engine, who: () => user, turn }).node).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${server.address().port}/api/chat/ag-ui`;
});

after(async () => {
  server.closeAllConnections();
  server.close();
  await engine.close({ graceMs: 0 });
  await provider.close();
});

const looked = (request) =>
  request.messages.at(-1).role === 'tool'
    ? [...words('word', 30).map(text), ...finish('stop', 3, 2)]
    : [
        ...words('thought', 5).map(reasoning),
        ...words('look', 5).map(text),
        toolCall(0, `call_${request.messages.length}`, 'look', { at: 'it' }),
        ...finish('tool_calls', 3, 2),
      ];

const input = (threadId, runId, more) => ({
  threadId,
  runId,
  messages: [{ id: `m-${runId}`, role: 'user', content: 'go' }],
  tools: [],
  context: [],
  state: {},
  forwardedProps: {},
  ...more,
});

/** Posts, and reads `limit` events at most before it goes away. */
async function post(body, { headers, limit = Infinity } = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  if (!response.ok) return { status: response.status, error: (await response.json()).error };
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const events = [];
  for await (const piece of response.body) {
    for (const { id, data } of parser.push(decoder.decode(piece, { stream: true }))) {
      if (events.length < limit) events.push({ id, event: EventSchemas.parse(JSON.parse(data)) });
    }
    if (events.length >= limit) break;
  }
  return { status: response.status, events };
}

/** Events without their places and, since blocks may end earlier in compact form, their order; what is said in one piece. */
function merged(events) {
  const list = [];
  for (const { event } of events) {
    const last = list.at(-1);
    const goesOn = event.delta !== undefined && last?.type === event.type && last.messageId === event.messageId;
    if (goesOn && last.toolCallId === event.toolCallId) last.delta += event.delta;
    else list.push({ ...event });
  }
  return list.map((event) => JSON.stringify(event, Object.keys(event).sort())).sort();
}

test('its own client has the whole answer, in an order that it takes', async () => {
  script = looked;
  const agent = new HttpAgent({ url, threadId: 'agent' });
  agent.setMessages([{ id: 'u1', role: 'user', content: 'What is it?' }]);
  await agent.runAgent({ runId: 'run-1' });
  const said = agent.messages.map(({ role, content, toolCalls }) => [
    role,
    content,
    toolCalls?.map((call) => call.function),
  ]);
  assert.deepEqual(said.at(-1), ['assistant', words('word', 30).join(''), undefined]);
  assert.ok(said.some(([role, content]) => role === 'tool' && content === '{"seen":"it"}'));
  assert.ok(said.some(([, , calls]) => calls?.[0]?.name === 'look' && calls[0].arguments === '{"at":"it"}'));
  assert.ok(said.some(([role, content]) => role === 'reasoning' && content === words('thought', 5).join('')));
  const rows = await engine.chats.messages({ ...user, chatId: 'agent' });
  assert.deepEqual(
    rows.map(({ role, content }) => [role, content]),
    [
      ['user', 'What is it?'],
      ['assistant', words('look', 5).join('') + words('word', 30).join('')],
    ],
  );
});

test('cut behind any of its events, a stream goes on with the next one', async () => {
  script = looked;
  const { events: whole } = await post(input('cuts', 'whole'));
  assert.equal(whole.at(-1).event.type, 'RUN_FINISHED');
  assert.ok(whole.every(({ id }) => id !== undefined));
  const ids = new Set(whole.map(({ id }) => id));
  assert.equal(ids.size, whole.length, 'a place for each event');
  for (const [place, { id }] of whole.entries()) {
    const { events: rest } = await post(input('cuts', 'whole'), { headers: { 'last-event-id': id } });
    assert.deepEqual(rest, whole.slice(place + 1), `behind ${id}`);
  }
});

test('one that is read in pieces while it goes on is the same as one that is read at once', async () => {
  script = (request) => ({
    events: (async function* () {
      for (const piece of looked(request)) {
        yield piece;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })(),
  });
  const told = [];
  let headers = {};
  for (;;) {
    const { events } = await post(input('pieces', 'live'), { headers, limit: 7 });
    told.push(...events);
    if (events.at(-1)?.event.type === 'RUN_FINISHED') break;
    headers = { 'last-event-id': told.at(-1).id };
  }
  // A run that has ended is told in compact form, from which it is gone on as exactly.
  const { events: whole } = await post(input('pieces', 'live'));
  assert.deepEqual(merged(told), merged(whole));
  for (const [place, { id }] of whole.entries()) {
    const { events: rest } = await post(input('pieces', 'live'), { headers: { 'last-event-id': id } });
    assert.deepEqual(merged(rest), merged(whole.slice(place + 1)), `behind ${id}`);
  }
});

test('a call that needs leave interrupts the run, and goes on with it; a tool of the client\u2019s does, too', async () => {
  script = (request) => {
    const results = request.messages.filter(({ role }) => role === 'tool').length;
    if (results === 0) return [toolCall(0, 'w1', 'write', { a: 1 }), ...finish('tool_calls', 1, 1)];
    if (results === 1) return [toolCall(0, 'q1', 'ask', {}), ...finish('tool_calls', 1, 1)];
    return [text('done'), ...finish('stop', 1, 1)];
  };
  const headers = { 'x-offered': 'yes' };
  const { events: first } = await post(input('leave', 'r1'), { headers });
  const { outcome } = first.at(-1).event;
  assert.equal(outcome.type, 'interrupt');
  assert.deepEqual(
    outcome.interrupts.map(({ id, toolCallId }) => [id, toolCallId]),
    [['w1', 'w1']],
  );
  const resume = [{ interruptId: 'w1', status: 'resolved', payload: { approved: true } }];
  const { events: second } = await post(input('leave', 'r2', { resume }), { headers });
  const results = second.filter(({ event }) => event.type === 'TOOL_CALL_RESULT').map(({ event }) => event.content);
  assert.deepEqual(results, ['written']);
  assert.deepEqual(second.at(-1).event.outcome.pendingToolCallIds, ['q1']);
  const messages = [
    { id: 'u', role: 'user', content: 'go' },
    { id: 't', role: 'tool', toolCallId: 'q1', content: 'here' },
  ];
  const { events: third } = await post(input('leave', 'r3', { messages }), { headers });
  assert.equal(third.at(-1).event.outcome.type, 'success');
  const content = third.filter(({ event }) => event.type === 'TEXT_MESSAGE_CONTENT').map(({ event }) => event.delta);
  assert.equal(content.join(''), 'done');
});

test('a failure and a stop are ends that it knows', async () => {
  script = () => ({ status: 401, body: '{"error":{"message":"no key"}}' });
  const { events: failed } = await post(input('ends', 'failed'));
  assert.equal(failed.at(-1).event.type, 'RUN_ERROR');
  script = () => ({ events: [text('half')], then: 'hang' });
  const stopped = post(input('ends', 'stopped'));
  const of = { ...user, chatId: 'ends' };
  let told = false;
  while (!told) {
    const run = await engine.runs.activeForChat(of);
    if (!run) continue;
    for await (const { chunk } of engine.runs.tail(run.id, user)) {
      if (chunk.type === 'text-delta') {
        told = await engine.runs.stop({ ...user, runId: run.id });
        break;
      }
    }
  }
  const { events } = await stopped;
  assert.deepEqual(events.at(-1).event.outcome, { type: 'cancelled' });
  const types = events.map(({ event }) => event.type);
  assert.ok(types.includes('TEXT_MESSAGE_END'), types.join());
});

test('what is no input of AG-UI is refused by its name', async () => {
  for (const [body, field] of [
    [{}, 'threadId'],
    [{ threadId: 't' }, 'runId'],
    [{ threadId: 't', runId: 'r', messages: [] }, 'messages'],
    [input('t', 'r', { messages: [{ id: 'm', role: 'user', content: [{ type: 'odd' }] }] }), 'messages[0].content[0]'],
  ]) {
    const { status, error } = await post(body);
    assert.deepEqual([status, error.details.field], [400, field]);
  }
});
