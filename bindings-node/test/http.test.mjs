// `turnkeep/http`: the endpoints, as the AI SDK's own clients and as anybody else asks for them.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as sdk from 'ai';
import * as oldest from 'ai-6.0.134';
import * as seven from 'ai-7';
import * as newest from 'ai-newest';

import { createRouter, failureBody } from '../http.mjs';
import failure from '../lib/http/failure.js';
import routes from '../lib/http/routes.js';
import surface from '../lib/surface.js';
import { finish, text } from '../../examples/demo/provider.mjs';
import { listening, pageOf, site } from './site.mjs';
import { answer, call, collect, thrown, user } from './world.mjs';

const { KINDS } = failure;
const { ROUTES } = routes;
const { ERROR_CLASSES } = surface;
const versions = { 'ai 6.0.134': oldest, 'ai 6.0.207': sdk, 'the newest ai 6': newest, 'ai 7': seven };
const say = (words, id = 'm1') => ({ id, role: 'user', parts: [{ type: 'text', text: words }] });

/** An answer that goes on when it is told to. */
function held(before, after) {
  let goOn;
  const told = new Promise((resolve) => (goOn = resolve));
  async function* events() {
    yield text(before);
    await told;
    yield* [text(after), ...finish('stop', 1, 1)];
  }
  return { script: { events: events() }, goOn };
}

async function until(look) {
  for (;;) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const [version, ai] of Object.entries(versions)) {
  test(`an unmodified page sends, has its answer anew and is told of a busy chat: ${version}`, async (t) => {
    const { script, goOn } = held('half ', 'whole');
    const { api } = await site(t, (_, number) => (number < 2 ? answer(`answer ${number}`) : script));
    const page = () => pageOf(ai, { id: 'c1', transport: new ai.DefaultChatTransport({ api }) });
    const first = page();
    await first.sendMessage({ text: 'go' });
    assert.deepEqual([first.text(), first.error], ['answer 0', undefined]);
    await first.regenerate();
    assert.deepEqual([first.text(), first.error], ['answer 1', undefined]);
    const going = first.sendMessage({ text: 'and' });
    await until(() => first.messages.at(-1)?.role === 'assistant' && first.text() === 'half ');
    const second = page();
    await second.sendMessage({ text: 'me, too' });
    const { error } = JSON.parse(second.error.message);
    assert.deepEqual([error.code, error.kind, error.statusCode], ['A_RUN_ALREADY_ACTIVE', 'busy', 409]);
    goOn();
    await going;
    assert.equal(first.text(), 'half whole');
  });

  test(`a page that is loaded in mid-answer resumes, and a chat that is free has nothing: ${version}`, async (t) => {
    const { script, goOn } = held('half ', 'whole');
    const { api, ask } = await site(t, [script]);
    const transport = () => new ai.DefaultChatTransport({ api });
    const sent = pageOf(ai, { id: 'c1', transport: transport() });
    const going = sent.sendMessage({ text: 'go' });
    await until(() => sent.messages.at(-1)?.role === 'assistant' && sent.text() === 'half ');
    const { json } = await ask('GET', '/chats/c1');
    const loaded = pageOf(ai, { id: 'c1', messages: json.messages, transport: transport() });
    const resumed = loaded.resumeStream();
    await until(() => loaded.messages.at(-1)?.role === 'assistant' && loaded.text() === 'half ');
    goOn();
    await Promise.all([going, resumed]);
    assert.deepEqual([loaded.text(), loaded.messages.length], ['half whole', 2]);
    assert.equal((await ask('GET', '/c1/stream')).status, 204);
    assert.equal((await ask('GET', '/never-heard-of/stream')).status, 204);
  });

  test(`a page allows and answers, and its message goes on: ${version}`, async (t) => {
    const made = await site(t, (_, number) => [call('write'), call('ask', {}, 'call_2'), answer('done')][number], {
      router: { turn: () => ({ offeredTools: ['write', 'ask'] }) },
    });
    const inputSchema = { type: 'object' };
    made.engine.offerTools({
      write: { inputSchema, approval: 'always', execute: () => 'written' },
      ask: { inputSchema, clientSide: true },
    });
    const page = pageOf(ai, {
      id: 'c1',
      transport: new ai.DefaultChatTransport({ api: made.api }),
      sendAutomaticallyWhen: (given) =>
        ai.lastAssistantMessageIsCompleteWithApprovalResponses(given) ||
        ai.lastAssistantMessageIsCompleteWithToolCalls(given),
    });
    const part = (type, state) => page.messages.at(-1)?.parts?.find((one) => one.type === type && one.state === state);
    await page.sendMessage({ text: 'go' });
    const { approval } = part('tool-write', 'approval-requested');
    await page.addToolApprovalResponse({ id: approval.id, approved: true });
    await until(() => part('tool-ask', 'input-available') && page.status === 'ready');
    assert.equal(part('tool-write', 'output-available').output, 'written');
    await page.addToolOutput({ tool: 'ask', toolCallId: 'call_2', output: 'here' });
    await until(() => page.text() === 'done' && page.status === 'ready');
    assert.equal(page.error, undefined);
    assert.equal(page.messages.length, 2);
    const { json } = await made.ask('GET', '/chats/c1');
    const shape = ({ parts }) => parts.map(({ type, state, output }) => [type, state, output]);
    assert.deepEqual(shape(json.messages[1]), shape(page.messages[1]));
    const again = await made.ask('POST', '', { id: 'c1', messages: page.messages });
    assert.deepEqual([again.status, again.json.error.code], [409, 'NOT_WAITING']);
  });
}

