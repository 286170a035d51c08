// Tools as the AI SDK and Zod make them: what they ask for is done, or they are refused and say why.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as oldest from 'ai';
import * as newest from 'ai-newest';
import * as zod from 'zod';
import * as zodEarly from 'zod-4.0';
import * as zod3 from 'zod/v3';

import { answer, call, thrown, user, world } from './world.mjs';

const plain = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

/** A turn whose model calls `weather` with each of these inputs in turn. */
async function play(t, spec, inputs) {
  const script = [...inputs.map((input, number) => call('weather', input, `call_${number}`)), answer('Done.')];
  const { engine, provider } = await world(t, script);
  const given = [];
  const execute = spec.execute ?? ((input) => ({ got: input }));
  const tools = { weather: { ...spec, execute: (input, context) => (given.push(input), execute(input, context)) } };
  const turn = await engine.startTurn({ ...user, message: 'go', tools });
  await turn.done();
  const { parameters } = provider.requests[0].tools[0].function;
  const told = provider.requests
    .at(-1)
    .messages.filter(({ role }) => role === 'tool')
    .map(({ content }) => content);
  return { parameters, given, told, turn };
}

function weatherOf({ z }) {
  return z.object({
    city: z.string().trim().describe('Where'),
    days: z.number().int().default(3),
    unit: z.enum(['C', 'F']).optional(),
  });
}

const forms = {
  'Zod 4': weatherOf(zod),
  'Zod 4.0': weatherOf(zodEarly),
  'Zod 3': weatherOf(zod3),
  'zodSchema of the AI SDK': oldest.zodSchema(weatherOf(zod)),
  'zodSchema of the newest AI SDK, of Zod 3': newest.zodSchema(weatherOf(zod3)),
  'a lazy schema': () => weatherOf(zod),
  "the AI SDK's tool()": newest.tool({ inputSchema: weatherOf(zod), execute: () => 1 }).inputSchema,
};

for (const [name, inputSchema] of Object.entries(forms)) {
  test(`input is checked and cleaned by the schema itself: ${name}`, async (t) => {
    const { parameters, given, told } = await play(t, { inputSchema }, [
      { town: 3 },
      { city: ' Oslo ', days: 2, more: true },
      { city: 'Rome' },
    ]);
    assert.equal(parameters.type, 'object');
    assert.equal(parameters.properties.city.type, 'string');
    assert.equal(parameters.properties.city.description, 'Where');
    assert.equal(parameters.properties.days.type, 'integer');
    assert.deepEqual(parameters.properties.unit.enum, ['C', 'F']);
    assert.ok(!parameters.required.includes('days') && !parameters.required.includes('unit'));
    assert.deepEqual(given, [
      { city: 'Oslo', days: 2 },
      { city: 'Rome', days: 3 },
    ]);
    assert.match(told[0], /Invalid input for tool weather: .*city/s);
  });
}

test('what jsonSchema() checks and says is taken, also when it is made in the background', async (t) => {
  const validate = async (value) =>
    value.city === 'Oslo' ? { success: true, value: 'cleaned' } : { success: false, error: new Error('only Oslo') };
  for (const made of [plain, Promise.resolve(plain)]) {
    const inputSchema = newest.jsonSchema(() => made, { validate });
    const { parameters, given, told } = await play(t, { inputSchema }, [{ city: 'Rome' }, { city: 'Oslo' }]);
    assert.deepEqual(parameters.properties, plain.properties);
    assert.deepEqual(given, ['cleaned']);
    assert.match(told[0], /only Oslo/);
  }
  const unchecked = await play(t, { inputSchema: oldest.jsonSchema(plain) }, [{ city: 3 }, { city: 'Oslo' }]);
  assert.deepEqual(unchecked.given, [{ city: 'Oslo' }]);
});

test('a Standard Schema of any library that says its JSON Schema is taken', async (t) => {
  const standard = {
    version: 1,
    vendor: 'mine',
    jsonSchema: { input: () => plain },
    validate: ({ city }) =>
      city === 'Oslo' ? { value: { city: 'OSLO' } } : { issues: [{ message: 'no', path: ['city', { key: 0 }] }] },
  };
  // ArkType's are functions.
  for (const inputSchema of [{ '~standard': standard }, Object.assign(() => {}, { '~standard': standard })]) {
    const { parameters, given, told } = await play(t, { inputSchema }, [{ city: 'Rome' }, { city: 'Oslo' }]);
    assert.deepEqual(parameters.properties, plain.properties);
    assert.deepEqual(given, [{ city: 'OSLO' }]);
    assert.match(told[0], /city\.0: no/);
  }
});

test('a validator that throws fails the call and not the process', async (t) => {
  const inputSchema = oldest.jsonSchema(plain, {
    validate() {
      throw new Error('the validator broke');
    },
  });
  const { given, told } = await play(t, { inputSchema }, [{ city: 'Oslo' }]);
  assert.deepEqual([given.length, told[0]], [0, 'the validator broke']);
});

