// The cases that every language plays (`tests/roles.json` says how they are written), through Node's methods.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';

import { Engine, TurnkeepError } from '../index.mjs';

/** The value with what its names stand for. */
function filled(value, kept) {
  if (typeof value === 'string') return kept.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => filled(item, kept));
  if (typeof value !== 'object' || value === null) return value;
  if ('<repeat>' in value) {
    const [text, count] = value['<repeat>'];
    return (value.before ?? '') + text.repeat(count);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, filled(member, kept)]));
}

/** The answer, with the marks of what is expected in the place of texts that they stand for. */
function marked(answer, expected) {
  if (expected === '<text>' && typeof answer === 'string' && answer !== '') return expected;
  if (typeof answer !== 'object' || answer === null || typeof expected !== 'object') return answer;
  if (Array.isArray(answer)) return answer.map((item, place) => marked(item, expected?.[place]));
  return Object.fromEntries(Object.entries(answer).map(([name, member]) => [name, marked(member, expected?.[name])]));
}

/** Gives the workspace `w` a model whose vectors count the words of each subject. Answers with how to end its provider. */
async function provide(engine, subjects) {
  const vector = (text) =>
    subjects.map((words) => words.reduce((sum, word) => sum + text.toLowerCase().split(word).length - 1, 0));
  const server = createServer(async (request, response) => {
    const { input } = await json(request);
    const status = input.map((text) => /\[(\d{3})\]/.exec(text)?.[1]).find(Boolean);
    response.writeHead(Number(status ?? 200), { 'content-type': 'application/json' });
    response.end(JSON.stringify(status ? { error: 'refused on purpose' } : { embeddings: input.map(vector) }));
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const embeddingBaseUrl = `http://127.0.0.1:${server.address().port}`;
  await engine.settings.update('w', { driver: 'ollama', embeddingModel: 'subjects', embeddingBaseUrl });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

for (const name of [
  'roles.json',
  'chats.json',
  'usage.json',
  'provenance.json',
  'settings.json',
  'search.json',
  'search-hits.json',
  'mcp.json',
  'steering.json',
]) {
  const { cases, options, subjects } = JSON.parse(
    readFileSync(new URL(`../../tests/${name}`, import.meta.url), 'utf8'),
  );

  test(`the table ${name}`, async (t) => {
    const http = { allowPrivate: ['127.0.0.1'] };
    const engine = await Engine.open({ store: 'sqlite::memory:', http, ...options });
    t.after(() => engine.close({ graceMs: 0 }));
    if (subjects) t.after(await provide(engine, subjects));
    const kept = new Map();
    let played = 0;
    for (const { name, operation, params, answer: said, error, keep, notIn = [] } of cases) {
      if (notIn.includes('node')) continue;
      const [namespace, method] = operation.split('.');
      const asked = engine[namespace][method](filled(params, kept));
      if (error) {
        const refused = await asked.then(
          (answer) => assert.fail(`${name}: ${JSON.stringify(answer)}`),
          (refused) => refused,
        );
        assert.ok(refused instanceof TurnkeepError, `${name}: ${refused}`);
        assert.deepEqual([refused.code, refused.details.field], [error.code, error.field], name);
        assert.ok(refused.message.includes(error.says ?? ''), `${name}: ${refused.message}`);
      } else {
        // Nothing is null in other languages; and a run that the host drives can do something, too.
        const told = (await asked) ?? null;
        const { signal, recordStep, finish, ...data } = Object(told);
        const answer = signal ? data : told;
        for (const [as, path] of Object.entries(typeof keep === 'string' ? { [keep]: 'id' } : (keep ?? {}))) {
          kept.set(
            `$${as}`,
            path.split('.').reduce((value, member) => value[member], answer),
          );
        }
        const expected = filled(said, kept);
        assert.deepEqual(marked(answer, expected), expected, name);
      }
      played += 1;
    }
    assert.ok(played > 20);
  });
}
