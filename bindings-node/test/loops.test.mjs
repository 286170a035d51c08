// Loops of the AI SDK itself, of every pinned version, whose steps are stored: what they hold is in the row, is shown, and
// comes back to the model.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as zod from 'zod';

import * as turnkeep from '../index.mjs';
import { call, loop, reasoning, text, versions } from './versions.mjs';
import { collect, thrown, user, world } from './world.mjs';

const seven = versions['the newest ai 7'];
const PNG = 'iVBORw0KGgo=';
const city = zod.object({ city: zod.string() });

/** Runs the loop with its steps recorded; gives the row, the two chunk streams, and what the loop gave. */
async function hosted(t, version, answers, options, engine) {
  engine ??= (await world(t, [])).engine;
  const run = await engine.runs.begin({ ...user, message: 'go', chatId: options.chatId });
  const { chatId: _, more, ...given } = options;
  const onStep = async (step) =>
    void (await run.recordStep(more ? { ...step, content: [...more(), ...step.content] } : step));
  const given_ = { messages: [{ role: 'user', content: 'go' }], ...given, onStep };
  const ran = await loop(version, answers, given_);
  await run.finish({ status: 'succeeded' });
  const rows = await engine.chats.messages({ ...user, chatId: run.chatId });
  const chunks = {};
  for (const protocol of ['ai-6', 'ai-7']) {
    const items = await collect(engine.runs.tail({ ...user, runId: run.runId, from: 'start', protocol }));
    chunks[protocol] = items.map(({ chunk }) => chunk);
  }
  return { engine, run, rows, row: rows.at(-1), chunks, ...ran };
}

const plain = (value) => JSON.parse(JSON.stringify(value));

async function reduced({ sdk }, chunks) {
  const schema = sdk.asSchema(sdk.uiMessageChunkSchema);
  for (const chunk of chunks) {
    const { success, error } = await schema.validate(chunk);
    assert.ok(success, `${JSON.stringify(chunk)}: ${error}`);
  }
  const stream = new ReadableStream({
    start(controller) {
      chunks.forEach((chunk) => controller.enqueue(chunk));
      controller.close();
    },
  });
  let message;
  for await (message of sdk.readUIMessageStream({ stream }));
  return plain(message);
}

/** Without what the reducers of some versions add, and with the same order. */
function comparable(parts, { reasons = true } = {}) {
  return plain(parts).map((part) => {
    if (part.type === 'reasoning') delete part.id;
    if (part.type === 'file') delete part.filename;
    if (!reasons) delete part.approval;
    return part;
  });
}

const toolsOf = ({ sdk }) => ({
  weather: sdk.tool({ inputSchema: city, execute: ({ city }) => ({ city, tempC: 21 }), title: 'The weather' }),
  remove: sdk.tool({ inputSchema: city, execute: () => 'removed' }),
  forbidden: sdk.tool({ inputSchema: city, execute: () => 'never' }),
  fails: sdk.tool({
    inputSchema: city,
    execute: () => {
      throw new Error('it broke');
    },
  }),
});

const everything = [
  [
    ...reasoning('Hm.', { p: { signature: 's' } }),
    {
      type: 'reasoning-file',
      mediaType: 'image/png',
      data: { type: 'data', data: PNG },
      providerMetadata: { p: { n: 1 } },
    },
    { type: 'custom', kind: 'p.compaction', providerMetadata: { p: { sealed: 'abc' } } },
    ...text('Looking. ', 't', {
      citations: [{ source: { type: 'source', sourceType: 'url', id: 's1', url: 'https://e.org' }, citedText: 'x' }],
      providerMetadata: { p: { t: 1 } },
    }),
    { type: 'source', sourceType: 'url', id: 's1', url: 'https://e.org', title: 'E' },
    { type: 'source', sourceType: 'document', id: 's2', mediaType: 'text/plain', title: 'D', filename: 'd.txt' },
    { type: 'file', mediaType: 'image/png', data: { type: 'data', data: PNG } },
    ...call('a', 'weather', { city: 'Oslo' }),
    ...call('b', 'forbidden', { city: 'Oslo' }),
    ...call('c', 'fails', { city: 'Oslo' }),
    ...call('d', 'find', { q: 1 }, { providerExecuted: true, dynamic: true, providerMetadata: { p: { c: 1 } } }),
    {
      type: 'tool-result',
      toolCallId: 'd',
      toolName: 'find',
      result: [1],
      dynamic: true,
      providerMetadata: { p: { r: 1 } },
    },
  ],
  [...text('Asking. '), ...call('e', 'remove', { city: 'Oslo' })],
];

