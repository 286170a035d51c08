'use strict';

// flushAssistant and its parts without a copy of what does not change. JSON is what everything else crosses the border
// as; here it would cost more than the work. So the values stay where they are, and the core is told their numbers: see
// `turnkeep::project::by_reference`, which has the rules. This half knows what JSON is: whether a value is what its JSON
// would be read as, how large that is, and what of it is over the core's limits.
//
// Whatever is not plain (another prototype, a toJSON, a cycle, a wrong type, text that cannot be stored) gives
// `undefined` here, and goes as text. What JSON cannot see of a plain value stays with it: symbols as keys, members of
// an array beside its elements, and that a member is a getter.

const binding = require('./native.js');

const [BYTES, TEXT, ITEMS, DEPTH] = binding.compactionLimits();

/** As in the core. */
const [ABSENT, EMPTY] = [0, 1];
const [CALL, TEXT_PART, DONE] = [0, 2, 3];
const [ROW, PARTS, TRACE] = [0, 1, 2];
const FIXED = [undefined, '', binding.incompleteCall()];

/** Values nested more deeply go as text. */
const MAX_NESTING = 64;
/** An answer is at most this many times as long as its question. */
const ANSWER = 4;
/** Words that are kept from call to call; longer ones are let go. */
const KEPT_WORDS = 1 << 16;

const { isArray } = Array;
const { getPrototypeOf, prototype: OBJECT } = Object;
const ARRAY = Array.prototype;

/** Whether objects are as the language made them: no toJSON for all of them, no members in every loop. */
function isUntouched() {
  for (const _ in OBJECT) return false;
  for (const _ in ARRAY) return false;
  return OBJECT.toJSON === undefined && ARRAY.toJSON === undefined;
}

/** Finds nothing, and at once, in text that V8 keeps with a byte for each unit; there, looking at it costs next to nothing. */
const WIDE = /[^\x00-\xff]/;
const SUSPECT = /[\0\ud800-\udfff]/;
/** Wide text that is longer is looked at by the core, which is worth the way from here on. */
const LONG = 2000;

/** Whether text is free of U+0000 and of halves of surrogate pairs. */
function isStorable(text) {
  if (!WIDE.test(text)) return !text.includes('\0');
  if (text.length > LONG) return binding.isStorable(text);
  return !SUSPECT.test(text) || binding.isStorable(text);
}

const isPlain = (value) =>
  typeof value === 'object' && value !== null && getPrototypeOf(value) === OBJECT && value.toJSON === undefined;

const isPlainList = (items) => isArray(items) && getPrototypeOf(items) === ARRAY && items.toJSON === undefined;

/** What the look at a value has found; `units` are no more than its JSON has bytes. */
let units = 0;
let isOverLimit = false;

/** Whether `value` is what its JSON would be read as. `texts`: whether long texts have to be storable too. */
function isJson(value, depth, texts) {
  switch (typeof value) {
    case 'string':
      units += value.length + 2;
      if (value.length > TEXT) {
        isOverLimit = true;
        if (!texts) return true;
      }
      return isStorable(value);
    case 'number':
      units++;
      // Neither NaN nor an infinity nor -0.
      return value - value === 0 && (value !== 0 || 1 / value > 0);
    case 'boolean':
      units += 4;
      return true;
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) {
    units += 4;
    return true;
  }
  if (depth > MAX_NESTING) return false;
  if (isArray(value)) {
    const { length } = value;
    if (getPrototypeOf(value) !== ARRAY || value.toJSON !== undefined) return false;
    if (length > ITEMS) isOverLimit = true;
    units += length;
    for (let i = 0; i < length; i++) if (!isJson(value[i], depth + 1, texts)) return false;
    return true;
  }
  if (getPrototypeOf(value) !== OBJECT || value.toJSON !== undefined) return false;
  if (depth >= DEPTH) isOverLimit = true;
  for (const key in value) {
    units += key.length + 4;
    // A copy has no member of this name: assigning to it sets the prototype.
    if (key === '__proto__' || !isStorable(key) || !isJson(value[key], depth + 1, texts)) return false;
  }
  return true;
}

/** What the JSON of a plain value has beside the contents of its texts and keys, and these. */
let others = 0;
let contents = '';

function measure(value) {
  if (typeof value === 'string') {
    others += 2;
    contents += value;
  } else if (typeof value !== 'object' || value === null) {
    others += String(value).length;
  } else if (isArray(value)) {
    others += value.length === 0 ? 2 : value.length + 1;
    value.forEach(measure);
  } else {
    let members = 0;
    for (const key in value) {
      members++;
      // Its quotes, its colon, and the comma after it.
      others += 4;
      contents += key;
      measure(value[key]);
    }
    others += members === 0 ? 2 : 1;
  }
}

/** Whether a value that is plain but for its long texts is small. Throws when it is, and one of them is not storable. */
function isSmall(value) {
  others = 0;
  contents = '';
  measure(value);
  const texts = contents;
  contents = '';
  const small = binding.isSmallOutput(others, texts);
  if (small === null) throw NOT_PLAIN;
  return small;
}

