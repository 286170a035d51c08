// Rows by reference: what does not change is the caller's own, and everything is as if it had crossed as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as turnkeep from '../index.mjs';

/** A list of these is not plain, so it goes as text; its JSON is the same. */
class AsText extends Array {}

const outcome = (work) => {
  try {
    return { result: work() };
  } catch (error) {
    assert.ok(error instanceof turnkeep.TurnkeepError, error);
    return { code: error.code, details: error.details };
  }
};

/** All that is made of steps, both ways. */
function both(steps, text = '', status = 'completed', extra = undefined) {
  const ways = [steps, AsText.from(steps)].map((given) => ({
    row: outcome(() => turnkeep.flushAssistant(given, text, status, extra)),
    parts: outcome(() => turnkeep.assistantParts(given, text)),
    trace: outcome(() => turnkeep.serializeSteps(given)),
  }));
  assert.deepStrictEqual(ways[0], ways[1]);
  for (const what of ['row', 'parts', 'trace']) {
    assert.equal(JSON.stringify(ways[0][what]), JSON.stringify(ways[1][what]), 'the order of keys');
  }
  return ways[0];
}

const step = (output, input = {}) => ({
  text: 'words ',
  toolCalls: [{ toolCallId: 'c', toolName: 't', input }],
  toolResults: [{ toolCallId: 'c', toolName: 't', output }],
});

test('inputs and small outputs are the very same values', () => {
  const input = { content: 'x'.repeat(100_000), list: Array.from({ length: 100 }, (_, n) => ({ n })) };
  const small = { found: [1, 2, { deep: 'é'.repeat(300) }] };
  const wide = { hits: Array.from({ length: 50 }, (_, n) => ({ n, snippet: 's'.repeat(600) })) };
  for (const output of [small, wide]) {
    const { row, parts, trace } = both([step(output, input)]);
    const [call, result] = row.result.toolCalls;
    const part = row.result.metadata.parts[1];
    for (const same of [call.input, part.input, parts.result[1].input, trace.result[0].input])
      assert.equal(same, input);
    for (const same of [result.output, part.output, parts.result[1].output, trace.result[1].output]) {
      assert.equal(same, output);
    }
  }
});

test('large outputs are cut in copies, and the rest is left alone', () => {
  const output = { text: 'x'.repeat(5000), list: Array.from({ length: 60 }, (_, n) => n), more: { a: [1] } };
  const before = structuredClone(output);
  const { row } = both([step(output)]);
  assert.notEqual(row.result.toolCalls[1].output, output);
  assert.deepEqual(output, before);
  assert.equal(row.result.toolCalls[1].output.text, `${'x'.repeat(500)}…[truncated 4500 chars]`);
});

test('sizes are measured to the byte', () => {
  for (const mark of ['x', '"', '\n', '\u0001', '\u007f', 'é', '…', '😀']) {
    for (const value of [(text) => text, (text) => ({ 'k"': [text, -1.5e-7, true, null, [], {}] })]) {
      const bytes = Buffer.byteLength(JSON.stringify(mark)) - 2;
      for (const more of [-2, -1, 0, 1, 2]) {
        const room = 4000 - Buffer.byteLength(JSON.stringify(value(''))) + more;
        const text = mark.repeat(Math.floor(room / bytes)) + 'x'.repeat(room % bytes);
        const output = value(text);
        const { row } = both([step(output)]);
        const isSame = row.result.toolCalls[1].output === output;
        assert.equal(isSame, more <= 0 || text.length <= 600, `${JSON.stringify(mark)} ${more}`);
        assert.equal(turnkeep.compactToolOutput(output) === output, more <= 0);
      }
    }
  }
});

