// The pure functions as JavaScript calls them: conversions, errors, and what must never happen.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import * as turnkeep from '../index.mjs';

// Classes begin with a capital.
const names = Object.keys(turnkeep).filter((name) => /^[a-z]/.test(name));

/** What a call throws: always a TurnkeepError. */
function refused(call) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof turnkeep.TurnkeepError, error);
    assert.equal(error.code, 'INVALID_INPUT', error.message);
    assert.equal(error.httpStatus, 400);
    return error.details.field;
  }
  return assert.fail('it was accepted');
}

function nested(depth) {
  let value = [];
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

function circle() {
  const value = { a: 1 };
  value.self = value;
  return value;
}

const flush = (steps, extra) => turnkeep.flushAssistant(steps, '', 'completed', extra);
const step = (output, input = {}) => ({
  toolCalls: [{ toolCallId: 'c', toolName: 't', input }],
  toolResults: [{ toolCallId: 'c', toolName: 't', output }],
});

test('the modules and the declarations have the same names', () => {
  assert.ok(names.length > 30);
  const required = createRequire(import.meta.url)('../index.js');
  assert.deepEqual(Object.keys(required).sort(), Object.keys(turnkeep).sort());
  const declarations = ['../index.d.ts', '../surface.d.ts']
    .map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
    .join('\n');
  const declared = (kind) => [...new Set([...declarations.matchAll(kind)].map(([, name]) => name))];
  assert.deepEqual(declared(/^export declare function (\w+)/gm).sort(), [...names].sort());
  const classes = Object.keys(turnkeep).filter((name) => /^[A-Z]/.test(name));
  assert.deepEqual(declared(/^export declare (?:class|const) (\w+)/gm).sort(), classes.sort());
});

test('the reference names what is there, and all of it', async () => {
  const page = readFileSync(new URL('../../docs/reference/node.md', import.meta.url), 'utf8');
  const titles = [...page.matchAll(/^### <a id="[^"]+"><\/a>`([\w.]+)\(/gm)].map(([, title]) => title);
  const engine = await turnkeep.Engine.open({ store: 'sqlite::memory:' });
  for (const title of titles) {
    const found = title.split('.').reduce((of, name) => of?.[name], { ...turnkeep, engine });
    assert.equal(typeof found, 'function', title);
  }
  // One is there for its types alone.
  for (const name of names) assert.ok(titles.includes(name) || name === 'defineTool', name);
  for (const namespace of ['runs', 'chats', 'settings', 'secrets']) {
    for (const method of Object.keys(engine[namespace])) {
      // The same document in pieces is of this language only.
      if (method !== 'exportStream') assert.ok(titles.includes(`engine.${namespace}.${method}`), method);
    }
  }
  await engine.close();
});

test('a flush has the shape of a row', () => {
  const steps = [{ text: 'Looked. ', ...step({ sky: 'clear' }, { city: 'Porto' }) }, { text: 'Done.' }];
  assert.deepEqual(flush(steps, { finishReason: 'stop', usage: { inputTokens: 1, outputTokens: 2 } }), {
    content: 'Looked. Done.',
    toolCalls: [
      { toolName: 't', input: { city: 'Porto' } },
      { toolName: 't', output: { sky: 'clear' } },
    ],
    metadata: {
      parts: [
        { type: 'text', text: 'Looked. ' },
        {
          type: 'tool-t',
          toolCallId: 'c',
          state: 'output-available',
          input: { city: 'Porto' },
          output: { sky: 'clear' },
        },
        { type: 'text', text: 'Done.' },
      ],
      finishReason: 'stop',
      usage: { inputTokens: 1, outputTokens: 2 },
    },
    status: 'completed',
  });
});

test('what JSON leaves out is left out', () => {
  const output = { date: new Date(0), wrong: new Date(NaN), none: undefined, nan: NaN, list: [undefined, () => 1] };
  assert.deepEqual(flush([step(output)]).toolCalls[1].output, {
    date: '1970-01-01T00:00:00.000Z',
    wrong: null,
    nan: null,
    list: [null, null],
  });
  assert.deepEqual(turnkeep.prepareAgentStep(0, 's', undefined), undefined);
});

test('a bigint crosses with all of its digits', () => {
  const chat = {
    title: 't',
    chatId: 'c',
    rows: [
      {
        role: 'assistant',
        metadata: { parts: [{ type: 'tool-t', state: 'output-available', input: { n: 12345678901234567890n } }] },
      },
    ],
  };
  assert.match(turnkeep.buildChatMarkdown(chat), /"n": 12345678901234567890\n/);
  assert.equal(turnkeep.prepareAgentStep(1n, 's', 2n).toolChoice, 'none');
});

test('an invalid date ends no export', () => {
  const chat = { title: 't', chatId: 'c', rows: [{ role: 'user', content: 'hi', createdAt: new Date(NaN) }] };
  assert.match(turnkeep.buildChatMarkdown({ ...chat, exportedAt: new Date(0) }), /Exported: 1970-01-01T00:00:00\.000Z/);
});

test('a small output is the very same value', () => {
  const values = [{ a: 1 }, [1], 'text', 0, null, undefined, () => 1, Symbol('s'), 5n, circle(), { n: 1n }, new Date()];
  for (const value of values) assert.equal(turnkeep.compactToolOutput(value), value);
  // Serializing ends in a RangeError.
  const deep = nested(100_000);
  assert.equal(turnkeep.compactToolOutput(deep), deep);
});

test('a large output is a shorter copy', () => {
  const value = { text: 'x'.repeat(5000), list: Array.from({ length: 60 }, (_, i) => i) };
  const compacted = turnkeep.compactToolOutput(value);
  assert.equal(value.text.length, 5000);
  assert.equal(compacted.text, `${'x'.repeat(500)}…[truncated 4500 chars]`);
  assert.deepEqual(compacted.list.at(-1), { _truncated: true, omittedItems: 10 });
});

test('errors are read, never written out', () => {
  const error = Object.assign(new TypeError('fetch failed'), { statusCode: 503, responseBody: ' busy ' });
  error.cause = { error, apiKey: 'k'.repeat(50) };
  const line = turnkeep.describeProviderError(error);
  assert.equal(line, '503: fetch failed | response body: busy');
  assert.equal(turnkeep.describeProviderError({ message: 'm', statusCode: 5n, responseBody: circle() }), 'm');
  const hostile = { message: 'm' };
  Object.defineProperty(hostile, 'statusCode', { get: () => assert.fail('a getter that throws') });
  assert.equal(turnkeep.describeProviderError(hostile), 'm');
  for (const nothing of [undefined, null, 5, true, () => 1, Symbol('s'), [], circle()]) {
    assert.equal(turnkeep.describeProviderError(nothing, 'fallback'), 'fallback');
    assert.equal(turnkeep.isFatalProviderError(nothing), false);
  }
  assert.equal(turnkeep.isFatalProviderError(Object.assign(new Error('no'), { statusCode: 401 })), true);
});

test('a set serves as well as an array', () => {
  const hits = [{ pageId: 'a', title: 'A', content: 'x' }];
  const selected = turnkeep.selectAccessibleHits(hits, new Set(['a']), 5);
  assert.equal(selected.length, 1);
  assert.deepEqual(turnkeep.selectAccessibleHits(hits, ['a'], 5), selected);
  const taken = ['n_s', 'n_2'];
  assert.equal(turnkeep.disambiguateToolName('n', 's', new Set(taken)), 'n_3');
  assert.equal(turnkeep.disambiguateToolName('n', 's', taken), 'n_3');
});

test('a wrong shape names its place', () => {
  assert.equal(
    refused(() => flush([{}, {}, { toolCalls: [{ toolCallId: 'c', toolName: 5 }] }])),
    'steps[2].toolCalls[0].toolName',
  );
  assert.equal(
    refused(() => flush(5)),
    'steps',
  );
  assert.equal(
    refused(() => turnkeep.flushAssistant([], 5, 'completed')),
    'inProgressText',
  );
  assert.equal(
    refused(() => turnkeep.flushAssistant([], '', 'done')),
    'status',
  );
  assert.equal(
    refused(() => turnkeep.prepareAgentStep('1', 's')),
    'stepNumber',
  );
  assert.equal(
    refused(() => turnkeep.prepareAgentStep(1)),
    'system',
  );
  assert.equal(
    refused(() => turnkeep.normalizeLang(5)),
    'tag',
  );
  assert.equal(
    refused(() => turnkeep.splitText('t', { chunkSize: 'x' })),
    'options.chunkSize',
  );
  assert.equal(
    refused(() => turnkeep.trimHistory([], {})),
    'options.budgetTokens',
  );
  assert.equal(
    refused(() => turnkeep.disambiguateToolName('n', 's', ['a', 5])),
    'taken[1]',
  );
  assert.equal(
    refused(() => turnkeep.parseChatJson('{')),
    'text',
  );
  for (const wrong of [null, 5, 'text']) {
    assert.equal(
      refused(() => turnkeep.buildChatMarkdown(wrong)),
      'arguments',
    );
  }
});

test('what has no JSON names its argument', () => {
  assert.equal(
    refused(() => flush([step(circle())])),
    'steps',
  );
  assert.equal(
    refused(() => flush([], circle())),
    'extra',
  );
  assert.equal(
    refused(() => turnkeep.assistantParts(nested(100_000), '')),
    'steps',
  );
  assert.equal(
    refused(() => turnkeep.buildChatJson({ title: 't', chatId: 'c', rows: [circle()] })),
    'rows',
  );
  const hostile = {
    toJSON() {
      throw new Error('no');
    },
  };
  assert.equal(
    refused(() => turnkeep.toView(hostile)),
    'server',
  );
});

test('what would be executed is data', () => {
  const input = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
  const [call] = flush([step('ok', input)]).toolCalls;
  assert.deepEqual(Object.keys(call.input), ['__proto__', 'constructor']);
  assert.equal({}.polluted, undefined);
});

test('half a surrogate pair stops nothing', () => {
  assert.equal(turnkeep.normalizeLang('\ud800'), 'en');
  assert.equal(flush([{ text: 'a\ud83d' }]).content, 'a\ufffd');
  assert.equal(flush([step('b\0')]).toolCalls[1].output, 'b\ufffd');
});

test('every function survives anything', () => {
  const values = [undefined, null, 5, -1, 1e308, 'text', [], {}, [[]], [{}], nested(100), true];
  for (const name of names) {
    for (const value of values) {
      try {
        turnkeep[name](value, value, value, value);
      } catch (error) {
        assert.ok(error instanceof turnkeep.TurnkeepError, `${name}: ${error}`);
        assert.equal(error.code, 'INVALID_INPUT', `${name}: ${error.message}`);
        assert.notEqual(error.details.field, 'function', `${name} is not there`);
      }
    }
  }
});
