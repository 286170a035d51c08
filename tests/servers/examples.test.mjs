// The examples of servers, each run as it is: its packages, a process of its own, a client of the AI SDK, and SIGTERM at the end.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { DefaultChatTransport, readUIMessageStream } from 'ai-7';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const examples = join(here, '../../examples');
const run = promisify(execFile);

/** Where an example finds the packages of this folder, and turnkeep as a package. */
async function installed(name) {
  const folder = join(here, 'node_modules/.examples');
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await symlink(join(here, '../../bindings-node'), join(folder, 'node_modules/turnkeep')).catch(() => {});
  await copyFile(join(examples, 'servers', `${name}.mjs`), join(folder, `${name}.mjs`));
  return { folder, command: [`${name}.mjs`] };
}

async function next() {
  const folder = join(examples, 'next');
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder });
  await run('npm', ['run', 'build'], { cwd: folder, env });
  return { folder, command: ['node_modules/next/dist/bin/next', 'start', '--hostname', '127.0.0.1'] };
}

const servers = {
  express: () => installed('express'),
  fastify: () => installed('fastify'),
  hono: () => installed('hono'),
  next,
};

/** Starts the program; gives where it listens, and what becomes of it. */
async function started(t, { folder, command }, env) {
  const child = spawn(process.execPath, command, {
    cwd: folder,
    env: { ...process.env, PORT: '0', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  t.after(() => child.kill('SIGKILL'));
  for await (const line of createInterface(child.stdout)) {
    const address = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
    if (!address) continue;
    child.stdout.resume();
    return { child, ended, origin: address };
  }
  const [code, signal] = await ended;
  return assert.fail(`it ended with ${code ?? signal} before it said where it is`);
}

for (const [name, prepare] of Object.entries(servers)) {
  test(`${name}: a turn with a tool, its chat again, and an end`, async (t) => {
    const provider = await startProvider(({ messages }) =>
      messages.at(-1).role === 'tool'
        ? [text('It is '), text('late.'), ...finish('stop', 1, 1)]
        : [toolCall(0, 'c1', 'now', {}), ...finish('tool_calls', 1, 1)],
    );
    t.after(() => provider.close());
    const store = await mkdtemp(join(tmpdir(), 'turnkeep-servers-'));
    t.after(() => rm(store, { recursive: true, force: true }));
    const { child, ended, origin } = await started(t, await prepare(), {
      CHAT_STORE: `sqlite:${join(store, 'chats.db')}`,
      CHAT_BASE_URL: provider.baseUrl,
      CHAT_MODEL: 'm',
    });

    const transport = new DefaultChatTransport({ api: `${origin}/api/chat`, headers: { 'x-user': 'mira' } });
    const messages = [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'How late is it?' }] }];
    const stream = await transport.sendMessages({ chatId: 'c1', messages, trigger: 'submit-message' });
    let message;
    for await (message of readUIMessageStream({ stream }));
    const tool = message.parts.find(({ type }) => type === 'tool-now');
    assert.equal(tool.state, 'output-available');
    assert.equal(message.parts.at(-1).text, 'It is late.');
    assert.equal(await transport.reconnectToStream({ chatId: 'c1' }), null);

    const headers = { 'x-user': 'mira' };
    const chat = await (await fetch(`${origin}/api/chat/chats/c1`, { headers })).json();
    assert.deepEqual(chat.messages.at(-1).parts, JSON.parse(JSON.stringify(message.parts)));
    // Another user's chat of the same name is another one.
    assert.deepEqual((await (await fetch(`${origin}/api/chat/chats/c1`)).json()).messages, []);
    assert.equal((await fetch(`${origin}/elsewhere`)).status, 404);

    child.kill('SIGTERM');
    const [code, signal] = await ended;
    // Next ends by the signal itself.
    assert.ok(code === 0 || code === 143 || signal === 'SIGTERM', `${code} ${signal}`);
  });
}