test('what is not plain is as its JSON', () => {
  class Thing {
    kept = 1;
    get left() {
      return 2;
    }
  }
  const odd = [
    { date: new Date(0), none: undefined, nan: NaN, zero: -0, list: [undefined, () => 1, , 3] },
    new Thing(),
    Object.create(null, { a: { value: 1, enumerable: true } }),
    { toJSON: () => ({ from: 'toJSON' }) },
    { toJSON: 'a member' },
    Object.defineProperty({}, 'toJSON', { value: () => 'hidden' }),
    Object.assign([1], { toJSON: () => 'of a list' }),
    new Map([[1, 2]]),
    new Uint8Array(3),
    12345678901234567890n,
    { n: 12345678901234567890n },
    () => 1,
    Symbol('s'),
    Object(5),
    JSON.parse('{"__proto__":{"a":1},"b":2}'),
    JSON.parse(`{"__proto__":{"a":1},"b":"${'x'.repeat(5000)}"}`),
    'half \ud83d',
    { ['half \udc00']: 1 },
    ['nul \0', { deep: 'nul \0' }],
    `${'x'.repeat(700)}\ud83d`,
    `${'x'.repeat(700)}\0😀`,
    `😀${'x'.repeat(498)}😀${'x'.repeat(5000)}\ud83d`,
    `${'x'.repeat(499)}\ud83d${'x'.repeat(5000)}`,
    { long: `é${'x'.repeat(5000)}\0` },
  ];
  for (const value of odd) {
    both([step(value), step({ a: 1 }, value)]);
    both([{ text: value }, { toolCalls: [{ toolCallId: value, toolName: value }] }]);
    both([step(value)], 'x', 'completed', { finishReason: value, usage: value, error: value });
    both([step(1)], value, value);
    both([value, step(value)]);
  }
});

test('content is read alike, whatever beside it is plain', () => {
  const content = [
    { type: 'reasoning', text: 'r' },
    { type: 'text', text: 'words ' },
    { type: 'tool-call', toolCallId: 'c', toolName: 't', input: {} },
    { type: 'tool-result', toolCallId: 'c', toolName: 't', output: 'x'.repeat(5000) },
  ];
  class Result {
    constructor(content) {
      this.content = content;
    }
    get text() {
      return 'of a getter';
    }
  }
  const odd = [
    null,
    [],
    {},
    5,
    '',
    'text',
    [null],
    [[]],
    [5],
    [{}],
    [{ type: 5 }],
    [{ type: 'text' }],
    content.slice(1),
  ];
  for (const given of [content, ...odd]) {
    for (const lists of [{}, step(1), { text: '' }, { toolErrors: [] }]) {
      both([{ ...lists, content: given }], 'in progress');
      both([step(2), { ...lists, content: given, experimental_steeringMessages: given }]);
    }
    both([new Result(given), step(3)]);
  }
  const { row } = both([new Result(content)]);
  assert.deepEqual(
    row.result.metadata.parts.map(({ type }) => type),
    ['step-start', 'reasoning', 'text', 'tool-t'],
  );
  assert.match(row.result.metadata.parts[3].output, /truncated 4500 chars/);
  const steering = both([{ ...step(1), experimental_steeringMessages: [{ role: 'user', content: 'B' }] }]);
  assert.deepEqual(
    steering.row.result.metadata.parts.map(({ type }) => type),
    ['step-start', 'data-steering', 'text', 'tool-t'],
  );
});

test('a getter that throws or calls back, and a cycle, end as ever', () => {
  const circle = { a: 1 };
  circle.self = circle;
  both([step(circle)]);
  both([step(1, [circle])]);
  const hostile = {
    get a() {
      throw new Error('no');
    },
  };
  both([step(hostile)]);
  const calling = {
    get a() {
      return turnkeep.flushAssistant([step({ b: 1 })], '', 'completed').content;
    },
  };
  assert.equal(turnkeep.serializeSteps([step(calling), step(2)])[1].output.a, 'words ');
  both([step(calling), step('x'.repeat(5000))]);
});