const { z } = zod;
class Builder {}
const refused = {
  needsApproval: [{ needsApproval: true }, { needsApproval: async () => false }],
  toModelOutput: [{ toModelOutput: () => ({ type: 'text', value: '' }) }],
  onInputAvailable: [{ onInputAvailable() {} }],
  onInputStart: [{ onInputStart() {} }],
  onInputDelta: [{ onInputDelta() {} }],
  providerOptions: [{ providerOptions: {} }],
  inputExamples: [{ inputExamples: [] }],
  parameters: [{ parameters: plain }],
  type: [{ type: 'provider', id: 'openai.web_search' }, { type: 'provider-defined' }],
  description: [{ description: () => 'lazy' }],
  readOnly: [{ readOnly: () => true }],
  timeoutMs: [{ timeoutMs: () => 5 }],
  outputSchema: [{ outputSchema: plain }],
  inputSchema: [
    { inputSchema: new Builder() },
    { inputSchema: 'object' },
    { inputSchema: null },
    { inputSchema: z.object({ at: z.date() }) },
    { inputSchema: zod3.z.object({ at: zod3.z.map(zod3.z.string(), zod3.z.string()) }) },
    { inputSchema: { '~standard': { version: 1, vendor: 'valibot', validate() {} } } },
    { inputSchema: newest.jsonSchema(() => Promise.reject(new Error('it could not be read'))) },
    { inputSchema: Builder },
  ],
};

for (const [member, specs] of Object.entries(refused)) {
  test(`what turnkeep would have to ignore is refused by name: ${member}`, async (t) => {
    const { engine, provider } = await world(t, [answer('hi')]);
    for (const spec of specs) {
      const tools = { weather: { ...spec, execute() {} } };
      const error = await thrown(() => engine.startTurn({ ...user, message: 'go', tools }));
      assert.deepEqual([error.code, error.details.field], ['INVALID_INPUT', `tools.weather.${member}`]);
    }
    assert.equal(provider.requests.length, 0);
  });
}

test('what limits nothing is no reason to refuse', async (t) => {
  const spec = { title: 'Weather', strict: true, metadata: { from: 'here' }, type: 'dynamic', needsApproval: false };
  const { given } = await play(t, { ...spec, inputSchema: plain }, [{ city: 'Oslo' }]);
  assert.equal(given.length, 1);
});

test('offers and engines take the same tools', async (t) => {
  const { engine, provider } = await world(t, [call('weather', { city: 3 }), answer('Done.')]);
  const inputSchema = weatherOf(zod);
  engine.offerTools({ weather: { inputSchema, execute: () => assert.fail('called') } });
  const late = { weather: { inputSchema: newest.jsonSchema(() => Promise.resolve(plain)), execute() {} } };
  assert.throws(() => engine.offerTools(late), { code: 'INVALID_INPUT' });
  await (await engine.startTurn({ ...user, message: 'go', offeredTools: ['weather'] })).done();
  assert.match(provider.requests[1].messages.at(-1).content, /Invalid input/);
  const other = await world(t, [call('weather', { city: 'Oslo' }), answer('Done.')], { tools: late });
  assert.equal((await (await other.engine.startTurn({ ...user, message: 'go' })).done()).status, 'succeeded');
});

const outputs = {
  'an async generator': [
    async function* () {
      yield { hits: 0 };
      yield { hits: 2 };
    },
    '{"hits":2}',
  ],
  'a generator': [
    function* () {
      yield 1;
      yield Promise.resolve(2);
    },
    '2',
  ],
  'a promise of an async iterable': [async () => ReadableStream.from(['a', 'b']), 'b'],
  'a generator that gives nothing': [async function* () {}, 'null'],
  'a generator that throws': [
    async function* () {
      yield 1;
      throw new Error('half way');
    },
    'half way',
  ],
  'a Map': [() => new Map([[1, 2]]), /a Map, which has no JSON form/],
  'an Error': [() => new RangeError('x'), /a RangeError, which has no JSON form/],
  'an empty object': [() => ({}), '{}'],
  'a Date': [() => new Date(0), '1970-01-01T00:00:00.000Z'],
};

for (const [name, [execute, expected]] of Object.entries(outputs)) {
  test(`the output of a tool is its last value, or an error that says why not: ${name}`, async (t) => {
    const { told } = await play(t, { execute }, [{}]);
    if (expected instanceof RegExp) assert.match(told[0], expected);
    else assert.equal(told[0], expected);
  });
}

test('an output that does not fit its schema is an error', async (t) => {
  const spec = { outputSchema: z.object({ tempC: z.number() }), execute: ({ city }) => ({ tempC: city, more: 1 }) };
  const { told } = await play(t, spec, [{ city: 'warm' }, { city: 21 }]);
  assert.match(told[0], /Invalid output of tool weather: tempC/);
  assert.equal(told[1], '{"tempC":21}');
});

test('tools of the AI SDK find their signal under its name', async (t) => {
  let context;
  await play(t, { execute: (_, given) => void (context = given) }, [{}]);
  assert.ok(context.abortSignal instanceof AbortSignal);
  assert.equal(context.abortSignal, context.signal);
});
