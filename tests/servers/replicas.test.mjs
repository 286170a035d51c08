// Official clients, unmodified, in front of three processes on one PostgreSQL server: each connection goes to any of them and is
// cut at random. What a page has in the end is what the database has. `make cuts` cuts more often.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { HttpAgent } from '@ag-ui/client';
import { WorkflowChatTransport } from '@ai-sdk/workflow/client';
import { ChatClient, fetchServerSentEvents } from '@tanstack/ai-client';
import { WebSocket } from 'ws';

import { TurnkeepChatTransport, resumingFetch } from '../../bindings-node/client.mjs';
import { host, provider } from '../../bindings-node/test/hosts.mjs';
import { pageOf, randomOf, wire } from '../../bindings-node/test/site.mjs';
import { versions } from '../../bindings-node/test/versions.mjs';
import { bin, postgres } from './postgres.mjs';

const CUTS = Number(process.env.CUTS ?? 60);
const REPLICAS = 3;
const MOST_CUTS_OF_AN_ANSWER = 25;
const WORDS = Array.from({ length: 150 }, (_, place) => `word${place} `).join('');

const six = versions['the newest ai 6'].sdk;
const seven = versions['the newest ai 7'].sdk;
/** How each client is made, the SDK of its page, and whether it goes on by itself after a cut. */
const clients = {
  'TurnkeepChatTransport, ai 7': {
    sdk: seven,
    transport: (api) => new TurnkeepChatTransport({ api, keepIds: true, protocol: 'ai-7', maxWaitMs: 5 }),
    goesOn: true,
  },
  'TurnkeepChatTransport, ai 6': {
    sdk: six,
    transport: (api) => new TurnkeepChatTransport({ api, keepIds: true, maxWaitMs: 5 }),
    goesOn: true,
  },
  'DefaultChatTransport, ai 7': { sdk: seven, transport: (api) => new seven.DefaultChatTransport({ api }) },
  'DefaultChatTransport, ai 6': { sdk: six, transport: (api) => new six.DefaultChatTransport({ api }) },
  'WebSocketChatTransport, ai 7': {
    sdk: seven,
    transport: (api) => new seven.WebSocketChatTransport({ url: api.replace('http', 'ws'), webSocket: WebSocket }),
  },
  'WorkflowChatTransport, ai 7': {
    sdk: seven,
    transport: (api) =>
      new WorkflowChatTransport({
        api,
        maxConsecutiveErrors: 1_000,
        prepareSendMessagesRequest: ({ id, messages }) => ({ body: { id, messages } }),
      }),
  },
};

const skip = bin === undefined && 'there is no PostgreSQL on this machine';

const undo = [];
const world = { after: (what) => undo.push(what) };
after(async () => {
  for (const what of undo.reverse()) await what();
});

let hosts;
before(async () => {
  if (skip) return;
  const store = await postgres(world);
  const { baseUrl } = await provider(world, { DELTAS: '150', PACE_MS: '2' });
  const started = { STORE: store, BASE_URL: baseUrl, WS: import.meta.resolve('ws') };
  // One after the other: the first makes the tables.
  hosts = [];
  for (let number = 0; number < REPLICAS; number++) hosts.push(await host(world, started));
});

/** A wire to any of the processes, for each connection to another one, that is cut CUTS times. */
async function cutAtRandom(t, name) {
  const random = randomOf(name.length);
  const cutter = { left: CUTS, ofThis: 0 };
  const anyOf = () => hosts[Math.floor(random() * hosts.length)].origin;
  const made = await wire(t, anyOf, () => {
    if (cutter.left <= 0 || cutter.ofThis >= MOST_CUTS_OF_AN_ANSWER) return Infinity;
    cutter.left -= 1;
    cutter.ofThis += 1;
    return Math.floor(random() * 1_500);
  });
  return { ...made, cutter };
}

/** The text in a message's parts, which have it as their `member`. */
const textIn = (parts, member) => parts.map((part) => (part.type === 'text' ? part[member] : '')).join('');
const chatOf = async (id) => (await fetch(`${hosts[0].origin}/api/chat/chats/${encodeURIComponent(id)}`)).json();