test('ids are paired within their step', () => {
  const call = (toolCallId, n) => ({ toolCallId, toolName: `t${n}`, input: toolCallId });
  const result = (toolCallId, n) => ({ toolCallId, toolName: `t${n}`, output: n });
  for (const count of [2, 30]) {
    const ids = Array.from({ length: count }, (_, n) => `id ${n}`);
    const steps = [
      { toolCalls: ids.map(call), toolResults: [...ids, ...ids].map(result).reverse() },
      {
        toolCalls: [...ids, '', null, undefined].map(call),
        toolResults: ['', null, undefined].map(result),
        toolErrors: [
          { toolCallId: 'id 0', toolName: 't', errorText: 'first' },
          { toolCallId: 'id 0', errorText: 'last' },
          { toolCallId: 'id 1', errorText: '' },
          {},
        ],
      },
      { text: '', toolCalls: null },
      { text: null },
    ];
    both(steps, 'in progress', 'aborted');
    both(steps.slice(1), '');
  }
  both([]);
  both([], 'text', 'error', {
    usage: { inputTokens: 1, outputTokenDetails: { reasoningTokens: 2 } },
    contextTokens: 0,
  });
});

test('both ways give the same for anything', () => {
  let seed = 7;
  const random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(random() * n);
  const pick = (list) => list[below(list.length)];
  const marks = ['a', 'a', 'a', '"', '\\', '\n', 'é', '…', '😀', '\u0001'];
  const lengths = [0, 1, 5, 30, 300, 599, 600, 601, 700, 1300, 2100, 3900, 4100];
  const text = () => {
    const all = pick(marks).repeat(pick(lengths)) + pick(['', '', 'end', '😀']);
    return below(60) === 0 ? all + pick(['\0', '\ud83d', '\udc00']) : all;
  };
  const leaf = () =>
    below(80) === 0
      ? pick([undefined, NaN, -0, new Date(5), () => 1, 10n, Infinity])
      : pick([null, true, false, 0, 1, -5, 1e21, 1.5e-9, 2 ** 53, text(), text()]);
  const key = () => pick(['id', 'title', '10', '9', 'é', '', 'a"b', 'x'.repeat(50), 'constructor']);
  const value = (depth) => {
    const kind = below(depth > 11 ? 1 : 4);
    if (kind === 0) return leaf();
    if (kind === 1)
      return Array.from({ length: pick([0, 1, 3, 10, 50, 51, 70]) % (depth > 2 ? 4 : 99) }, () => value(depth + 4));
    return Object.fromEntries(Array.from({ length: below(4) + 1 }, () => [key(), value(depth + 1)]));
  };
  const id = () => pick(['a', 'b', 'c', '', undefined]);
  const name = () => pick(['getPage', 'x', '', undefined, null]);
  for (let round = 0; round < 50; round++) {
    const steps = Array.from({ length: below(4) }, () => ({
      text: pick(['', 'text', undefined, text()]),
      toolCalls: Array.from({ length: below(4) }, () => ({ toolCallId: id(), toolName: name(), input: value(0) })),
      toolResults: Array.from({ length: below(4) }, () => ({ toolCallId: id(), toolName: name(), output: value(0) })),
      toolErrors: pick([undefined, [], [{ toolCallId: id(), errorText: text() }]]),
    }));
    both(
      steps,
      pick(['', text()]),
      pick(['streaming', 'completed', 'error', 'aborted']),
      pick([undefined, { error: text() }]),
    );
    const output = value(0);
    const compacted = turnkeep.compactToolOutput(output);
    let json;
    try {
      json = JSON.stringify(output);
    } catch {
      // A bigint: left alone.
    }
    if (json === undefined || Buffer.byteLength(json) <= 4000) assert.equal(compacted, output);
    else
      assert.equal(
        JSON.stringify(compacted),
        JSON.stringify(turnkeep.serializeSteps(AsText.of({ toolResults: [{ output }] }))[0].output),
      );
  }
});
