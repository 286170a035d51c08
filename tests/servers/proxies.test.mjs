// nginx and Caddy as they are installed, between pages and a server: with their default buffering and compression, and with an idle
// timeout that is shorter than a tool is silent.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { TurnkeepChatTransport, followRun } from '../../bindings-node/client.mjs';
import { createRouter } from '../../bindings-node/http.mjs';
import { Engine } from '../../bindings-node/index.mjs';
import { freePort } from './ports.mjs';

/** Where a program is; nothing where there is none. */
function found(name) {
  try {
    return execFileSync('sh', ['-c', `command -v ${name} || ls /usr/sbin/${name}`], { stdio: 'pipe' })
      .toString()
      .trim();
  } catch {
    return undefined;
  }
}

// `make proxies` has them wait for longer: 5 s, and a tool that is silent for 20.
const [IDLE_S, HEARTBEAT_MS, HEARTBEATS, TIMEOUTS] = process.env.SLOW ? [5, 2_000, 10, 4] : [1, 200, 8, 2];

/** How each is told to pass everything on, and to give up a connection that is silent. */
const proxies = {
  nginx: {
    program: found('nginx'),
    silence: `proxy_read_timeout ${IDLE_S}s;`,
    configuration: (folder, port, to, directives) => `
      daemon off; master_process off; pid ${folder}/pid; error_log stderr;
      events {}
      http {
        access_log off; gzip on; gzip_types *;
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
        uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        server {
          listen 127.0.0.1:${port};
          location / { proxy_pass http://127.0.0.1:${to}; ${directives} }
        }
      }`,
    arguments: (file, folder) => ['-c', file, '-p', folder],
  },
  caddy: {
    program: found('caddy'),
    silence: `transport http {\n read_timeout ${IDLE_S}s\n }`,
    configuration: (_, port, to, directives) => `
      {
        admin off
        auto_https off
      }
      http://127.0.0.1:${port} {
        bind 127.0.0.1
        encode gzip
        reverse_proxy 127.0.0.1:${to} {
          ${directives}
        }
      }`,
    arguments: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};
const user = { workspaceId: 'w1', userId: 'u1' };
const say = (words) => ({ id: 'm1', role: 'user', parts: [{ type: 'text', text: words }] });

/** A proxy in front of a server, with these directives for what it passes on. */
async function world(t, kind, script, { directives = '', router = {}, tools } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-proxy-'));
  const provider = await startProvider(script);
  const engine = await Engine.open({
    store: 'sqlite::memory:',
    chats: { ids: 'any' },
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
    tools,
  });
  const reports = [];
  const onStream = (report) => reports.push(report);
  const server = createServer(createRouter({ engine, who: () => user, onStream, ...router }).node).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const port = await freePort();
  const file = join(folder, 'configuration');
  writeFileSync(file, kind.configuration(folder, port, server.address().port, directives));
  // What it keeps besides goes where it is thrown away.
  const env = { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const proxy = spawn(kind.program, kind.arguments(file, folder), { stdio: 'ignore', env });
  t.after(async () => {
    proxy.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
    await engine.close({ graceMs: 0 });
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const api = `http://127.0.0.1:${port}/api/chat`;
  for (;;) {
    const there = await fetch(`${api}/chats`).then(
      (response) => response.ok,
      () => false,
    );
    if (there) return { api, engine, reports };
    assert.equal(proxy.exitCode, null, 'the proxy has ended');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [proxy, kind] of Object.entries(proxies)) {
  const skip = kind.program === undefined && `there is no ${proxy} on this machine`;

  test(`${proxy}: with its default buffering what is said arrives while the answer goes on`, { skip }, async (t) => {
    let goOn;
    const told = new Promise((resolve) => (goOn = resolve));
    const { api } = await world(t, kind, () => ({
      events: (async function* () {
        yield text('first words');
        await told;
        yield* [text(' and the last'), ...finish('stop', 1, 1)];
      })(),
    }));
    const transport = new TurnkeepChatTransport({ api, keepIds: true });
    const stream = await transport.sendMessages({ chatId: 'c', trigger: 'submit-message', messages: [say('go')] });
    let received = '';
    for await (const chunk of stream) {
      if (chunk.type === 'text-delta') received += chunk.delta;
      if (received === 'first words') goOn();
    }
    assert.equal(received, 'first words and the last');
  });

  for (const [name, router] of Object.entries({
    'the server says in time that it is there': { heartbeatMs: HEARTBEAT_MS },
    'the server does not, and is asked again': { heartbeatMs: 60_000 },
  })) {
    test(`${proxy}: with an idle timeout that is shorter than a tool is silent: ${name}`, { skip }, async (t) => {
      let finished;
      const silent = new Promise((resolve) => (finished = resolve));
      const script = (request) =>
        request.messages.at(-1).role === 'tool'
          ? [text('done'), ...finish('stop', 1, 1)]
          : [text('wait '), toolCall(0, 'call_1', 'slow', {}), ...finish('tool_calls', 1, 1)];
      const tools = { slow: { readOnly: true, execute: () => silent.then(() => 'late') } };
      const { api, reports } = await world(t, kind, script, { directives: kind.silence, router, tools });
      const lost = [];
      const onConnection = ({ state }) => {
        lost.push(state);
        if (lost.filter((each) => each === 'lost').length === TIMEOUTS) finished();
      };
      let heartbeats = 0;
      /** As `fetch`; more of them than fit into the idle timeout, and the tool has come to something. */
      const counting = async (...asked) => {
        const response = await fetch(...asked);
        const counted = new TransformStream({
          transform(bytes, controller) {
            heartbeats += Buffer.from(bytes).toString().split(': ping').length - 1;
            if (heartbeats >= HEARTBEATS) finished();
            controller.enqueue(bytes);
          },
        });
        return new Response(response.body.pipeThrough(counted), response);
      };
      const transport = new TurnkeepChatTransport({ api, keepIds: true, maxWaitMs: 20, onConnection, fetch: counting });
      const stream = await transport.sendMessages({ chatId: 'c', trigger: 'submit-message', messages: [say('go')] });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      const words = chunks.filter(({ type }) => type === 'text-delta').map(({ delta }) => delta);
      assert.equal(words.join(''), 'wait done');
      assert.equal(chunks.filter(({ type }) => type === 'tool-output-available').length, 1);
      assert.equal(lost.includes('lost'), router.heartbeatMs > HEARTBEAT_MS, lost.join());
      // The server knows a little later than the page.
      while (reports.length === 0) await new Promise((resolve) => setImmediate(resolve));
      if (router.heartbeatMs === HEARTBEAT_MS) assert.ok(reports[0].heartbeats > 5 && reports[0].complete);
      else assert.ok(!reports[0].complete && reports[0].lastSilenceMs > 500, JSON.stringify(reports[0]));
      const { runId } = transport.idsOf('c');
      const again = [];
      for await (const chunk of followRun({ url: `${api}/runs/${runId}/stream` })) again.push(chunk);
      assert.equal(again.at(-1).type, 'finish');
    });
  }
}
