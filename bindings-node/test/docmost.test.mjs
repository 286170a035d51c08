// Tools for a Docmost server: one line of a turn, and a function that has the user's token.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Engine } from '../index.mjs';
import { answer, call, thrown, user, world } from './world.mjs';

/** A server that has one page, and takes one token. */
async function docmost(t, taken) {
  const asked = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    asked.push([request.url, request.headers.authorization, JSON.parse(body)]);
    const isKnown = request.headers.authorization === `Bearer ${taken}`;
    const data = { id: 'p1', title: 'A page', content: '# Words' };
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isKnown ? { data, success: true, status: 200 } : { message: 'Unauthorized' }));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { asked, baseUrl: `http://127.0.0.1:${server.address().port}` };
}

const script = (_, number) => (number % 2 === 0 ? call('getPage', { pageId: 'p1' }) : answer('ok'));

/** What the model is told of the page. */
async function told({ engine, provider }, access) {
  const turn = await engine.startTurn({ ...user, message: 'What does it say?', docmost: access });
  assert.equal((await turn.done()).status, 'succeeded');
  return provider.requests.at(-1).messages.at(-1).content;
}

test('a turn reads a page as its user', async (t) => {
  const turns = await world(t, script, { http: { allowPrivate: ['127.0.0.1'] } });
  const { asked, baseUrl } = await docmost(t, 'second');
  const questions = [];
  turns.engine.docmostTokens(async (given, context) => {
    questions.push([given, context.toolName]);
    return given.refused ? 'second' : 'first';
  });
  const expected = { title: 'A page', markdown: '# Words' };
  assert.deepEqual(JSON.parse(await told(turns, { baseUrl })), expected);
  const question = (refused) => [{ ...user, baseUrl, refused }, 'docmostToken'];
  assert.deepEqual(questions, [question(false), question(true)]);
  assert.deepEqual(asked.at(-1), ['/api/pages/info', 'Bearer second', { pageId: 'p1', format: 'markdown' }]);
  // A token that the turn has brought is asked for by nobody.
  assert.deepEqual(JSON.parse(await told(turns, { baseUrl, token: 'second' })), expected);
  assert.equal(questions.length, 2);
  // What the function throws is told to nobody.
  turns.engine.docmostTokens(() => Promise.reject(new Error('a s3cret')));
  const failed = await told(turns, { baseUrl });
  assert.match(failed, /token could not be got/);
  assert.doesNotMatch(failed, /s3cret/);
});

test('where nobody has a token, the turn is refused', async (t) => {
  const turns = await world(t, script);
  const begun = () => turns.engine.startTurn({ ...user, message: 'x', docmost: { baseUrl: 'https://wiki.example' } });
  assert.equal((await thrown(begun)).details.field, 'docmost.token');
  assert.equal((await thrown(async () => turns.engine.docmostTokens('t'))).details.field, 'token');
});

test('the function ends with its engine', async () => {
  const engine = await Engine.open({ store: 'sqlite::memory:' });
  engine.docmostTokens(() => 't');
  await engine.close();
  assert.equal((await thrown(async () => engine.docmostTokens(() => 't'))).code, 'ENGINE_CLOSED');
});
