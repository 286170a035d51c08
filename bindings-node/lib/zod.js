'use strict';

/** How deep a schema is written out; deeper is anything. Schemas may refer to themselves. */
const MAX_DEPTH = 24;

/** A kind of schema that has no JSON form. */
class NoJsonForm extends Error {}

/** What a Zod schema of either version is made of. */
function definition(schema) {
  const def = schema?._zod?.def ?? schema?._def ?? schema?.def;
  const name = def?.typeName ?? def?.type;
  if (typeof name !== 'string') throw new NoJsonForm('is not a schema of Zod that is understood');
  return { def, kind: name.replace(/^Zod/, '').toLowerCase() };
}

/** What the schema stands around, where that is what it takes. */
function inner(def) {
  return def.innerType ?? def.schema ?? def.in ?? def.type;
}

const TRANSPARENT = new Set(['effects', 'branded', 'readonly', 'pipeline', 'pipe', 'nonoptional', 'promise']);
const MAY_BE_LEFT_OUT = new Set(['optional', 'exactoptional', 'default', 'prefault', 'catch']);

function isOptional(schema) {
  const { def, kind } = definition(schema);
  if (MAY_BE_LEFT_OUT.has(kind)) return true;
  return TRANSPARENT.has(kind) || kind === 'nullable' ? isOptional(inner(def)) : false;
}

function bounds(def, names) {
  const out = {};
  for (const { kind, value, inclusive } of def.checks ?? []) {
    const name = names[inclusive === false ? `${kind}Exclusive` : kind];
    if (name) out[name] = value;
  }
  return out;
}

const OF_STRING = { min: 'minLength', max: 'maxLength' };
const OF_NUMBER = {
  min: 'minimum',
  max: 'maximum',
  minExclusive: 'exclusiveMinimum',
  maxExclusive: 'exclusiveMaximum',
  multipleOf: 'multipleOf',
};

function objectSchema(def, depth, path) {
  const shape = typeof def.shape === 'function' ? def.shape() : def.shape;
  if (typeof shape !== 'object' || shape === null) throw new NoJsonForm(`has no JSON Schema: ${path} has no shape`);
  const properties = {};
  const required = [];
  for (const [name, schema] of Object.entries(shape)) {
    properties[name] = convert(schema, depth + 1, `${path}.${name}`);
    if (!isOptional(schema)) required.push(name);
  }
  return { type: 'object', properties, ...(required.length > 0 && { required }) };
}

function enumOf(values) {
  const types = [...new Set(values.map((value) => (value === null ? 'null' : typeof value)))];
  return { ...(types.length === 1 && { type: types[0] }), enum: values };
}

/** The values of a TypeScript enum, whose numbers lead back to their names. */
function entriesOf(entries) {
  return Object.entries(entries)
    .filter(([name]) => typeof entries[entries[name]] !== 'number')
    .map(([, value]) => value);
}

function isInteger(def, schema) {
  return (def.checks ?? []).some(({ kind }) => kind === 'int') || /int/.test(schema._zod?.bag?.format);
}

const SIMPLE = {
  string: (def) => ({ type: 'string', ...bounds(def, OF_STRING) }),
  number: (def, schema) => ({
    type: isInteger(def, schema) ? 'integer' : 'number',
    ...bounds(def, OF_NUMBER),
  }),
  int: () => ({ type: 'integer' }),
  boolean: () => ({ type: 'boolean' }),
  null: () => ({ type: 'null' }),
  any: () => ({}),
  unknown: () => ({}),
  transform: () => ({}),
  enum: (def) => enumOf(def.values ?? entriesOf(def.entries)),
  nativeenum: (def) => enumOf(entriesOf(def.values)),
  literal: (def) => enumOf(def.values ?? [def.value]),
};

const NESTED = {
  object: objectSchema,
  array: (def, depth, path) => ({ type: 'array', items: convert(def.element ?? def.type, depth + 1, `${path}[]`) }),
  set: (def, depth, path) => NESTED.array({ element: def.valueType }, depth, path),
  record: (def, depth, path) => ({
    type: 'object',
    additionalProperties: convert(def.valueType, depth + 1, `${path}[]`),
  }),
  tuple: (def, depth, path) => ({
    type: 'array',
    items: def.items.map((item, place) => convert(item, depth + 1, `${path}[${place}]`)),
  }),
  union: (def, depth, path) => ({
    anyOf: [...(def.options.values?.() ?? def.options)].map((option) => convert(option, depth + 1, path)),
  }),
  discriminatedunion: (def, depth, path) => NESTED.union(def, depth, path),
  intersection: (def, depth, path) => ({
    allOf: [convert(def.left, depth + 1, path), convert(def.right, depth + 1, path)],
  }),
  nullable: (def, depth, path) => ({ anyOf: [convert(inner(def), depth + 1, path), { type: 'null' }] }),
  lazy: (def, depth, path) => convert(def.getter(), depth + 1, path),
};

function convert(schema, depth, path) {
  if (depth > MAX_DEPTH) return {};
  const { def, kind } = definition(schema);
  const description = schema.description ?? def.description;
  const told = typeof description === 'string' ? { description } : {};
  if (SIMPLE[kind]) return { ...SIMPLE[kind](def, schema), ...told };
  if (NESTED[kind]) return { ...NESTED[kind](def, depth, path), ...told };
  if (TRANSPARENT.has(kind) || MAY_BE_LEFT_OUT.has(kind)) return { ...convert(inner(def), depth, path), ...told };
  throw new NoJsonForm(`has no JSON Schema: ${path} is a ${kind} of Zod`);
}

function isZod(schema) {
  return schema['~standard']?.vendor === 'zod' || schema._zod !== undefined || /^Zod/.test(schema._def?.typeName);
}

/** What a model is told of a Zod schema that does not say so itself (before Zod 4.2). It is checked by the schema. */
function zodToJsonSchema(schema) {
  return convert(schema, 0, '$');
}

module.exports = { isZod, zodToJsonSchema };