for (const [name, { sdk, transport, goesOn = false }] of Object.entries(clients)) {
  test(`cut at random over ${REPLICAS} processes: ${name}`, { skip }, async (t) => {
    // Some tell the console of every cut.
    t.mock.method(console, 'error', () => {});
    const { api, counts, cutter } = await cutAtRandom(t, name);
    let answers = 0;
    while (cutter.left > 0) {
      cutter.ofThis = 0;
      const id = `${name} ${answers++}`;
      const page = pageOf(sdk, { id, transport: transport(api) });
      await page.sendMessage({ text: 'go' });
      if (goesOn) assert.equal(page.error, undefined, page.error?.stack);
      // A client that takes a cut for an end, or for an error, is asked to come back, as a page does that is loaded again.
      for (;;) {
        const chat = await chatOf(id);
        const stored = chat.messages.at(-1);
        if (chat.follow === null && stored?.role === 'assistant') {
          if (page.messages.at(-1)?.role !== 'assistant' || page.text() !== WORDS) {
            assert.ok(!goesOn, `${name} has lost ${WORDS.length - (page.text?.().length ?? 0)} letters`);
            // It was away when the answer ended: what it is shown next is what is stored.
            page.messages = chat.messages;
          }
          assert.equal(page.text(), WORDS);
          assert.deepEqual(
            page.messages.map(({ role }) => role),
            ['user', 'assistant'],
          );
          break;
        }
        if (chat.messages.length === 0 && chat.follow === null) {
          // The connection was cut before the turn was begun.
          page.messages = [];
          await page.sendMessage({ text: 'go' });
          continue;
        }
        await page.resumeStream();
      }
    }
    t.diagnostic(`${counts.cuts} cuts over ${answers} answers`);
    assert.ok(counts.cuts > CUTS / 2);
  });
}

test(`cut at random over ${REPLICAS} processes: HttpAgent of AG-UI, with a fetch that goes on`, { skip }, async (t) => {
  const { api, counts, cutter } = await cutAtRandom(t, 'HttpAgent');
  let answers = 0;
  while (cutter.left > 0) {
    cutter.ofThis = 0;
    const threadId = `HttpAgent ${answers++}`;
    const agent = new HttpAgent({ url: `${api}/ag-ui`, threadId, fetch: resumingFetch({ maxWaitMs: 5 }) });
    agent.setMessages([{ id: 'm1', role: 'user', content: 'go' }]);
    await agent.runAgent({ runId: `run of ${threadId}` });
    assert.deepEqual(
      agent.messages.map(({ role, content }) => [role, content]),
      [
        ['user', 'go'],
        ['assistant', WORDS],
      ],
    );
    const { messages } = await chatOf(threadId);
    assert.equal(textIn(messages.at(-1).parts, 'text'), WORDS);
  }
  t.diagnostic(`${counts.cuts} cuts over ${answers} answers`);
  assert.ok(counts.cuts > CUTS / 2);
});

test(`cut at random over ${REPLICAS} processes: fetchServerSentEvents of TanStack AI`, { skip }, async (t) => {
  const { api, counts, cutter } = await cutAtRandom(t, 'TanStack AI');
  const reconnect = { maxAttempts: 1_000, delayMs: 5 };
  let [answers, ended] = [0, 0];
  while (cutter.left > 0) {
    cutter.ofThis = 0;
    const threadId = `TanStack AI ${answers++}`;
    const client = new ChatClient({ threadId, connection: fetchServerSentEvents(`${api}/ag-ui`, { reconnect }) });
    await client.sendMessage('go');
    const said = client.getMessages().filter(({ role }) => role === 'assistant');
    const shown = said.map(({ parts }) => textIn(parts, 'content')).join('');
    // A cut in a head ends it, which it says: what it is shown next is what is stored. Nothing was told twice until then.
    if (client.getError()) ended += 1;
    if (client.getError()) assert.ok(WORDS.startsWith(shown), shown);
    else assert.deepEqual([said.length, shown], [1, WORDS]);
    let chat = await chatOf(threadId);
    while (chat.follow) {
      await (await fetch(`${hosts[0].origin}/api/chat/runs/${chat.follow.runId}/stream`)).text();
      chat = await chatOf(threadId);
    }
    const stored = chat.messages.map(({ role, parts }) => [role, textIn(parts, 'text')]);
    const whole = [
      ['user', 'go'],
      ['assistant', WORDS],
    ];
    // Nothing, where the connection was cut before the turn was begun.
    assert.deepEqual(stored, client.getError() && stored.length === 0 ? [] : whole);
  }
  t.diagnostic(`${counts.cuts} cuts over ${answers} answers; ${ended} of these ended by a cut in a head`);
  assert.ok(counts.cuts > CUTS / 2);
});