/** A copy that is abridged as the core wants it, and the lengths of what was abridged. */
function abridge(value, depth, lengths) {
  if (typeof value === 'string') {
    if (value.length <= TEXT) return value;
    lengths.push(value.length);
    return value.slice(0, TEXT + 1);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (isArray(value)) {
    const items = [];
    for (let i = 0; i < value.length && i < ITEMS; i++) items.push(abridge(value[i], depth + 1, lengths));
    if (value.length > ITEMS) {
      items.push(0);
      lengths.push(value.length);
    }
    return items;
  }
  const copy = {};
  if (depth >= DEPTH) return copy;
  for (const key in value) copy[key] = abridge(value[key], depth + 1, lengths);
  return copy;
}

/**
 * What the core has to see of a plain output that has just been looked at, to say what becomes of it; `undefined` when
 * it stays as it is.
 */
function shown(output) {
  // There is nothing in it to be cut.
  if (!isOverLimit) return undefined;
  if (units <= BYTES) return isSmall(output) ? undefined : { value: output };
  const lengths = [];
  return { value: abridge(output, 0, lengths), lengths };
}

/** `value` as its JSON is read, when it is not that already. */
function normal(value, texts) {
  units = 0;
  isOverLimit = false;
  if (isJson(value, 0, texts)) return value;
  const text = JSON.stringify(value);
  if (text === undefined) throw NOT_PLAIN;
  const copy = JSON.parse(text);
  units = 0;
  isOverLimit = false;
  if (isJson(copy, 0, texts)) return copy;
  throw NOT_PLAIN;
}

/** Thrown where something has to go as text. */
const NOT_PLAIN = Symbol('not plain');

/** The question, as long as one is being asked. A getter may call what is in here again: that one goes as text. */
let words = new Uint32Array(1 << 10);
let length = 0;
let isAsking = false;

class Question {
  /** By their numbers. */
  values = [...FIXED];
  /** What the core has to see, and the numbers of these outputs. */
  outputs = [];
  places = [];

  write(word) {
    if (length >= words.length) {
      const longer = new Uint32Array(words.length * 2);
      longer.set(words);
      words = longer;
    }
    words[length++] = word;
  }

  /** A number of its own. */
  number(value) {
    return this.values.push(value) - 1;
  }

  text(text) {
    if (text === undefined || text === null) return ABSENT;
    if (text === '') return EMPTY;
    if (typeof text !== 'string' || !isStorable(text)) throw NOT_PLAIN;
    return this.number(text);
  }

  input(value) {
    if (value === undefined) return ABSENT;
    return this.number(normal(value, true));
  }

  output(value) {
    if (value === undefined) return ABSENT;
    // Long texts are looked at only if they stay.
    const output = normal(value, false);
    const seen = shown(output);
    const number = this.number(output);
    if (seen !== undefined) {
      this.outputs.push(seen);
      this.places.push(number);
    }
    return number;
  }

  steps(steps) {
    if (!isPlainList(steps)) throw NOT_PLAIN;
    this.write(steps.length);
    for (let i = 0; i < steps.length; i++) this.step(steps[i]);
  }

  step(step) {
    if (!isPlain(step)) throw NOT_PLAIN;
    // What is in here and not in its lists, the core has to see.
    if (hasItems(step.content) || hasItems(step.experimental_steeringMessages)) throw NOT_PLAIN;
    const calls = list(step.toolCalls);
    const results = list(step.toolResults);
    const errors = list(step.toolErrors);
    this.write(this.text(step.text));
    this.write(calls.length);
    this.write(results.length);
    this.write(errors.length);
    // Equal ids have one number: that of a call, most of the time the next one.
    const ids = calls.length + results.length > FEW ? new Map() : undefined;
    const first = this.values.length;
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i];
      if (!isPlain(call)) throw NOT_PLAIN;
      this.write(this.id(call.toolCallId, first, ids));
      this.write(this.text(call.toolName));
      this.write(this.input(call.input));
    }
    for (let i = 0; i < results.length; i++) {
      const result = results[i];
      if (!isPlain(result)) throw NOT_PLAIN;
      this.write(this.id(result.toolCallId, first, ids));
      this.write(this.text(result.toolName));
      this.write(this.output(result.output));
    }
    for (let i = 0; i < errors.length; i++) {
      const error = errors[i];
      if (!isPlain(error)) throw NOT_PLAIN;
      // Its name is not used, but has to be one.
      this.text(error.toolName);
      this.write(this.id(error.toolCallId, first, ids));
      this.write(this.text(error.errorText));
    }
  }

  /** The number of an equal text of this step, or one of its own. */
  id(id, first, ids) {
    if (typeof id !== 'string' || id === '') return this.text(id);
    const known = ids === undefined ? this.values.indexOf(id, first) : (ids.get(id) ?? -1);
    if (known >= 0) return known;
    const number = this.text(id);
    ids?.set(id, number);
    return number;
  }

  /** Has it answered; gives what came back as text. The answer is in `words`. */
  ask(wanted, rest) {
    if (words.length < length * ANSWER + 16) {
      const longer = new Uint32Array(length * ANSWER + 16);
      longer.set(words.subarray(0, length));
      words = longer;
    }
    if (this.outputs.length > 0) rest = { ...rest, outputs: this.outputs };
    const text = rest && JSON.stringify(rest);
    const answer = binding.planSteps(words, length, wanted, text);
    if (answer === null) return undefined;
    const read = JSON.parse(answer);
    read.outputs.forEach((output, index) => {
      if (output !== null) this.values[this.places[index]] = output;
    });
    return read.metadata;
  }
}

