// `turn.pipe` in the frameworks of hosts, with what they put between a handler and its client: what is said reaches the
// client while the answer goes on, headers of all sides arrive once, and nothing is rejected.

import assert from 'node:assert/strict';
import { createServer, get } from 'node:http';
import * as http2 from 'node:http2';
import { after, before, test } from 'node:test';
import { createGunzip } from 'node:zlib';

import fastifyCompress from '@fastify/compress';
import fastifyCors from '@fastify/cors';
import { Controller, Get, Module, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import compression from 'compression';
import cors from 'cors';
import express from 'express';
import Fastify from 'fastify';

import { finish, startProvider, text } from '../../examples/demo/provider.mjs';
import { Engine } from '../../bindings-node/index.mjs';

const origin = 'https://page.example';
const user = { workspaceId: 'w1', userId: 'u1' };
const headers = { 'X-Mine': 'yes', 'Cache-Control': 'private, no-transform' };

/** A model that says the rest of its answer when it is told to. */
let provider;
let goOn;
let engine;

before(async () => {
  provider = await startProvider(() => ({ events: words() }));
  engine = await open();
});

after(async () => {
  await engine.close({ graceMs: 0 });
  await provider.close();
});

async function* words() {
  const told = new Promise((resolve) => (goOn = resolve));
  yield text('first words');
  await told;
  yield* [text(' and the last'), ...finish('stop', 1, 1)];
}

function open() {
  const config = { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl };
  return Engine.open({ store: 'sqlite::memory:', providers: { default: config } });
}

/** What a host's handler does with whatever its framework calls a response. */
let rejected;
async function answer(response, options = { headers, heartbeatMs: 60_000 }) {
  const turn = await engine.startTurn({ ...user, message: 'go' });
  await turn.pipe(response, options).catch((error) => {
    rejected = error;
    throw error;
  });
}

async function listening(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, close: () => server.close() };
}

function nest(adapter, ...plugins) {
  class Chat {
    stream(response) {
      return answer(response);
    }
  }
  Controller()(Chat);
  Get()(Chat.prototype, 'stream', Object.getOwnPropertyDescriptor(Chat.prototype, 'stream'));
  Res()(Chat.prototype, 'stream', 0);
  class App {}
  Module({ controllers: [Chat] })(App);
  return async () => {
    const app = await NestFactory.create(App, adapter(), { logger: false });
    app.enableCors({ origin, credentials: true });
    for (const plugin of plugins) await plugin(app);
    const server = await app.listen(0, '127.0.0.1');
    return { port: server.address().port, close: () => app.close() };
  };
}

async function fastify() {
  const app = Fastify({ forceCloseConnections: true });
  await app.register(fastifyCompress, { threshold: 0 });
  await app.register(fastifyCors, { origin, credentials: true });
  app.get('/', async (_, reply) => {
    await answer(reply);
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: app.server.address().port, close: () => app.close() };
}

function expressApp(...middleware) {
  return () => {
    const app = express();
    for (const each of [...middleware, cors({ origin, credentials: true })]) app.use(each);
    app.get('/', (_, response) => answer(response));
    return listening(createServer(app));
  };
}

/** Compresses whatever it is given, as one that knows nothing of `no-transform`. */
function compressesAnything(request, response, next) {
  const keep = response.setHeader;
  response.setHeader = function (name, value) {
    return keep.call(this, name, name.toLowerCase() === 'cache-control' ? 'private' : value);
  };
  compression({ threshold: 0, filter: () => true })(request, response, next);
}

const hosts = {
  'bare http': { start: () => listening(createServer((_, response) => answer(response))) },
  'Express with compression': { start: expressApp(compression({ threshold: 0 })), cors: true },
  'Express with a compression that nothing stops': {
    start: expressApp(compressesAnything),
    cors: true,
    compressed: true,
  },
  'Fastify with @fastify/compress and @fastify/cors': { start: fastify, cors: true },
  'Nest on Express with compression': {
    start: nest(
      () => new ExpressAdapter(),
      (app) => app.use(compression({ threshold: 0 })),
    ),
    cors: true,
  },
  'Nest on Fastify with @fastify/compress': {
    start: nest(
      () => new FastifyAdapter(),
      (app) => app.register(fastifyCompress, { threshold: 0 }),
    ),
    cors: true,
  },
};

function ask(port) {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', headers: { 'accept-encoding': 'gzip', origin } }, resolve).once('error', reject);
  });
}