/** What a stream's events say. */
const events = (stream) =>
  stream
    .split('\n\n')
    .filter((event) => event.includes('data: {'))
    .map((event) => ({
      id: /^id: (.*)$/m.exec(event)?.[1],
      chunk: JSON.parse(event.slice(event.indexOf('data: ') + 6)),
    }));

test('whoever counts chunks, or names the last event, is told what is missing, and then nothing', async (t) => {
  const { api, ask } = await site(t, [answer('one two three')]);
  const whole = await ask('POST', '', { id: 'c1', messages: [say('go')] });
  const told = events(whole.text);
  assert.ok(whole.text.endsWith('data: [DONE]\n\n'));
  const runId = whole.headers.get('x-workflow-run-id');
  assert.equal(whole.headers.get('x-turnkeep-run-id'), runId);
  for (const path of [`/${runId}/stream`, `/runs/${runId}/stream`]) {
    for (let count = 0; count <= told.length; count++) {
      const { status, text: rest } = await ask('GET', `${path}?startIndex=${count}`);
      assert.equal(status, count === told.length ? 204 : 200);
      assert.deepEqual(events(rest), told.slice(count), `${path} from ${count}`);
    }
  }
  const [, second] = told;
  const headers = { 'last-event-id': second.id };
  const response = await fetch(`${api}/runs/${runId}/stream`, { headers });
  assert.deepEqual(events(await response.text()), told.slice(2));
  assert.deepEqual(events((await ask('GET', `/runs/${runId}/stream?after=${second.id}`)).text), told.slice(2));
  assert.deepEqual(events((await ask('GET', `/runs/${runId}/stream`)).text).at(-1).chunk.type, 'finish');
});

test('a client that asks again and again after a stop is told that there is nothing', async (t) => {
  const { ask, engine } = await site(t, [{ events: [text('half')], then: 'hang' }]);
  const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'go' });
  for await (const chunk of turn.chunks()) if (chunk.type === 'text-delta') break;
  assert.deepEqual((await ask('POST', '/c1/stop', {})).json, { stopped: true });
  await turn.done();
  assert.deepEqual((await ask('POST', `/runs/${turn.runId}/stop`, {})).json, { stopped: false });
  let count = 0;
  const statuses = [];
  // As a client does that goes on until it has heard of an end.
  for (let round = 0; round < 5; round++) {
    const { status, text: rest } = await ask('GET', `/${turn.runId}/stream?startIndex=${count}`);
    statuses.push(status);
    count += events(rest).length;
  }
  assert.deepEqual(statuses, [200, 204, 204, 204, 204]);
});

