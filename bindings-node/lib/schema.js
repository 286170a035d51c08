'use strict';

const { TurnkeepError } = require('./error.js');
const { isZod, zodToJsonSchema } = require('./zod.js');

/** The mark on what the AI SDK's `jsonSchema` and `zodSchema` make. */
const AI_SCHEMA = Symbol.for('vercel.ai.schema');
/** How many problems of an input a model is told. */
const MAX_ISSUES = 5;

function textOf(value) {
  try {
    return (value instanceof Error ? value.message : String(value)) || 'it does not fit';
  } catch {
    return 'it does not fit';
  }
}

/** Issues as the Standard Schema has them, in one line. */
function issuesText(issues) {
  const texts = [...issues].slice(0, MAX_ISSUES).map(({ message, path }) => {
    const place = (path ?? []).map((part) => (typeof part === 'object' ? part?.key : part)).join('.');
    return place ? `${place}: ${message}` : String(message);
  });
  return texts.join('; ') || 'it does not fit';
}

function standardJsonSchema(standard, schema, path) {
  const forms = standard.jsonSchema;
  try {
    if (typeof forms?.input === 'function') return forms.input({ target: 'draft-2020-12' });
    if (typeof schema.toJSONSchema === 'function') return schema.toJSONSchema({ io: 'input' });
    if (isZod(schema)) return zodToJsonSchema(schema);
  } catch (error) {
    throw TurnkeepError.invalid(path, textOf(error));
  }
  const vendor = typeof standard.vendor === 'string' ? standard.vendor : 'another library';
  throw TurnkeepError.invalid(
    path,
    `a schema of ${vendor} that says no JSON Schema; the AI SDK's jsonSchema() takes both`,
  );
}

/**
 * A schema in any of the forms that tools have, as the JSON Schema that a model is told (or a promise of it) and, where
 * the schema can check values itself, how: `validate` resolves to `{value}` or to `{problem}`.
 */
function readSchema(given, path) {
  const schema = typeof given === 'function' && !('~standard' in given) ? called(given, path) : given;
  if ((typeof schema !== 'object' && typeof schema !== 'function') || schema === null) {
    throw TurnkeepError.invalid(path, 'must be a JSON Schema, a Standard Schema (Zod, …) or made by jsonSchema()');
  }
  if (schema[AI_SCHEMA] === true) {
    const validate = async (value) => {
      const result = await schema.validate(value);
      return result?.success === true ? { value: result.value } : { problem: textOf(result?.error ?? '') };
    };
    return { jsonSchema: schema.jsonSchema, validate: typeof schema.validate === 'function' ? validate : undefined };
  }
  const standard = schema['~standard'];
  if (typeof standard?.validate === 'function') {
    const validate = async (value) => {
      const result = await standard.validate(value);
      return result.issues ? { problem: issuesText(result.issues) } : { value: result.value };
    };
    return { jsonSchema: standardJsonSchema(standard, schema, path), validate };
  }
  if (isZod(schema) && typeof schema.safeParseAsync === 'function') {
    const validate = async (value) => {
      const { success, data, error } = await schema.safeParseAsync(value);
      return success ? { value: data } : { problem: issuesText(error.issues) };
    };
    return { jsonSchema: standardJsonSchema({ vendor: 'zod' }, schema, path), validate };
  }
  const prototype = Object.getPrototypeOf(schema);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null && typeof schema.toJSON !== 'function') {
    const kind = schema.constructor?.name || 'object of a class';
    throw TurnkeepError.invalid(path, `a ${kind} is neither JSON Schema nor a Standard Schema`);
  }
  return { jsonSchema: schema, validate: undefined };
}

/** What a lazy schema stands for. */
function called(lazy, path) {
  try {
    return lazy();
  } catch (error) {
    throw TurnkeepError.invalid(path, `could not be made: ${textOf(error)}`);
  }
}

module.exports = { readSchema };
