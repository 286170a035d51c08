import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Engine } from '../index.mjs';
import { thrown, user, world } from './world.mjs';

const key = 'sk-stored-key-0123456789';

/** A service that answers each request with what `respond` makes of its path and body. */
async function service(t, respond) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces).toString('utf8');
    requests.push({ path: request.url, authorization: request.headers.authorization, body });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(respond(request.url, body)));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  t.after(() => new Promise((closed) => server.close(closed)));
  return { requests, baseUrl: `http://127.0.0.1:${server.address().port}/v1` };
}

test('keys go in and never come out', async (t) => {
  const { engine } = await world(t, [], { appSecret: 'an application secret' });
  const shown = await engine.settings.update('w1', {
    driver: 'openai',
    chatModel: 'm',
    chatContextWindow: 128000,
    apiKey: key,
  });
  assert.deepEqual(shown, {
    driver: 'openai',
    chatModel: 'm',
    chatContextWindow: 128000,
    hasApiKey: true,
    hasEmbeddingApiKey: false,
    hasSttApiKey: false,
    features: { chat: true, autonomousRuns: true, dictation: true },
  });
  assert.deepEqual(await engine.settings.get('w1'), shown);
  const actor = { userId: 'u1', isAdmin: false };
  for (const asked of [
    () => engine.settings.get('w1', actor),
    () => engine.settings.get({ workspaceId: 'w1', actor }),
  ]) {
    assert.equal((await thrown(asked)).code, 'FORBIDDEN');
  }
  assert.equal((await engine.settings.update('w1', { apiKey: '' })).hasApiKey, false);
  const wrong = await thrown(() => engine.settings.update('w1', { driver: 'mystery' }));
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'driver']);
  const none = await thrown(() => engine.settings.update('w1', undefined));
  assert.deepEqual([none.code, none.details.field], ['INVALID_INPUT', 'settings']);
  const turn = await thrown(() => engine.startTurn({ ...user, message: 'hi' }));
  assert.deepEqual([turn.code, turn.details.driver], ['AI_NOT_CONFIGURED', 'openai']);
  assert.deepEqual(await engine.rotateSecrets(), { resealed: 0, unreadable: 0 });
});

test('settings lead to private addresses only where that is allowed, and passwords in them do not come out', async (t) => {
  const { engine } = await world(t, [], { appSecret: 'an application secret' });
  const { requests, baseUrl } = await service(t, () => ({}));
  const login = baseUrl.replace('http://', 'http://admin:hunter2-pass@');
  const settings = { driver: 'openai-compatible', chatModel: 'm', baseUrl: login, apiKey: key };
  const shown = await engine.settings.update('w1', settings);
  assert.deepEqual([shown.baseUrl, shown.hasBaseUrlLogin], [baseUrl, true]);
  assert.match((await engine.settings.test('w1')).error, /not a public one/);
  assert.equal(requests.length, 0);
  const wrong = await thrown(() => Engine.open({ store: 'sqlite::memory:', http: { allowPrivate: ['http://h'] } }));
  assert.deepEqual([wrong.code, wrong.details.field], ['INVALID_INPUT', 'http.allowPrivate[0]']);
});

test('texts get vectors, and recordings are transcribed', async (t) => {
  const http = { allowPrivate: ['127.0.0.1'] };
  const { engine } = await world(t, [], { appSecret: 'an application secret', http });
  const { requests, baseUrl } = await service(t, (path, body) =>
    path.endsWith('/embeddings')
      ? { data: JSON.parse(body).input.map((text, index) => ({ index, embedding: [text.length, 0.1] })) }
      : { text: 'said' },
  );
  const settings = { driver: 'openai', embeddingModel: 'e', sttModel: 's', sttApiStyle: 'json', baseUrl, apiKey: key };
  await engine.settings.update('w1', settings);
  assert.deepEqual(await engine.embed({ workspaceId: 'w1', texts: ['a', 'bcd'] }), [
    [1, 0.1],
    [3, 0.1],
  ]);
  const audio = new Uint8Array([0, 82, 73, 70, 70]).subarray(1);
  assert.equal(await engine.transcribe({ workspaceId: 'w1', audio, mime: 'audio/webm' }), 'said');
  assert.deepEqual(JSON.parse(requests[1].body).input_audio, { data: 'UklGRg==', format: 'webm' });
  assert.ok(requests.every(({ authorization }) => authorization === `Bearer ${key}`));
  assert.deepEqual(await engine.settings.test('w1', 'embeddings'), { ok: true });
  for (const [params, code] of [
    [{ workspaceId: 'w1', audio: 'text', mime: 'audio/webm' }, 'INVALID_INPUT'],
    [{ workspaceId: 'w1', audio, mime: 'video/mp4' }, 'UNSUPPORTED_MEDIA'],
    [{ workspaceId: 'w2', audio, mime: 'audio/webm' }, 'STT_NOT_CONFIGURED'],
    [undefined, 'INVALID_INPUT'],
  ]) {
    assert.equal((await thrown(() => engine.transcribe(params))).code, code);
  }
  assert.equal(
    (await thrown(() => engine.embed({ workspaceId: 'w2', texts: ['a'] }))).code,
    'EMBEDDING_NOT_CONFIGURED',
  );
});

test('a page gets a title from the model that the engine was opened with', async (t) => {
  const { engine } = await world(t, [
    ['data: {"choices":[{"delta":{"content":"\\"About fish.\\""},"finish_reason":"stop"}]}\n\n'],
  ]);
  assert.equal(await engine.generateTitle({ workspaceId: 'w1', content: 'Fish live in water.' }), 'About fish');
  const tested = await engine.settings.test('w1', 'stt');
  assert.equal(tested.ok, false);
  assert.match(tested.error, /not configured/);
});