test('what is refused is JSON with a kind, before anything of a stream', async (t) => {
  const { ask, api, failures, engine } = await site(t, () => answer('hi'), {
    router: {
      maxBodyBytes: 1_000,
      who: (request) => {
        const name = request.headers.get('x-user');
        if (name === 'teapot') return new Response('short and stout', { status: 418 });
        if (name === 'framework') throw Object.assign(new Error('no session'), { statusCode: 401 });
        if (name === 'broken') throw new Error('a password is in here');
        return name === 'nobody' ? null : { workspaceId: 'w1', userId: name ?? 'u1' };
      },
    },
  });
  const turn = await engine.startTurn({ ...user, chatId: 'mine', message: 'go' });
  await turn.done();
  const as = (name) => ({ 'x-user': name });
  const cases = [
    ['POST', '', '{', {}, 400, 'INVALID_INPUT', 'invalid', 'body'],
    ['POST', '', '[]', {}, 400, 'INVALID_INPUT', 'invalid', 'body'],
    ['POST', '', '{}', {}, 400, 'INVALID_INPUT', 'invalid', 'messages'],
    ['POST', '', { messages: [] }, {}, 400, 'INVALID_INPUT', 'invalid', 'messages'],
    ['POST', '', { messages: [null] }, {}, 400, 'INVALID_INPUT', 'invalid', 'messages'],
    [
      'POST',
      '',
      { messages: [{ role: 'system', parts: [] }] },
      {},
      400,
      'INVALID_INPUT',
      'invalid',
      'messages[0].role',
    ],
    ['POST', '', { message: 5 }, {}, 400, 'INVALID_INPUT', 'invalid'],
    ['POST', '', { id: 'c', messages: [say('x'.repeat(2_000))] }, {}, 413, 'PAYLOAD_TOO_LARGE', 'invalid', 'body'],
    ['POST', '', { id: 'c', messages: [say('go')], protocol: 'ai-9' }, {}, 400, 'INVALID_INPUT', 'invalid', 'protocol'],
    ['GET', '/chats?limit=x', undefined, {}, 400, 'INVALID_INPUT', 'invalid', 'limit'],
    ['GET', `/chats/${turn.chatId}`, undefined, as('u2'), 403, 'FORBIDDEN', 'forbidden'],
    ['GET', `/runs/${turn.runId}/stream`, undefined, as('u2'), 403, 'FORBIDDEN', 'forbidden'],
    ['GET', `/runs/${turn.runId}/stream?after=x`, undefined, {}, 400, 'INVALID_INPUT', 'invalid', 'after'],
    ['GET', '/runs/01a22cae-bf8c-7353-9307-6cfd3a5bfdb2', undefined, {}, 404, 'NOT_FOUND', 'not_found'],
    ['GET', '/settings', undefined, {}, 403, 'FORBIDDEN', 'forbidden'],
    ['POST', '/transcribe', 'x', { 'content-type': 'audio/wav' }, 503, 'STT_NOT_CONFIGURED', 'not_configured'],
    ['GET', '/chats', undefined, as('nobody'), 401, 'UNAUTHENTICATED', 'unauthenticated'],
    ['GET', '/chats', undefined, as('framework'), 401, 'UNAUTHENTICATED', 'unauthenticated'],
    ['GET', '/chats', undefined, as('broken'), 500, 'INTERNAL', 'internal'],
    ['PUT', '/chats', {}, {}, 405, 'METHOD_NOT_ALLOWED', 'invalid'],
    [
      'POST',
      '',
      { messages: [say('go')] },
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      403,
      'FORBIDDEN',
      'forbidden',
    ],
  ];
  for (const [method, path, body, headers, status, code, kind, field] of cases) {
    const said = await ask(method, path, body, headers);
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 60)}: ${said.text.slice(0, 200)}`;
    assert.equal(said.status, status, what);
    assert.match(said.headers.get('content-type'), /^application\/json/, what);
    const { error } = said.json;
    assert.deepEqual([error.code, error.kind, error.statusCode], [code, kind, status], what);
    if (field) assert.equal(error.details.field, field, what);
    assert.doesNotMatch(said.text, /password/, what);
  }
  assert.deepEqual(
    failures.map(({ message }) => message),
    ['a password is in here'],
  );
  const own = await ask('GET', '/chats', undefined, as('teapot'));
  assert.deepEqual([own.status, own.text], [418, 'short and stout']);
  assert.equal((await fetch(`${api}x/chats`)).status, 404);
  assert.equal((await ask('GET', '/a/b/c/d')).status, 404);
});

test('the rest of a chat is a request each', async (t) => {
  const { ask, engine } = await site(t, () => answer('hi there'), {
    router: { who: () => ({ ...user, isAdmin: true }) },
    engine: { appSecret: 'an-app-secret-of-at-least-32-bytes' },
  });
  const { headers } = await ask('POST', '', { id: 'c1', messages: [say('go somewhere')] });
  const chatId = headers.get('x-turnkeep-chat-id');
  const runId = headers.get('x-turnkeep-run-id');
  const get = async (path) => (await ask('GET', path)).json;
  assert.deepEqual(
    (await get('/chats')).items.map(({ id }) => id),
    [chatId],
  );
  assert.deepEqual(
    (await get('/chats/c1')).messages.map(({ role }) => role),
    ['user', 'assistant'],
  );
  assert.equal((await get('/chats/c1/messages?limit=1&newestFirst=true')).items[0].role, 'assistant');
  assert.equal((await get('/chats/search?query=somewhere'))[0].chatId, chatId);
  assert.equal((await ask('PATCH', '/chats/c1', { title: 'Renamed' })).json.title, 'Renamed');
  const [{ id: messageId }] = (await get('/chats/c1')).messages;
  assert.equal((await get(`/chats/c1/messages/${messageId}/versions`)).length, 1);
  const fork = (await ask('POST', '/chats/c1/fork', { title: 'Fork' })).json;
  assert.equal((await get(`/chats/${fork.id}`)).messages.length, 2);
  const markdown = await ask('GET', '/chats/c1/export');
  assert.match(markdown.text, /^# Renamed/);
  assert.match(markdown.headers.get('content-type'), /markdown/);
  assert.equal((await get('/chats/c1/export?format=json')).title ?? 'Renamed', 'Renamed');
  assert.equal((await get(`/runs/${runId}`)).status, 'succeeded');
  assert.deepEqual((await get('/waiting')).items, []);
  const role = (await ask('POST', '/roles', { name: 'Cook', instructions: 'Cook.' })).json;
  assert.equal((await ask('PATCH', `/roles/${role.id}`, { name: 'Chef' })).json.name, 'Chef');
  assert.deepEqual(
    (await get('/roles')).map(({ name }) => name),
    ['Chef'],
  );
  assert.equal((await ask('DELETE', `/roles/${role.id}`)).status, 204);
  assert.equal((await ask('PATCH', '/settings', { chatModel: 'other' })).json.chatModel, 'other');
  assert.equal((await get('/settings')).chatModel, 'other');
  assert.equal(typeof (await ask('POST', '/settings/test', { capability: 'chat' })).json.ok, 'boolean');
  assert.ok((await get('/usage?by=model,chat')).total.calls > 0);
  assert.equal((await ask('DELETE', '/chats/c1')).status, 204);
  assert.deepEqual(
    (await get('/chats')).items.map(({ id }) => id),
    [fork.id],
  );
  await engine.health();
});

test('a message joins an answer, is listed, and is taken back', async (t) => {
  const { script, goOn } = held('half ', 'whole');
  const { ask, engine, provider } = await site(t, (_, number) => (number === 0 ? script : answer('answered')));
  const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'go' });
  for await (const chunk of turn.chunks()) if (chunk.type === 'text-delta') break;
  const path = `/runs/${turn.runId}/messages`;
  const joined = (await ask('POST', path, { message: 'I meant B' }, { 'idempotency-key': 'k1' })).json;
  assert.deepEqual(
    (await ask('POST', path, { message: 'I meant B' }, { 'idempotency-key': 'k1' })).json.messageId,
    joined.messageId,
  );
  const other = (await ask('POST', path, { message: 'or not' })).json;
  assert.equal((await ask('GET', path)).json.length, 2);
  assert.equal((await ask('DELETE', `${path}/${other.messageId}`)).status, 200);
  goOn();
  assert.equal((await turn.done()).status, 'succeeded');
  const said = JSON.stringify(provider.requests.at(-1).messages);
  assert.match(said, /I meant B/);
  assert.doesNotMatch(said, /or not/);
  assert.deepEqual((await ask('POST', path, { message: 'late' })).json.error.code, 'RUN_NOT_ACTIVE');
});

test('a turn that is stopped before it has begun asks no provider', async (t) => {
  const { ask, provider } = await site(t, () => answer('hi'));
  assert.deepEqual((await ask('POST', '/stop', { idempotencyKey: 'k1' })).json, { stopped: true });
  const { text: stream } = await ask('POST', '', { id: 'c1', messages: [say('go')] }, { 'idempotency-key': 'k1' });
  assert.equal(events(stream).at(-1).chunk.type, 'abort');
  assert.equal(provider.requests.length, 0);
});

test('a host adds to turns, replaces routes and leaves some out', async (t) => {
  const { ask, provider } = await site(t, () => answer('hi'), {
    router: {
      turn: ({ body, who, asked }) => ({ extraSystem: `Speak as ${body.tone} to ${who.userId}, ${asked.chatId}.` }),
      routes: {
        usage: false,
        export: async ({ params }) => new Response(`${params.chatId} is ours`),
        open: async (context, original) => {
          const response = await original();
          return Response.json({ ...(await response.json()), seenBy: context.who.userId });
        },
      },
    },
  });
  const body = {
    id: 'c1',
    messages: [say('go')],
    tone: 'a pirate',
    model: 'dear',
    extraSystem: 'evil',
    workspaceId: 'w9',
  };
  assert.equal((await ask('POST', '', body)).status, 200);
  const [request] = provider.requests;
  assert.match(JSON.stringify(request.messages), /Speak as a pirate to u1, c1/);
  assert.doesNotMatch(JSON.stringify(request), /evil|dear/);
  assert.equal((await ask('GET', '/usage')).status, 404);
  assert.equal((await ask('GET', '/chats/c1/export')).text, 'c1 is ours');
  const opened = (await ask('GET', '/chats/c1')).json;
  assert.deepEqual([opened.seenBy, opened.messages.length], ['u1', 2]);
});

test('every route has its name in the types and in the documentation, and every code its kind', () => {
  const read = (path) => readFileSync(new URL(path, import.meta.url), 'utf8');
  const names = ROUTES.map(({ name }) => name);
  const types = read('../http.d.ts');
  const typed = types.slice(types.indexOf('type RouteName'), types.indexOf('interface RouteContext'));
  assert.deepEqual([...typed.matchAll(/\| '(\w+)'/g)].map(([, name]) => name).sort(), [...names].sort());
  const documented = read('../../docs/http.md');
  for (const name of names) assert.ok(documented.includes(`\`${name}\``), name);
  for (const code of Object.keys(ERROR_CLASSES)) assert.ok(KINDS[code], code);
});