const approvals = {
  toolApproval: {
    weather: { type: 'approved', reason: 'harmless' },
    forbidden: { type: 'denied', reason: 'not here' },
    remove: { type: 'user-approval', reason: 'it is gone then' },
  },
  experimental_toolApprovalSecret: 'secret',
};

test('whatever a step of a loop of ai 7 holds is stored, shown and sent back', async (t) => {
  const steering = seven.sdk.experimental_createSteering();
  const tools = toolsOf(seven);
  const wrapped = {
    ...tools.weather,
    execute: (input) => (steering.steer('I meant Bergen'), tools.weather.execute(input)),
  };
  const options = { tools: { ...tools, weather: wrapped }, ...approvals, experimental_steering: steering };
  const { row, chunks, steps, rows } = await hosted(t, seven, everything, options);

  const { parts } = row.metadata;
  const types = parts.map((part) => part.type);
  assert.deepEqual(types, [
    'step-start',
    'reasoning',
    'reasoning-file',
    'custom',
    'text',
    'source-url',
    'source-document',
    'file',
    'tool-weather',
    'tool-forbidden',
    'tool-fails',
    'dynamic-tool',
    'step-start',
    'data-steering',
    'text',
    'tool-remove',
  ]);
  const by = Object.fromEntries(parts.map((part) => [part.toolName ?? part.type, part]));
  assert.equal(by['tool-weather'].state, 'output-available');
  assert.equal(by['tool-weather'].title, 'The weather');
  assert.deepEqual([by['tool-weather'].approval.approved, by['tool-weather'].approval.isAutomatic], [true, true]);
  assert.equal(by['tool-forbidden'].state, 'output-denied');
  assert.equal(by['tool-forbidden'].approval.reason, 'not here');
  assert.deepEqual([by['tool-fails'].state, by['tool-fails'].errorText], ['output-error', 'Error: it broke']);
  assert.deepEqual([by.find.output, by.find.providerExecuted], [[1], true]);
  assert.deepEqual([by.find.callProviderMetadata, by.find.resultProviderMetadata], [{ p: { c: 1 } }, { p: { r: 1 } }]);
  assert.equal(by['tool-remove'].state, 'approval-requested');
  assert.equal(by['tool-remove'].approval.requestReason, 'it is gone then');
  assert.equal(typeof by['tool-remove'].approval.signature, 'string');
  assert.equal(by.custom.providerMetadata.p.sealed, 'abc');
  assert.equal(by['reasoning-file'].url, `data:image/png;base64,${PNG}`);
  assert.deepEqual(by.text.citations ?? parts[4].citations, everything[0].find((part) => part.citations).citations);
  assert.equal(by['data-steering'].data.parts[0].text, 'I meant Bergen');

  // The rows of a host with a table of its own hold the same.
  const flushed = turnkeep.flushAssistant(steps, '', 'completed');
  assert.deepEqual(flushed.metadata.parts, parts);
  assert.deepEqual(turnkeep.assistantParts(steps, ''), parts);
  assert.equal(flushed.content, 'Looking. Asking. ');
  assert.deepEqual(
    flushed.toolCalls.map(({ toolName }) => toolName),
    ['weather', 'forbidden', 'fails', 'find', 'weather', 'find', 'remove'],
  );

  // Clients of both versions take the chunks, and come to what the row says.
  const shown = { 'ai-7': turnkeep.rowToUiMessage(row, 'ai-7'), 'ai-6': turnkeep.rowToUiMessage(row, 'ai-6') };
  for (const [name, version] of Object.entries(versions)) {
    const { protocol, sdk } = version;
    const message = await reduced(version, chunks[protocol]);
    const newer = protocol === 'ai-7';
    const told = comparable(shown[protocol].parts, { reasons: newer }).map((part) => {
      const { citations, toolMetadata, ...rest } = part;
      return newer ? part : rest;
    });
    const read = comparable(message.parts, { reasons: newer });
    assert.deepEqual(read, told, name);
    const checked = await sdk.safeValidateUIMessages({ messages: [shown[protocol]] });
    assert.ok(checked.success, `${name}: ${checked.error}`);
    const sent = await sdk.convertToModelMessages([shown[protocol]], { tools });
    const kinds = sent.flatMap(({ content }) => (typeof content === 'string' ? [] : content.map(({ type }) => type)));
    for (const kind of ['reasoning', 'text', 'file', 'tool-call', 'tool-approval-request', 'tool-result']) {
      assert.ok(kinds.includes(kind), `${name}: ${kind}`);
    }
    if (newer) {
      for (const kind of ['custom', 'reasoning-file', 'tool-approval-response']) assert.ok(kinds.includes(kind), kind);
      const said = sent.find(({ role }) => role === 'user');
      assert.equal(said.content[0].text, 'I meant Bergen');
    }
  }
  for (const newer of ['custom', 'reasoning-file', 'steering-message', 'tool-approval-response']) {
    assert.ok(
      chunks['ai-7'].some(({ type }) => type === newer),
      newer,
    );
    assert.ok(!chunks['ai-6'].some(({ type }) => type === newer), newer);
  }
  // Documents keep all of it.
  const document = turnkeep.buildChatJson({ title: 't', chatId: 'c', rows });
  assert.deepEqual(turnkeep.parseChatJson(document).rows.at(-1).metadata.parts, parts);
});

