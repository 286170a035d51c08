// `turnkeep/http` and `turnkeep/nest` in the frameworks of hosts: mounted as their users mount things, with plugins and guards
// of their own around.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import fastifyCompress from '@fastify/compress';
import fastifyCors from '@fastify/cors';
import { serve as serveHono } from '@hono/node-server';
import { Controller, Get, Module, UnauthorizedException, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import * as ai from 'ai-7';
import compression from 'compression';
import cors from 'cors';
import express from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { cors as honoCors } from 'hono/cors';
import { WebSocket, WebSocketServer } from 'ws';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { createRouter } from '../../bindings-node/http.mjs';
import { Engine } from '../../bindings-node/index.mjs';
import { pageOf } from '../../bindings-node/test/site.mjs';

// As a package it would be found beside the framework, not beside its own sources.
const { TurnkeepController, TurnkeepModule } = createRequire(import.meta.url)('../../bindings-node/nest.js');

const origin = 'https://page.example';
let provider;
let engine;
let script = () => [text('hello '), text('there'), ...finish('stop', 1, 1)];

const options = () => ({
  store: 'sqlite::memory:',
  chats: { ids: 'any' },
  tools: { look: { readOnly: true, execute: () => 'seen' } },
  providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
});

before(async () => {
  provider = await startProvider((request) => script(request));
  engine = await Engine.open(options());
});

after(async () => {
  await engine.close({ graceMs: 0 });
  await provider.close();
});

/** Nobody is signed in who does not say who they are. */
const whoOf = (name) => (name ? { workspaceId: 'w1', userId: name } : null);
const router = (more) => createRouter({ engine, who: (request) => whoOf(request.headers.get('x-user')), ...more });

async function listening(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: server.address().port, close: () => server.close(), engine };
}

function decorated(target, ...decorators) {
  for (const decorator of decorators) decorator(target);
  return target;
}

/** An application of Nest's that has the module, a guard, a global prefix, and a controller of its own beside. */
function nest(adapter) {
  return async () => {
    class Guard {
      canActivate(context) {
        const request = context.switchToHttp().getRequest();
        request.user = request.headers['x-user'];
        if (!request.user) throw new UnauthorizedException('nobody is signed in');
        return true;
      }
    }
    class Chat extends TurnkeepController {
      who(request) {
        return whoOf(request.user);
      }
    }
    decorated(Chat, UseGuards(Guard), Controller('chat'));
    class Other {
      constructor(injected) {
        this.engine = injected;
      }
      fail() {
        return this.engine.runs.get({ workspaceId: 'w1', userId: 'u1', runId: '01a22cae-bf8c-7353-9307-6cfd3a5bfdb2' });
      }
    }
    decorated(Other, Controller('other'));
    Get('fail')(Other.prototype, 'fail', Object.getOwnPropertyDescriptor(Other.prototype, 'fail'));
    Reflect.defineMetadata('design:paramtypes', [Engine], Other);
    class App {}
    const turnkeep = TurnkeepModule.forRootAsync({ useFactory: async () => options() });
    decorated(App, Module({ imports: [turnkeep], controllers: [Chat, Other] }));
    const app = await NestFactory.create(App, adapter(), { logger: false });
    app.setGlobalPrefix('api');
    app.enableCors({ origin });
    const server = await app.listen(0, '127.0.0.1');
    return { port: server.address().port, close: () => app.close(), engine: app.get(Engine), nest: true };
  };
}