test('options that are wrong are refused by their names', async () => {
  const right = { engine: { startTurn: () => {} }, who: () => null };
  for (const [options, field] of [
    [undefined, 'options'],
    [{ ...right, engine: {} }, 'engine'],
    [{ ...right, who: 'me' }, 'who'],
    [{ ...right, turn: {} }, 'turn'],
    [{ ...right, basePath: 'api' }, 'basePath'],
    [{ ...right, protocol: 'ai-5' }, 'protocol'],
    [{ ...right, origins: '*' }, 'origins'],
    [{ ...right, maxBodyBytes: 0 }, 'maxBodyBytes'],
    [{ ...right, routes: { nope: false } }, 'routes.nope'],
    [{ ...right, routes: { chats: true } }, 'routes.chats'],
  ]) {
    const error = await thrown(async () => createRouter(options));
    assert.deepEqual([error.code, error.details.field], ['INVALID_INPUT', field]);
  }
  assert.equal(failureBody(new Error('inner')).error.message, 'an unexpected failure');
});

test('servers of the web are answered with responses of the web', async (t) => {
  const { router } = await site(t, () => answer('hi'));
  const url = 'http://any.example/api/chat';
  const body = JSON.stringify({ id: 'c1', messages: [say('go')] });
  const response = await router.fetch(new Request(url, { method: 'POST', body }));
  assert.equal(response.headers.get('x-vercel-ai-ui-message-stream'), 'v1');
  assert.equal(events(await response.text()).at(-1).chunk.type, 'finish');
  assert.equal(await router.handle(new Request('http://any.example/elsewhere')), null);
  assert.equal((await router.fetch(new Request('http://any.example/elsewhere'))).status, 404);
});