test('a call that was allowed is made in the next turn, and the model is told of it once', async (t) => {
  const tools = toolsOf(seven);
  const ask = { tools, toolApproval: { remove: 'user-approval' }, experimental_toolApprovalSecret: 'secret' };
  const first = await hosted(t, seven, [call('e', 'remove', { city: 'Oslo' })], ask);
  const { engine } = first;
  const message = plain(turnkeep.rowToUiMessage(first.row, 'ai-7'));
  const asked = message.parts.find((part) => part.type === 'tool-remove');
  Object.assign(asked, { state: 'approval-responded', approval: { ...asked.approval, approved: true } });
  const messages = [{ role: 'user', content: 'go' }, ...(await seven.sdk.convertToModelMessages([message], { tools }))];
  // What comes of it is in no step of the loop: it is handed on with the first one.
  const outcomes = [];
  const remove = {
    ...tools.remove,
    execute: (input) => {
      outcomes.push({ type: 'tool-result', toolCallId: 'e', toolName: 'remove', input, output: 'removed' });
      return 'removed';
    },
  };
  const again = {
    ...ask,
    tools: { ...tools, remove },
    messages,
    chatId: first.run.chatId,
    more: () => outcomes.splice(0),
  };
  const second = await hosted(t, seven, [text('Gone.')], again, engine);
  assert.deepEqual(
    second.row.metadata.parts.map(({ type, state, output }) => [type, state, output]),
    [
      ['step-start', undefined, undefined],
      ['tool-remove', 'output-available', 'removed'],
      ['text', 'done', undefined],
    ],
  );
  assert.ok(second.parts.some(({ type, toolCallId }) => type === 'tool-result' && toolCallId === 'e'));
  // The prompt after it: what waited in the first row is left out, and stands in the second one.
  const shown = second.rows.map((row) => plain(turnkeep.rowToUiMessage(row, 'ai-7')));
  const prompt = await seven.sdk.convertToModelMessages(shown, { tools, ignoreIncompleteToolCalls: true });
  const next = [...prompt, { role: 'user', content: 'Thanks.' }];
  const third = await hosted(t, seven, [text('Welcome.')], { tools, messages: next, chatId: first.run.chatId }, engine);
  const calls = third.asked[0].flatMap(({ role, content }) =>
    role === 'system' ? [] : content.filter(({ toolCallId }) => toolCallId === 'e').map(({ type }) => type),
  );
  assert.deepEqual(calls, ['tool-call', 'tool-result']);
});