const hosts = {
  http: () => listening(createServer(router().node)),
  'Express, with its parsers': async () => {
    const app = express();
    app.use(compression({ threshold: 0 }), cors({ origin }), express.json());
    app.use(router().node);
    app.get('/api/chat-else', (_, response) => response.send('else'));
    return listening(createServer(app));
  },
  'Express, below a path': async () => {
    const app = express();
    app.use(cors({ origin }));
    app.use('/api/chat', router().node);
    app.get('/api/chat-else', (_, response) => response.send('else'));
    return listening(createServer(app));
  },
  Fastify: async () => {
    const app = Fastify({ forceCloseConnections: true });
    await app.register(fastifyCompress, { threshold: 0 });
    await app.register(fastifyCors, { origin });
    await app.register(router().fastify);
    // Its own parsers are as they were.
    app.post('/api/chat-else', async (request) => request.body.said);
    await app.listen({ port: 0, host: '127.0.0.1' });
    return { port: app.server.address().port, close: () => app.close(), engine };
  },
  Hono: async () => {
    const app = new Hono();
    app.use(honoCors({ origin }));
    const chat = router();
    app.all('/api/chat/*', (context) => chat.fetch(context.req.raw, context));
    app.all('/api/chat', (context) => chat.fetch(context.req.raw, context));
    const server = serveHono({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' });
    await once(server, 'listening');
    return { port: server.address().port, close: () => server.close(), engine };
  },
  'Nest on Express': nest(() => new ExpressAdapter()),
  'Nest on Fastify': nest(() => new FastifyAdapter()),
};

/** An answer that goes on when it is told to. */
function held() {
  let goOn;
  const told = new Promise((resolve) => (goOn = resolve));
  async function* events() {
    yield text('first words');
    await told;
    yield* [text(' and the last'), ...finish('stop', 1, 1)];
  }
  return { events, goOn };
}

const say = (words) => ({ role: 'user', parts: [{ type: 'text', text: words }] });

for (const [name, start] of Object.entries(hosts)) {
  test(`${name}: the endpoints are there, streams stream, and refusals have their status`, async (t) => {
    const { events, goOn } = held();
    script = () => ({ events: events() });
    const host = await start();
    t.after(() => host.close());
    const api = `http://127.0.0.1:${host.port}/api/chat`;
    const headers = { 'x-user': `user of ${name}`, 'content-type': 'application/json', origin };
    const bare = { 'x-user': headers['x-user'], origin };
    const ask = (method, path, body) =>
      fetch(`${api}${path}`, { method, headers: body ? headers : bare, body: body && JSON.stringify(body) });

    const response = await ask('POST', '', { id: `chat of ${name}`, messages: [say('go')] });
    assert.equal(response.status, 200, await (response.ok ? '' : response.text()));
    assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
    if (name !== 'http') assert.equal(response.headers.get('access-control-allow-origin'), origin);
    const chatId = response.headers.get('x-turnkeep-chat-id');
    let received = '';
    const decoder = new TextDecoder();
    for await (const piece of response.body) {
      received += decoder.decode(piece, { stream: true });
      if (received.includes('first words')) goOn();
    }
    assert.match(received, /^id: 0$/m);
    assert.ok(received.endsWith('data: [DONE]\n\n'));

    const { items } = await (await ask('GET', '/chats')).json();
    assert.deepEqual(
      items.map(({ id }) => id),
      [chatId],
    );
    const renamed = await ask('PATCH', `/chats/${chatId}`, { title: 'Named 🙂' });
    assert.equal((await renamed.json()).title, 'Named 🙂');
    assert.match(await (await ask('GET', `/chats/${chatId}/export`)).text(), /^# Named 🙂/);
    assert.equal((await ask('GET', `/${chatId}/stream`)).status, 204);
    const wrong = await ask('POST', '', { id: chatId, messages: 'none' });
    assert.deepEqual([wrong.status, (await wrong.json()).error.details.field], [400, 'messages']);
    // Every client of the AI SDK's may leave the type of its body out.
    const untyped = await fetch(api, {
      method: 'POST',
      headers: { 'x-user': headers['x-user'] },
      body: JSON.stringify({ id: chatId, messages: 'none' }),
    });
    if (!host.nest) assert.equal(untyped.status, 400);
    // A recording is a body that no parser of the framework knows.
    const recording = { ...bare, 'content-type': 'audio/webm;codecs=opus' };
    const heard = await fetch(`${api}/transcribe`, { method: 'POST', headers: recording, body: 'not really' });
    assert.deepEqual([heard.status, (await heard.json()).error.code], [503, 'STT_NOT_CONFIGURED']);
    const { length } = await (await ask('GET', `/chats/${chatId}/runs`)).json();
    assert.equal(length, 1);
    const nobody = await fetch(`${api}/chats`);
    assert.equal(nobody.status, 401);
    await nobody.text();
    assert.equal((await ask('GET', '/no/such/route/at/all')).status, 404);
    assert.equal((await ask('DELETE', `/chats/${chatId}`)).status, 204);
    if (name.startsWith('Express')) assert.equal(await (await fetch(`${api}-else`)).text(), 'else');
    if (name === 'Fastify') {
      const body = JSON.stringify({ said: 'else' });
      const own = await fetch(`${api}-else`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      assert.equal(await own.text(), 'else');
    }
    if (host.nest) {
      const failed = await fetch(`http://127.0.0.1:${host.port}/api/other/fail`);
      assert.deepEqual([failed.status, (await failed.json()).error], [404, 'NOT_FOUND']);
    }
  });
}

test('an application of Nest that closes hands over what is being told', async (t) => {
  const { events, goOn } = held();
  script = () => ({ events: events() });
  const host = await hosts['Nest on Express']();
  const response = await fetch(`http://127.0.0.1:${host.port}/api/chat`, {
    method: 'POST',
    headers: { 'x-user': 'u1', 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'c', messages: [say('go')] }),
  });
  let received = '';
  let closed;
  for await (const piece of response.body) {
    received += Buffer.from(piece).toString();
    if (!closed && received.includes('first words')) {
      closed = host.close();
      goOn();
    }
  }
  assert.match(received, /and the last/);
  assert.ok(received.endsWith('data: [DONE]\n\n'));
  await closed;
  await assert.rejects(host.engine.startTurn({ workspaceId: 'w1', userId: 'u1', message: 'late' }), {
    code: 'ENGINE_CLOSED',
  });
  t.diagnostic('closed');
});

test('many chats over one socket: sent, resumed, and stopped', async (t) => {
  const { events, goOn } = held();
  script = (request) =>
    JSON.stringify(request.messages).includes('never-ending')
      ? { events: [text('half')], then: 'hang' }
      : request.messages.at(-1).role === 'tool'
        ? { events: events() }
        : [toolCall(0, 'c1', 'look', {}), ...finish('tool_calls', 1, 1)];
  const chat = router({ protocol: 'ai-7' });
  const server = createServer(chat.node);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, request) => chat.socket(socket, request));
  const { port } = await listening(server);
  const transport = () =>
    new ai.WebSocketChatTransport({
      url: `ws://127.0.0.1:${port}`,
      webSocket: class extends WebSocket {
        constructor(url, protocols) {
          super(url, protocols, { headers: { 'x-user': 'sockets' } });
        }
      },
    });
  const open = [];
  t.after(() => {
    for (const each of open) each.close?.();
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  const page = (id, over) => {
    open.push(over);
    return pageOf(ai, { id, transport: over });
  };
  const textOf = ({ messages }) =>
    (messages.at(-1)?.parts ?? [])
      .filter(({ type }) => type === 'text')
      .map(({ text: words }) => words)
      .join('');
  const until = async (look) => {
    while (!(await look())) await new Promise((resolve) => setImmediate(resolve));
  };
  const shared = transport();
  const first = page('socket 1', shared);
  const stopped = page('socket 2', shared);
  const going = first.sendMessage({ text: 'go' });
  const hanging = stopped.sendMessage({ text: 'never-ending' });
  await until(() => textOf(first) === 'first words' && textOf(stopped) === 'half');
  await stopped.stop();
  await hanging;
  const of = { workspaceId: 'w1', userId: 'sockets' };
  await until(async () => (await engine.runs.latestForChat({ ...of, chatId: 'socket 2' })).status === 'aborted');
  // Another page, on a socket of its own, has all of the answer.
  const second = page('socket 1', transport());
  const resumed = second.resumeStream();
  await until(() => textOf(second) === 'first words');
  goOn();
  await Promise.all([going, resumed]);
  assert.deepEqual([textOf(first), textOf(second)], ['first words and the last', 'first words and the last']);
  await second.resumeStream();
  assert.deepEqual([second.status, second.error], ['ready', undefined]);
  // One that is stopped before anything of it has come is stopped, too.
  const early = page('socket 4', shared);
  const sending = early.sendMessage({ text: 'never-ending' });
  await until(() => early.status === 'submitted');
  await early.stop();
  await sending;
  await until(async () => (await engine.runs.activeForChat({ ...of, chatId: 'socket 4' })) === null);
  // Pages of other sites have no socket: it would bring its user's cookies.
  const headers = { 'x-user': 'sockets', origin: 'https://evil.example' };
  const [code] = await once(new WebSocket(`ws://127.0.0.1:${port}`, { headers }), 'close');
  assert.equal(code, 1008);
  const wrong = page('socket 3', shared);
  await wrong.sendMessage({ role: 'user', parts: [] });
  assert.ok(wrong.error, 'a refusal is an error');
});