/** Whether it is anything but no list, or an empty one. */
const hasItems = (list) => list !== undefined && list !== null && !(isPlainList(list) && list.length === 0);

/** Steps with more calls and results than this have a table of their ids. */
const FEW = 8;

const NONE = Object.freeze([]);

function list(items) {
  if (items === undefined || items === null) return NONE;
  if (!isPlainList(items)) throw NOT_PLAIN;
  return items;
}

/** Reads the answer, from its beginning. */
class Answer {
  place = 0;

  constructor(values) {
    this.values = values;
  }

  content() {
    let content = '';
    for (let count = words[this.place++]; count > 0; count--) content += this.values[words[this.place++]];
    return content;
  }

  trace() {
    const { values } = this;
    const trace = [];
    for (let count = words[this.place++]; count > 0; count--) {
      const kind = words[this.place++];
      const name = words[this.place++];
      const value = words[this.place++];
      const entry = name === ABSENT ? {} : { toolName: values[name] };
      if (value !== ABSENT) {
        if (kind === CALL) entry.input = values[value];
        else entry.output = values[value];
      }
      trace.push(entry);
    }
    return trace.length > 0 ? trace : null;
  }

  parts() {
    const { values } = this;
    const parts = [];
    for (let count = words[this.place++]; count > 0; count--) {
      const kind = words[this.place++];
      if (kind === TEXT_PART) {
        parts.push({ type: 'text', text: values[words[this.place++]] });
        continue;
      }
      const type = `tool-${values[words[this.place++]]}`;
      const toolCallId = values[words[this.place++]];
      const input = words[this.place++];
      const last = words[this.place++];
      const part = { type, toolCallId, state: kind === DONE ? 'output-available' : 'output-error' };
      if (input !== ABSENT) part.input = values[input];
      if (kind !== DONE) part.errorText = values[last];
      else if (last !== ABSENT) part.output = values[last];
      parts.push(part);
    }
    return parts;
  }
}

/** What `work` gives with a question of its own; `undefined` when something has to go as text. */
function asking(work) {
  if (isAsking || !isUntouched()) return undefined;
  isAsking = true;
  length = 0;
  try {
    return work(new Question());
  } catch {
    // Getters and toJSON throw what they like; as text they do it again, where it is known whose they are.
    return undefined;
  } finally {
    isAsking = false;
    contents = '';
    if (words.length > KEPT_WORDS) words = new Uint32Array(1 << 10);
  }
}

/** `{content, toolCalls, metadata, status}`. */
function flush(steps, inProgressText, status, extra) {
  return asking((question) => {
    if (typeof status !== 'string') throw NOT_PLAIN;
    question.write(question.text(inProgressText));
    question.steps(steps);
    const rest = question.ask(ROW, { status, extra });
    const answer = new Answer(question.values);
    const content = answer.content();
    const toolCalls = answer.trace();
    return { content, toolCalls, metadata: { parts: answer.parts(), ...rest }, status };
  });
}

function parts(steps, fallbackText) {
  return asking((question) => {
    question.write(question.text(fallbackText));
    question.steps(steps);
    question.ask(PARTS);
    return new Answer(question.values).parts();
  });
}

/** In a list, because the trace itself may be null. */
function trace(steps) {
  return asking((question) => {
    question.write(ABSENT);
    question.steps(steps);
    question.ask(TRACE);
    return [new Answer(question.values).trace()];
  });
}

/** The compacted output, or the very same; `undefined` when it has to go as text. */
function compact(value) {
  return asking(() => {
    units = 0;
    isOverLimit = false;
    // What is neither has no size to speak of.
    if (typeof value !== 'object' && typeof value !== 'string') return undefined;
    if (!isJson(value, 0, false)) return undefined;
    if (units <= BYTES) return isSmall(value) ? value : undefined;
    const lengths = [];
    const rest = JSON.stringify({ outputs: [{ value: abridge(value, 0, lengths), lengths }] });
    words[0] = ABSENT;
    words[1] = 0;
    return JSON.parse(binding.planSteps(words, 2, PARTS, rest)).outputs[0];
  });
}

module.exports = { compact, flush, parts, trace };
