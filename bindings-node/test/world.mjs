// An engine on a database of its own and a scripted provider, both gone after the test.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { Engine } from '../index.mjs';

export const user = { workspaceId: 'w1', userId: 'u1' };

export const answer = (words) => [text(words), ...finish('stop', 10, 5)];
export const call = (name, input = {}, id = 'call_1') => [toolCall(0, id, name, input), ...finish('tool_calls', 20, 8)];

/** `script`: the answers in order, or a function of the request. */
export async function world(t, script, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-test-'));
  const respond = typeof script === 'function' ? script : (_, number) => script[number];
  const provider = await startProvider(respond);
  const database = join(folder, 'chats.db');
  const settings = {
    store: `sqlite:${database}`,
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
    // A script has one answer for each request.
    http: { maxTries: 1 },
    ...options,
    runs: { stepRetries: 0, ...options.runs },
  };
  const engine = await Engine.open(settings);
  t.after(async () => {
    await engine.close({ graceMs: 0 });
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { engine, provider, database, settings };
}

export async function collect(iterable) {
  const items = [];
  for await (const item of iterable) items.push(item);
  return items;
}

/** What an async function throws. */
export async function thrown(run) {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
