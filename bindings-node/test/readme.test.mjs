// Code of the README, as it stands there.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import * as turnkeep from '../index.mjs';
import { versions } from './versions.mjs';
import { user, world } from './world.mjs';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const AsyncFunction = (async () => {}).constructor;

/** The first JavaScript under a heading, as a function of what it does not define itself. */
function recipe(heading, ...given) {
  const [, after] = README.split(`\n### ${heading}\n`);
  const [, code] = after.match(/```js\n([^]*?)```/);
  return new AsyncFunction(...given, code.replaceAll(/^import .*\n/gm, ''));
}

const GIVEN = ['streamText', 'describeProviderError', 'engine', 'workspaceId', 'userId', 'chatId'];
const ownLoop = recipe('Keep your own agent loop', ...GIVEN, 'model', 'message', 'messages');
const usage = { inputTokens: { total: 3 }, outputTokens: { total: 4 } };
const begins = [
  { type: 'text-start', id: '1' },
  { type: 'text-delta', id: '1', delta: 'Half of ' },
  { type: 'text-delta', id: '1', delta: 'it' },
];
const ends = [
  { type: 'text-end', id: '1' },
  { type: 'finish', finishReason: { unified: 'stop' }, usage },
];

/** A model that says these parts, and then what `then` does. */
function says(Model, parts, then) {
  return new Model({
    doStream: async ({ abortSignal }) => ({
      stream: new ReadableStream({
        async start(controller) {
          for (const part of parts) controller.enqueue(part);
          await then?.(controller, abortSignal);
        },
      }),
    }),
  });
}

/** Runs the recipe and gives what is stored of its answer. `makeModel` is given what stops the run. */
async function played(t, sdk, makeModel) {
  const { engine } = await world(t, []);
  const of = { ...user, chatId: crypto.randomUUID() };
  const model = makeModel(() => engine.runs.stop(of));
  const messages = [{ role: 'user', content: 'go' }];
  const { streamText } = sdk;
  const { describeProviderError } = turnkeep;
  const { workspaceId, userId, chatId } = of;
  await ownLoop(streamText, describeProviderError, engine, workspaceId, userId, chatId, model, 'go', messages);
  const [, { content, metadata }] = await engine.chats.messages(of);
  const { status, reason } = await engine.runs.latestForChat(of);
  return { status, reason, content, error: metadata.error };
}

for (const [version, { sdk, Model }] of Object.entries(versions)) {
  test(`${version}: a host's own loop that comes to its end`, async (t) => {
    const { status, content } = await played(t, sdk, () =>
      says(Model, [...begins, ...ends], (controller) => controller.close()),
    );
    assert.deepEqual([status, content], ['succeeded', 'Half of it']);
  });

  test(`${version}: one that is stopped keeps what was said in the step in progress`, async (t) => {
    const model = (stop) =>
      says(Model, begins, async (controller, abortSignal) => {
        abortSignal.addEventListener('abort', () => controller.error(abortSignal.reason));
        await stop();
      });
    const { status, reason, content } = await played(t, sdk, model);
    assert.deepEqual([status, reason, content], ['aborted', 'stopped', 'Half of it']);
  });

  test(`${version}: one whose provider fails keeps it, too`, async (t) => {
    const failure = new Error('the provider went away');
    const model = () =>
      says(Model, [...begins, { type: 'error', error: failure }, ...ends], (controller) => controller.close());
    const { status, reason, content, error } = await played(t, sdk, model);
    assert.deepEqual([status, reason, error], ['failed', 'provider_error', 'the provider went away']);
    assert.equal(content, 'Half of it');
  });
}
