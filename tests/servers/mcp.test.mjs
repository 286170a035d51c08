// Tool servers that are not ours, in whole turns: the protocol's own test server over each of its wires, and a server of the
// newest official SDK, which speaks the revision without sessions.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { getRequestListener } from '@hono/node-server';
import { McpServer, createMcpHandler, fromJsonSchema } from '@modelcontextprotocol/server';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { Engine } from '../../bindings-node/index.mjs';
import { freePort } from './ports.mjs';

const user = { workspaceId: 'w1', userId: 'u1' };
const admin = { workspaceId: 'w1', actor: { userId: 'a1', isAdmin: true } };
const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

let provider;
/** What the model calls in its first step. */
let calls;

before(async () => {
  provider = await startProvider((request) =>
    request.messages.some((message) => message.role === 'tool')
      ? [text('done'), ...finish('stop', 1, 1)]
      : [
          ...calls.map(([name, input], place) => toolCall(place, `call_${place}`, name, input)),
          ...finish('tool_calls', 1, 1),
        ],
  );
});

after(() => provider.close());

const open = (more = {}) =>
  Engine.open({
    store: 'sqlite::memory:',
    http: { allowPrivate: ['127.0.0.1'] },
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
    ...more,
  });

/** Starts the test server, and waits until it says that it listens. */
async function listening(transport) {
  const port = await freePort();
  const child = spawn(process.execPath, [everything, transport], { env: { ...process.env, PORT: port } });
  await new Promise((resolve, reject) => {
    let said = '';
    const hear = (piece) => {
      said += piece;
      if (/running on|listening on/i.test(said)) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', () => reject(new Error(`the server has ended: ${said}`)));
  });
  return { child, origin: `http://127.0.0.1:${port}` };
}

/** The outcomes of a turn's calls in their order, and what was shown before them. */
async function play(engine, more = {}) {
  const turn = await engine.startTurn({ ...user, message: 'go', mcpTools: true, ...more });
  const chunks = [];
  for await (const chunk of turn.chunks()) chunks.push(JSON.parse(JSON.stringify(chunk)));
  const outcome = await turn.done();
  assert.equal(outcome.status, 'succeeded', JSON.stringify(outcome));
  const told = chunks.filter(({ type }) => type.startsWith('tool-output'));
  const final = calls.map((_, place) => told.findLast(({ toolCallId }) => toolCallId === `call_${place}`));
  return { final, shown: told.filter(({ preliminary }) => preliminary), outcome, turn };
}

const wires = {
  http: async () => {
    const { child, origin } = await listening('streamableHttp');
    return { child, url: `${origin}/mcp` };
  },
  sse: async () => {
    const { child, origin } = await listening('sse');
    return { child, url: `${origin}/sse` };
  },
  stdio: async () => ({
    url: 'everything',
    options: { mcp: { programs: { everything: { command: process.execPath, args: [everything, 'stdio'] } } } },
  }),
};

const own = (name) => `Everything_${name}`;

for (const [transport, start] of Object.entries(wires)) {
  test(`the protocol's own test server over ${transport} serves whole turns`, async () => {
    const { child, url, options } = await start();
    const engine = await open(options);
    try {
      const server = await engine.mcp.create({ ...admin, name: 'Everything', transport, url });
      const tested = await engine.mcp.test({ ...admin, serverId: server.id });
      assert.ok(tested.ok && tested.tools.includes('echo'), JSON.stringify(tested));

      calls = [
        [own('echo'), { message: 'hi' }],
        [own('get-sum'), { a: 2, b: 3 }],
        [own('trigger-long-running-operation'), { duration: 0.1, steps: 2 }],
        [own('get-tiny-image'), {}],
        [own('get-structured-content'), { location: 'Chicago' }],
        [own('get-annotated-message'), { messageType: 'error', includeImage: false }],
        [own('get-resource-links'), { count: 2 }],
        [own('get-resource-reference'), { resourceType: 'Text', resourceId: 1 }],
        [own('get-sum'), { a: 'two', b: 3 }],
      ];
      const { final, shown, outcome, turn } = await play(engine);
      for (const { output } of final.slice(0, 8)) {
        assert.deepEqual([output.untrusted, output.server], [true, 'Everything'], JSON.stringify(output));
      }
      const [echo, sum, long, image, structured, annotated, links, reference, wrong] = final;
      assert.match(echo.output.content[0].text, /hi/);
      assert.match(sum.output.content[0].text, /5/);
      assert.match(long.output.content[0].text, /completed/);
      assert.deepEqual(
        shown.map(({ toolCallId, output }) => [toolCallId, output.progress, output.total]),
        [1, 2].map((progress) => ['call_2', progress, 2]),
      );
      const picture = image.output.content.find(({ type }) => type === 'image');
      assert.equal(picture.mimeType, 'image/png');
      assert.equal(Buffer.from(picture.data, 'base64').subarray(1, 4).toString(), 'PNG');
      assert.equal(structured.output.structuredContent.conditions, 'Light rain / drizzle');
      assert.match(annotated.output.content[0].text, /error/i);
      assert.equal(links.output.content.filter(({ type }) => type === 'resource_link').length, 2);
      assert.ok(
        reference.output.content.some(({ type }) => type === 'resource'),
        JSON.stringify(reference),
      );
      assert.equal(wrong.type, 'tool-output-error', JSON.stringify(wrong));
      // Where it can be heard, this server says after each handshake that its tools are others now.
      const warnings = new Set((outcome.warnings ?? []).map(({ code }) => code));
      assert.deepEqual([...warnings], transport === 'http' ? [] : ['mcp_tools_changed']);

      // What is stored is what was told, and the model was told it as well.
      const [, reply] = await engine.chats.messages({ ...user, chatId: turn.chatId });
      const stored = reply.metadata.parts.filter(({ toolCallId }) => toolCallId);
      assert.deepEqual(stored[1].output, sum.output);
      const results = provider.requests.at(-1).messages.filter(({ role }) => role === 'tool');
      assert.equal(results.length, calls.length);
      assert.match(results[1].content, /5/);

      // Neither does a turn that is not stored go without.
      calls = [[own('echo'), { message: 'again' }]];
      const again = await play(engine, { stateless: {} });
      assert.match(again.final[0].output.content[0].text, /again/);
    } finally {
      await engine.close({ graceMs: 0 });
      child?.kill();
    }
  });
}

test('a server of the newest official SDK serves whole turns, in the revision without sessions', async () => {
  const asked = [];
  const schema = fromJsonSchema({
    type: 'object',
    properties: { a: { type: 'number' }, b: { type: 'number' } },
    required: ['a', 'b'],
  });
  const make = () => {
    const server = new McpServer({ name: 'sums', version: '1.0.0' });
    server.registerTool('sum', { description: 'Adds', inputSchema: schema }, ({ a, b }) => ({
      content: [{ type: 'text', text: String(a + b) }],
      structuredContent: { sum: a + b },
    }));
    server.registerTool('fail', { description: 'Fails' }, () => {
      throw new Error('the sums are out of order');
    });
    return server;
  };
  // Whoever speaks an older revision is turned away.
  const handler = createMcpHandler(make, { legacy: 'reject' });
  const listener = getRequestListener((request) => {
    asked.push([request.headers.get('mcp-method'), request.headers.get('mcp-protocol-version')]);
    return handler.fetch(request);
  });
  const http = createServer(listener).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const engine = await open();
  try {
    const url = `http://127.0.0.1:${http.address().port}/mcp`;
    await engine.mcp.create({ ...admin, name: 'Sums', transport: 'http', url });
    calls = [
      ['Sums_sum', { a: 2, b: 40 }],
      ['Sums_fail', {}],
    ];
    const { final, outcome } = await play(engine);
    assert.deepEqual(final[0].output, {
      untrusted: true,
      server: 'Sums',
      content: [{ type: 'text', text: '42' }],
      structuredContent: { sum: 42 },
    });
    assert.match(final[1].errorText, /out of order/);
    assert.deepEqual(outcome.warnings ?? [], []);
    assert.deepEqual([...new Set(asked.map(([method]) => method))], ['server/discover', 'tools/list', 'tools/call']);
    assert.deepEqual([...new Set(asked.map(([, revision]) => revision))], ['2026-07-28']);
  } finally {
    await engine.close({ graceMs: 0 });
    await handler.close();
    http.closeAllConnections();
    http.close();
  }
});