for (const [name, version] of Object.entries(versions)) {
  test(`${name}: a loop's steps as they are make the row, and the row the next prompt`, async (t) => {
    const answers = [
      [
        ...reasoning('Hm.', { p: { s: 1 } }),
        ...text('Looking. '),
        ...call('a', 'weather', { city: 'Oslo' }),
        ...call('c', 'fails', { city: 'X' }),
      ],
      [...call('x', 'nope', {}), ...text('And? ')],
      text('Done.'),
    ];
    const tools = toolsOf(version);
    const { row, steps, chunks, asked } = await hosted(t, version, answers, { tools });
    assert.deepEqual(turnkeep.flushAssistant(steps, '', 'completed').metadata.parts, row.metadata.parts);
    const states = row.metadata.parts
      .filter(({ state }) => state)
      .map(({ type, toolName, state }) => [toolName ?? type, state]);
    assert.deepEqual(states, [
      ['reasoning', 'done'],
      ['text', 'done'],
      ['tool-weather', 'output-available'],
      ['tool-fails', 'output-error'],
      ['nope', 'output-error'],
      ['text', 'done'],
      ['text', 'done'],
    ]);
    const message = await reduced(version, chunks[version.protocol]);
    const told = turnkeep.rowToUiMessage(row, version.protocol);
    assert.deepEqual(
      comparable(message.parts),
      comparable(told.parts).map(({ toolMetadata, ...part }) => part),
    );
    const sent = await version.sdk.convertToModelMessages([plain(told)], { tools });
    assert.deepEqual(
      sent.map(({ role }) => role),
      ['assistant', 'tool', 'assistant', 'tool', 'assistant'],
    );
    // What the loop itself had sent last, but for the user's message before it and the answer that came then.
    assert.equal(asked.at(-1).length, 1 + 4);
    const outcome = ({ role, content }) => (role === 'tool' ? content.map(({ output }) => output) : []);
    assert.deepEqual(plain(sent.flatMap(outcome)), plain(asked.at(-1).flatMap(outcome)));
  });

  test(`${name}: what a person is asked waits in the row, and a denial comes back as one`, async (t) => {
    const tools = toolsOf(version);
    const needs = version.protocol === 'ai-7' ? { toolApproval: { remove: 'user-approval' } } : {};
    if (version.protocol === 'ai-6') tools.remove.needsApproval = true;
    const answers = [[...text('Asking. '), ...call('e', 'remove', { city: 'Oslo' })]];
    const { row, chunks } = await hosted(t, version, answers, { tools, ...needs });
    const told = plain(turnkeep.rowToUiMessage(row, version.protocol));
    const part = told.parts.at(-1);
    assert.deepEqual([part.type, part.state, typeof part.approval.id], ['tool-remove', 'approval-requested', 'string']);
    assert.deepEqual(comparable((await reduced(version, chunks[version.protocol])).parts), comparable(told.parts));
    Object.assign(part, { state: 'output-denied', approval: { ...part.approval, approved: false, reason: 'no' } });
    const { success, error } = await version.sdk.safeValidateUIMessages({ messages: [told] });
    assert.ok(success, String(error));
    const sent = await version.sdk.convertToModelMessages([told], { tools });
    assert.equal(sent.at(-1).content.at(-1).output.value, 'no');
  });
}

test('what cannot be kept is refused with its path, and nothing of its step is stored', async (t) => {
  const { engine } = await world(t, []);
  const run = await engine.runs.begin({ ...user, message: 'go' });
  const cases = [
    [[{ type: 'hologram' }], 'content[0].type'],
    [[{ type: 'text', text: 'a' }, { text: 'b' }], 'content[1].type'],
    [[{ type: 'custom', kind: 'nameless' }], 'content[0].kind'],
    [[{ type: 'custom', kind: 'p.c', providerMetadata: 'x' }], 'content[0].providerMetadata'],
    [[{ type: 'text', text: 'a', citations: 5 }], 'content[0].citations'],
    [[{ type: 'file', file: { mediaType: 'image/png' } }], 'content[0].file.base64'],
    [[{ type: 'source', sourceType: 'smell', id: 's' }], 'content[0].sourceType'],
    [[{ type: 'tool-result', toolCallId: 'c', output: 1 }], 'content[0].toolName'],
    [[{ type: 'tool-approval-request', approvalId: 'a' }], 'content[0].toolCall'],
    [
      [{ type: 'tool-approval-response', approvalId: 'a', toolCall: { toolCallId: 'c', toolName: 't' } }],
      'content[0].approved',
    ],
  ];
  for (const [content, field] of cases) {
    const refused = await thrown(() => run.recordStep({ content }));
    assert.deepEqual([refused.code, refused.details.field], ['INVALID_INPUT', `step.${field}`]);
    const pure = await thrown(() => turnkeep.flushAssistant([{ text: 'first' }, { content }], '', 'completed'));
    assert.deepEqual([pure.code, pure.details.field], ['INVALID_INPUT', `steps[1].${field}`]);
  }
  const message = {
    role: 'user',
    content: [{ type: 'file', mediaType: 'a/b', data: { type: 'reference', reference: {} } }],
  };
  const refused = await thrown(() => run.recordStep({ content: [], experimental_steeringMessages: [message] }));
  assert.equal(refused.details.field, 'step.experimental_steeringMessages[0].content[0].data');
  assert.equal(await run.recordStep({ text: 'fine', finishReason: 'interrupted' }), 0);
  await run.finish({ status: 'succeeded' });
  const tail = async (protocol) => collect(engine.runs.tail({ ...user, runId: run.runId, protocol }));
  const [older, newer] = [await tail('ai-6'), await tail('ai-7')];
  assert.equal(older.at(-1).chunk.finishReason, 'other');
  assert.equal(newer.at(-1).chunk.finishReason, 'interrupted');
});

