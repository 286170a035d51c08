// How late the event loop of a host is while 200 turns stream through the router, and how long they take: provider, host and
// clients are three processes. `node streams.mjs [STREAMS] [DELTAS] [PACE_MS]`

import { request } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { host, provider } from '../test/hosts.mjs';
import { median } from './measure.mjs';

const [streams = 200, deltas = 200, paceMs = 20] = process.argv.slice(2).map(Number);
const RUNS = 5;

const undo = [];
const t = { after: (what) => undo.push(what) };
const folder = await mkdtemp(join(tmpdir(), 'turnkeep-streams-'));
t.after(() => rm(folder, { recursive: true, force: true }));

function turn(api, chatId) {
  const message = { role: 'user', parts: [{ type: 'text', text: 'go' }] };
  return new Promise((resolve, reject) => {
    const asked = request(api, { method: 'POST', headers: { 'content-type': 'application/json' }, agent: false });
    asked.on('error', reject);
    asked.on('response', (response) => {
      let bytes = 0;
      response.on('data', (piece) => (bytes += piece.length));
      response.on('end', () => resolve(bytes));
    });
    asked.end(JSON.stringify({ id: chatId, messages: [message] }));
  });
}

try {
  const { baseUrl } = await provider(t, { DELTAS: String(deltas), PACE_MS: String(paceMs) });
  const { origin, ask } = await host(t, { STORE: `sqlite:${join(folder, 'chats.db')}`, BASE_URL: baseUrl });
  const rounds = [];
  for (let round = 0; round < RUNS; round++) {
    await ask('watch');
    const began = performance.now();
    await Promise.all(Array.from({ length: streams }, (_, place) => turn(`${origin}/api/chat`, `c${round}-${place}`)));
    rounds.push({ wall: performance.now() - began, ...(await ask('watched')) });
  }
  const shown = (name) => `${median(rounds.map((round) => round[name])).toFixed(1)} ms`;
  console.log(`${streams} streams of ${deltas} deltas, one in ${paceMs} ms each; medians of ${RUNS} runs`);
  for (const name of ['p50', 'p99', 'max']) console.log(`event loop late, ${name}: ${shown(name)}`);
  console.log(`wall: ${shown('wall')} (the provider alone: ${deltas * paceMs} ms)`);
} finally {
  for (const what of undo.reverse()) await what();
}
