// The recorded vectors through the exported functions. ../shared/vectors is read in place (or below TURNKEEP_SHARED);
// where it is missing, every file counts as skipped. What is left out on purpose is in tests/vectors.json.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

import * as turnkeep from '../index.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(process.env.TURNKEEP_SHARED || join(root, '..', 'shared'), 'vectors');
const lists = JSON.parse(readFileSync(join(root, 'tests', 'vectors.json'), 'utf8'));
const missing = existsSync(folder) ? false : `${folder} is not here (set TURNKEEP_SHARED)`;
/** How many differences of a file are shown. */
const SHOWN = 6;

class DoesNotApply extends Error {}

/** The value behind the tags. */
function untag(value) {
  if (Array.isArray(value)) return value.map(untag);
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value);
  const inner = value[keys[0]];
  switch (keys.length === 1 && keys[0]) {
    case '$undef':
      return undefined;
    case '$num':
      return Number(inner);
    case '$utf16':
      return inner.map((unit) => String.fromCharCode(unit)).join('');
    case '$date':
      return new Date(inner ?? NaN);
    case '$set':
      return new Set(inner.map(untag));
    case '$error':
      return Object.assign(new Error(inner.message), { name: inner.name }, untag(inner.own));
    case '$special':
      return special(inner);
    case '$entries':
      return Object.fromEntries(inner.map(([key, item]) => [untag(key), untag(item)]));
  }
  return closed(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, untag(item)])));
}

const CIRCLE = Symbol('the object that this is a member of');

function special(kind) {
  if (kind === 'function') return () => 1;
  if (kind === 'symbol') return Symbol('s');
  if (kind === 'circular') return CIRCLE;
  if (kind.startsWith('bigint:')) return BigInt(kind.slice('bigint:'.length));
  throw new DoesNotApply(kind);
}

/** Closes the circles that members begin. */
function closed(object) {
  for (const [key, item] of Object.entries(object)) if (item === CIRCLE) object[key] = object;
  return object;
}

const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
/** Half a surrogate pair where a text was cut; ours drops it. */
const CUT = /^(?<![\ud800-\udbff])[\udc00-\udfff]|[\ud800-\udbff](?=…\[truncated |…?$)/g;

function storable(text) {
  return text.replace(LONE, '\ufffd').replaceAll('\0', '\ufffd');
}

/** `expected` with those of the allowed forms of each text that ours has. */
function settle(expected, ours, stored) {
  if (typeof expected === 'string') {
    const forms = [storable(expected), storable(expected.replace(CUT, ''))];
    if (!stored) forms.push(expected);
    return forms.includes(ours) ? ours : forms[0];
  }
  if (Array.isArray(expected)) return expected.map((item, index) => settle(item, ours?.[index], stored));
  if (typeof expected !== 'object' || expected === null || expected instanceof Date) return expected;
  return Object.fromEntries(
    Object.entries(expected).map(([key, item]) => {
      const has = typeof ours === 'object' && ours !== null && Object.hasOwn(ours, key);
      const name = has ? key : storable(key);
      return [name, settle(item, ours?.[name], stored)];
    }),
  );
}

/** Without members that are undefined, which JSON has none of. */
function withoutUndefined(value) {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

// ---- files: the input and the record in, what came out and what was expected out

const direct =
  (name, ...members) =>
  ({ input }) =>
    turnkeep[name](...members.map((member) => input[member]));

const names = {
  sanitizeName: ({ value }) => turnkeep.sanitizeToolName(value),
  namespacePrefix: ({ serverName }) => turnkeep.toolNamePrefix(serverName),
  capName: ({ value }) => turnkeep.capToolName(value),
  disambiguate: ({ name, serverId, taken }) => turnkeep.disambiguateToolName(name, serverId, new Set(taken)),
};

function once(make) {
  let made;
  return () => (made ??= make());
}

const labels = once(() =>
  Object.entries({ auth: 401, billing: 402, rate: 429 }).map(([label, statusCode]) => {
    const line = turnkeep.describeProviderError({ statusCode, message: 'm' });
    const end = ` — ${statusCode}: m`;
    assert.ok(line.endsWith(end) && line !== end, line);
    return [`«LABEL ${label}»`, line.slice(0, -end.length)];
  }),
);

const finalStep = once(() => {
  const { system } = turnkeep.prepareAgentStep(19, 's');
  assert.ok(system.startsWith('s\n\n') && system.trim() !== 's');
  return [['«FINAL_STEP_INSTRUCTION»', system.slice('s\n\n'.length)]];
});

/** Our own prose for each token. */
const prose = once(() => {
  const lines = turnkeep.buildSystemPrompt({ roleInstructions: 'R' }).split('\n');
  const place = lines.indexOf('R');
  const open = lines[place - 1];
  const safety = lines.slice(0, place - 1).join('\n');
  const bare = turnkeep.buildSystemPrompt({});
  const [before, after] = [`${safety}\n${open}\n`, `\n</role_persona>\n${safety}`];
  assert.ok(bare.startsWith(before) && bare.endsWith(after));
  const mcpInstructions = [{ serverName: 'S', toolPrefix: 'p', instructions: 'I' }];
  const block = turnkeep.buildSystemPrompt({ mcpInstructions });
  const [, mcpOpen, mcpIntro] = /^(<mcp_tooling note=.*>)\n(.*)\nServer "S"/m.exec(block);
  const page = turnkeep
    .buildSystemPrompt({ openedPage: { id: 'PAGE-ID', title: 'PAGE-TITLE' } })
    .split('\n')
    .find((line) => line.includes('"PAGE-TITLE"') && line.includes('(pageId: PAGE-ID)'));
  return [
    [
      /«OPEN_PAGE title=(.*) id=(.*)»/g,
      (_, title, id) => page.replace('PAGE-TITLE', () => title).replace('PAGE-ID', () => id),
    ],
    ['«PERSONA_OPEN»', open],
    ['«SAFETY»', safety],
    ['«DEFAULT_PERSONA»', bare.slice(before.length, -after.length)],
    ['«MCP_OPEN»', mcpOpen],
    ['«MCP_INTRO»', mcpIntro],
  ];
});

function spell(value, tokens) {
  if (typeof value === 'string') {
    return tokens.reduce(
      (text, [token, ours]) => text.replaceAll(token, typeof ours === 'string' ? () => ours : ours),
      value,
    );
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spell(item, tokens)]));
}