test('steps with lists are written as ever, whatever content they have beside them that says the same', () => {
  const step = {
    text: 'a',
    toolCalls: [{ toolCallId: 'c', toolName: 't', input: {} }],
    toolResults: [{ toolCallId: 'c', toolName: 't', output: 1 }],
  };
  const content = [
    { type: 'text', text: 'a' },
    { type: 'tool-call', toolCallId: 'c', toolName: 't', input: {} },
    { type: 'tool-result', toolCallId: 'c', toolName: 't', output: 1 },
  ];
  const old = turnkeep.flushAssistant([step], 'b', 'completed');
  assert.deepEqual(turnkeep.flushAssistant([{ ...step, content }], 'b', 'completed'), old);
  assert.deepEqual(turnkeep.flushAssistant([{ ...step, content: [] }], 'b', 'completed'), old);
  const more = [...content, { type: 'reasoning', text: 'r' }];
  const whole = turnkeep.flushAssistant([step, { ...step, content: more }], 'b', 'completed');
  assert.deepEqual(
    whole.metadata.parts.map(({ type }) => type),
    ['step-start', 'text', 'tool-t', 'step-start', 'text', 'tool-t', 'reasoning', 'step-start', 'text'],
  );
  assert.equal(whole.content, 'aab');
});

test('a message that a loop was given from the queue is told once, and one of the loop itself beside it', async (t) => {
  const { engine } = await world(t, []);
  const run = await engine.runs.begin({ ...user, message: 'go' });
  await engine.runs.steer({ ...user, runId: run.runId, message: 'I meant B' });
  const [taken] = await engine.runs.takeSteering({ ...user, runId: run.runId });
  assert.equal(taken.message.parts[0].text, 'I meant B');
  const said = (content) => ({ role: 'user', content });
  await run.recordStep({
    content: [{ type: 'text', text: 'B, then.' }],
    experimental_steeringMessages: [said('I meant B'), said([{ type: 'text', text: 'and C' }])],
  });
  await run.finish({ status: 'succeeded' });
  const [, row] = await engine.chats.messages({ ...user, chatId: run.chatId });
  assert.deepEqual(
    row.metadata.parts.map(({ type, data }) => data?.parts[0].text ?? type),
    ['step-start', 'I meant B', 'and C', 'text'],
  );
});

test('a last step may be one of the SDK, and a run may be driven by its id', async (t) => {
  const { engine } = await world(t, []);
  const run = await engine.runs.begin({ ...user, message: 'go' });
  const { steps } = await loop(seven, [[{ type: 'custom', kind: 'p.c' }, ...text('a')]], { prompt: 'go' });
  await engine.runs.recordStep({ ...user, runId: run.runId, step: steps[0] });
  await engine.runs.finish({ ...user, runId: run.runId, status: 'aborted', step: steps[0] });
  const [, row] = await engine.chats.messages({ ...user, chatId: run.chatId });
  assert.deepEqual(
    row.metadata.parts.map(({ type }) => type),
    ['step-start', 'custom', 'text', 'step-start', 'custom', 'text'],
  );
  const { items } = await engine.chats.uiMessagePage({ ...user, chatId: run.chatId });
  assert.equal(items[1].parts[1].type, 'data-custom');
  const newer = await engine.chats.uiMessagePage({ ...user, chatId: run.chatId, protocol: 'ai-7' });
  assert.equal(newer.items[1].parts[1].type, 'custom');
});