test('bodies that a framework has read, paths that it has cut, and HTTP/2', async (t) => {
  const { router } = await site(t, () => answer('hi'));
  const framework = createServer(async (request, response) => {
    const pieces = await collect(request);
    request.body = JSON.parse(Buffer.concat(pieces));
    request.originalUrl = request.url;
    request.url = request.url.slice('/api'.length);
    router.node(request, response, () => response.writeHead(299).end());
  });
  const origin = await listening(t, framework);
  const body = JSON.stringify({ id: 'c1', messages: [say('go')] });
  const told = await fetch(`${origin}/api/chat`, { method: 'POST', body });
  assert.equal(events(await told.text()).at(-1).chunk.type, 'finish');
  assert.equal((await fetch(`${origin}/api/other`, { method: 'POST', body: '{}' })).status, 299);

  const http2 = createHttp2(router.node);
  const session = connectHttp2(await listening(t, http2));
  t.after(() => session.close());
  const stream = session.request({ ':method': 'POST', ':path': '/api/chat', 'content-type': 'application/json' });
  stream.end(JSON.stringify({ id: 'c2', messages: [say('go')] }));
  const [head] = await once(stream, 'response');
  assert.equal(head[':status'], 200);
  assert.equal(events(Buffer.concat(await collect(stream)).toString()).at(-1).chunk.type, 'finish');
  const small = session.request({ ':path': '/api/chat/chats' });
  assert.equal(JSON.parse(Buffer.concat(await collect(small))).items.length, 2);
});