const runners = {
  accumulateStepUsage: { run: direct('accumulateStepUsage', 'acc', 'step') },
  assistantParts: { run: direct('assistantParts', 'steps', 'fallbackText'), stored: true },
  buildChatMarkdown: {
    run: ({ input: { clock, ...chat } }) => turnkeep.buildChatMarkdown({ ...chat, exportedAt: new Date(clock) }),
  },
  buildMcpToolingBlock: {
    run: ({ input }) => turnkeep.buildSystemPrompt(input),
    expected: (block) =>
      ['«SAFETY»', '«PERSONA_OPEN»', '«DEFAULT_PERSONA»', '</role_persona>', block, '«SAFETY»']
        .filter(Boolean)
        .join('\n'),
    tokens: prose,
  },
  buildSystemPrompt: {
    run: ({ input: { workspace, ...layers } }) =>
      turnkeep.buildSystemPrompt({ ...layers, workspaceName: workspace?.name }),
    tokens: prose,
  },
  chatStreamMetadata: {
    run({ input: { part, chatId, cumulativeStepUsage, finishStepUsages } }) {
      if (!finishStepUsages) return turnkeep.chatStreamMetadata(part, chatId, cumulativeStepUsage);
      let sum;
      return finishStepUsages.map((usage) => {
        sum = turnkeep.accumulateStepUsage(sum, turnkeep.normalizeUsage(usage));
        return turnkeep.chatStreamMetadata({ type: 'finish-step', usage }, chatId, sum);
      });
    },
  },
  chatTitleClean: {
    run({ input: { modelText } }) {
      if (modelText === null) throw new DoesNotApply('no text');
      return turnkeep.cleanChatTitle(modelText);
    },
    // No title is stored for the empty text.
    expected: ({ storedTitle }) => storedTitle,
  },
  compactToolOutput: {
    run({ input, record }) {
      const value = 'outputFromJson' in input ? JSON.parse(input.outputFromJson) : input.output;
      const result = turnkeep.compactToolOutput(value);
      assert.equal(result === value, record.sameIdentity, 'the same value or a copy');
      return result;
    },
    // What is returned as it is, is not looked at again.
    identity: true,
  },
  describeProviderError: { run: direct('describeProviderError', 'err', 'fallback'), tokens: labels },
  flushAssistant: {
    run: direct('flushAssistant', 'capturedSteps', 'inProgressText', 'status', 'extra'),
    stored: true,
  },
  isFatalProviderError: { run: direct('isFatalProviderError', 'err') },
  isIpAllowed: { run: direct('isIpAllowed', 'ip') },
  mcpNaming: {
    run({ input }) {
      if (!names[input.helper]) throw new DoesNotApply(input.helper);
      return names[input.helper](input);
    },
  },
  normalizeLang: { run: direct('normalizeLang', 'lang') },
  normalizeStreamUsage: { run: direct('normalizeUsage', 'usage') },
  planFinalizeAssistant: { run: direct('planFinalizeAssistant', 'assistantId') },
  prepareAgentStep: { run: direct('prepareAgentStep', 'stepNumber', 'system'), tokens: finalStep },
  recursiveSplit: {
    run({ input }) {
      if (!('text' in input)) throw new DoesNotApply('the settings of the original');
      return turnkeep.splitText(input.text);
    },
  },
  resolveAudioFormat: { run: direct('resolveAudioFormat', 'mimetype') },
  resolveCurrentPageResult: { run: direct('resolveCurrentPageResult', 'openedPage') },
  roleModelOverride: { run: direct('roleModelOverride', 'role') },
  rowToUiMessage: { run: direct('rowToUiMessage', 'row') },
  selectAccessibleHits: {
    run: ({ input: { hits, accessibleSet, cap } }) => turnkeep.selectAccessibleHits(hits, new Set(accessibleSet), cap),
  },
  serializeSteps: { run: direct('serializeSteps', 'steps'), stored: true },
  validateResolvedAddresses: {
    run: direct('validateResolvedAddresses', 'addrs'),
    // The recording names the address, for a log; ours gives the reason, which names none.
    expected({ blockedHost, ...verdict }) {
      return blockedHost === undefined ? verdict : { ...verdict, reason: turnkeep.isIpAllowed(blockedHost).reason };
    },
  },
};

