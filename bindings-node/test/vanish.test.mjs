// Clients that vanish at random, in many turns of one process: nothing of them stays behind. `make vanish` plays more of them.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { host, provider } from './hosts.mjs';
import { randomOf } from './site.mjs';

const TURNS = Number(process.env.TURNS ?? 40);
const AT_ONCE = 20;
const MIB = 2 ** 20;

/** A request whose client is gone after so many bytes of the answer; not at all where there are fewer. */
async function vanishing(url, { method = 'GET', body, after }) {
  const headers = body ? { 'content-type': 'application/json' } : {};
  const asked = request(url, { method, headers, agent: false });
  asked.on('error', () => {});
  asked.end(body && JSON.stringify(body));
  if (after < 0) return void setImmediate(() => asked.destroy());
  const response = await new Promise((resolve) => asked.on('response', resolve).on('close', resolve));
  if (!response) return;
  let read = 0;
  response.on('error', () => {});
  response.on('data', (piece) => (read += piece.length) > after && asked.destroy());
  await new Promise((resolve) => response.on('close', resolve));
}

async function settled(origin, chatId) {
  for (;;) {
    const runs = await (await fetch(`${origin}/api/chat/chats/${chatId}/runs`)).json();
    if (runs.every(({ status }) => !['pending', 'running'].includes(status))) return runs;
    // The run's own end is what is waited for: whoever follows it is told.
    await (await fetch(`${origin}/api/chat/runs/${runs[0].id}/stream`)).text();
  }
}

test('clients that vanish leave nothing behind', async (t) => {
  const { baseUrl } = await provider(t);
  // On disk: what is stored is nothing that is held.
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-vanish-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { origin, ask } = await host(t, { STORE: `sqlite:${join(folder, 'chats.db')}`, BASE_URL: baseUrl });
  const api = `${origin}/api/chat`;
  const random = randomOf(7);
  const ended = { succeeded: 0, other: 0, none: 0 };

  const turn = async (chatId) => {
    const message = { role: 'user', parts: [{ type: 'text', text: 'go' }] };
    const body = { id: chatId, messages: [message] };
    const after = random() < 0.1 ? -1 : Math.floor(random() * 6_000);
    await vanishing(api, { method: 'POST', body, after });
    // Most come back once or twice, and many of those vanish again.
    for (let again = Math.floor(random() * 3); again > 0; again--) {
      await vanishing(`${api}/${chatId}/stream`, { after: Math.floor(random() * 6_000) });
    }
    const [run] = await settled(origin, chatId);
    ended[run ? (run.status === 'succeeded' ? 'succeeded' : 'other') : 'none'] += 1;
  };
  const play = async (from, count) => {
    let next = from;
    const worker = async () => {
      while (next < from + count) await turn(`c${next++}`);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return ask('report');
  };

  // Everything is warm after the first of them.
  const warm = await play(0, TURNS);
  const after = await play(TURNS, TURNS);
  const figures = ({ heapUsed, rss }) => `heap ${(heapUsed / MIB).toFixed(1)} MiB, RSS ${(rss / MIB).toFixed(1)} MiB`;
  t.diagnostic(`after ${TURNS}: ${figures(warm)}; after ${2 * TURNS}: ${figures(after)}`);
  t.diagnostic(JSON.stringify(ended));
  assert.deepEqual(after.rejections, []);
  assert.deepEqual(after.resources, warm.resources);
  assert.equal(ended.other, 0);
  assert.ok(ended.succeeded > TURNS, 'most of them had begun a turn');
  // A turn's messages and log are some 10 KB; a closure that is kept for each would be seen.
  assert.ok(after.heapUsed - warm.heapUsed < 4 * MIB, `${after.heapUsed - warm.heapUsed} bytes more of heap`);
});