/** Reads until the text is there. */
async function until(pieces, wanted, received = '') {
  while (!received.includes(wanted)) {
    const { value, done } = await pieces.next();
    assert.ok(!done, `the stream ended before ${JSON.stringify(wanted)}: ${received}`);
    received += value;
  }
  return received;
}

for (const [name, { start, cors: hasCors, compressed }] of Object.entries(hosts)) {
  test(`${name}: what is said arrives while the answer goes on`, async (t) => {
    rejected = undefined;
    const host = await start();
    t.after(() => host.close());
    const response = await ask(host.port);
    const body = compressed ? response.pipe(createGunzip()) : response;
    const pieces = body.setEncoding('utf8')[Symbol.asyncIterator]();
    const received = await until(pieces, 'first words');
    goOn();
    const whole = await until(pieces, 'data: [DONE]', received);
    assert.match(whole, /and the last/);
    assert.ok((await pieces.next()).done);
    assert.equal(rejected, undefined);
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers['content-type'], 'text/event-stream');
    assert.equal(response.headers['content-encoding'], compressed && 'gzip');
    assert.equal(response.headers['x-mine'], 'yes');
    assert.equal(response.headers['cache-control'], compressed ? 'private' : 'private, no-transform');
    const names = response.rawHeaders.filter((_, index) => index % 2 === 0).map((each) => each.toLowerCase());
    assert.deepEqual(names, [...new Set(names)]);
    if (hasCors) {
      assert.equal(response.headers['access-control-allow-origin'], origin);
      assert.equal(response.headers['access-control-allow-credentials'], 'true');
    }
  });
}

test('an HTTP/2 client is answered, and what belongs to a connection of HTTP/1.1 is left out', async (t) => {
  const warnings = [];
  const warn = (warning) => warnings.push(warning.message);
  process.on('warning', warn);
  const server = http2.createServer((_, response) =>
    answer(response, { headers: { ...headers, connection: 'keep-alive' } }),
  );
  const host = await listening(server);
  const client = http2.connect(`http://127.0.0.1:${host.port}`);
  t.after(() => {
    process.off('warning', warn);
    client.destroy();
    host.close();
  });
  const stream = client.request({ ':path': '/' });
  const head = await new Promise((resolve) => stream.once('response', resolve));
  const pieces = stream.setEncoding('utf8')[Symbol.asyncIterator]();
  const received = await until(pieces, 'first words');
  goOn();
  await until(pieces, 'data: [DONE]', received);
  assert.ok((await pieces.next()).done);
  assert.equal(head['x-mine'], 'yes');
  assert.equal(head.connection, undefined);
  assert.deepEqual(warnings, []);
});

test('an HTTP/2 client that leaves ends the pipe', async (t) => {
  let piped;
  const host = await listening(http2.createServer((_, response) => (piped = answer(response, { heartbeatMs: 5 }))));
  const client = http2.connect(`http://127.0.0.1:${host.port}`);
  t.after(() => {
    client.destroy();
    host.close();
  });
  const stream = client.request({ ':path': '/' });
  await until(stream.setEncoding('utf8')[Symbol.asyncIterator](), 'first words').then(() => stream.close());
  await piped;
  goOn();
});

test('a server that cuts its connections after the engine has closed cuts no answer short', async (t) => {
  const shared = engine;
  const own = await open();
  engine = own;
  t.after(() => (engine = shared));
  const server = createServer((_, response) => answer(response));
  const host = await listening(server);
  const response = await ask(host.port);
  const pieces = response.setEncoding('utf8')[Symbol.asyncIterator]();
  const received = await until(pieces, 'first words');
  const closing = own.close({ graceMs: 30_000 }).then(() => {
    server.closeAllConnections();
    server.close();
  });
  goOn();
  await until(pieces, 'data: [DONE]', received);
  await closing;
});