function isIntended(file, name) {
  const entry = lists.intended[file]?.[name];
  return entry !== undefined && (typeof entry === 'string' || entry.languages.includes('node'));
}

/** Shows both texts from a little before the first difference on. */
function same(ours, expected) {
  if (ours === expected) return;
  let start = 0;
  while (ours?.[start] !== undefined && ours[start] === expected?.[start]) start++;
  const part = (text) => text?.slice(Math.max(start - 60, 0), start + 200);
  throw new Error(`\n     ours: ${part(ours)}\n   theirs: ${part(expected)}`);
}

function check(runner, record) {
  const input = untag(record.input);
  if (record.throws) {
    assert.throws(
      () => runner.run({ input, record }),
      (error) => error.code === 'INVALID_INPUT' && error.details.field !== 'function',
    );
    return;
  }
  let ours = runner.run({ input, record });
  // What was returned uncopied has been compared already, and may have no JSON.
  if (runner.identity && record.sameIdentity) return;
  const text = typeof record.outputJson === 'string';
  let expected = text ? JSON.parse(record.outputJson) : withoutUndefined(untag(record.output));
  if (runner.expected) expected = runner.expected(expected);
  if (runner.tokens) expected = spell(expected, runner.tokens());
  expected = settle(expected, ours, runner.stored);
  if (record.outputJson === null) same(JSON.stringify(ours), undefined);
  else if (text) same(JSON.stringify(ours), JSON.stringify(expected));
  else if (!isDeepStrictEqual(ours, expected)) same(JSON.stringify(ours), JSON.stringify(expected));
}

for (const [file, runner] of Object.entries(runners)) {
  test(`vectors: ${file}`, { skip: missing }, (t) => {
    const records = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8'));
    let [passed, intended, leftOut] = [0, 0, 0];
    const wrong = [];
    for (const record of records) {
      if (isIntended(file, record.name)) {
        intended++;
        continue;
      }
      try {
        check(runner, record);
        passed++;
      } catch (error) {
        if (error instanceof DoesNotApply) leftOut++;
        else wrong.push(`  ${record.name}: ${error.message.slice(0, 600)}`);
      }
    }
    const counts = `${passed} of ${records.length} pass, ${intended} intended, ${leftOut} do not apply`;
    t.diagnostic(`${file}: ${counts}`);
    if (wrong.length > 0) assert.fail(`${wrong.length} differ, such as:\n${wrong.slice(0, SHOWN).join('\n')}`);
    assert.ok(passed > 0, 'no case applies');
  });
}

test('vectors: every file is run or listed', { skip: missing }, () => {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length));
  assert.deepEqual(
    files.filter((file) => !(file in runners) && !(file in lists.doesNotApply)),
    [],
  );
});
