// Every version of the AI SDK that is pinned, and what each of them calls things.

import * as v6_0_134 from 'ai-6.0.134';
import * as v6_0_134_test from 'ai-6.0.134/test';
import * as v6_0_207 from 'ai';
import * as v6_0_207_test from 'ai/test';
import * as v6_newest from 'ai-newest';
import * as v6_newest_test from 'ai-newest/test';
import * as v7 from 'ai-7';
import * as v7_test from 'ai-7/test';

const six = { protocol: 'ai-6', isStepCount: 'stepCountIs', onStepEnd: 'onStepFinish' };
const seven = { protocol: 'ai-7', isStepCount: 'isStepCount', onStepEnd: 'onStepEnd' };

/** By their names: the SDK, the model that it is tested with, and the protocol that its clients speak. */
export const versions = {
  'ai 6.0.134': { sdk: v6_0_134, Model: v6_0_134_test.MockLanguageModelV3, ...six },
  'ai 6.0.207': { sdk: v6_0_207, Model: v6_0_207_test.MockLanguageModelV3, ...six },
  'the newest ai 6': { sdk: v6_newest, Model: v6_newest_test.MockLanguageModelV3, ...six },
  'the newest ai 7': { sdk: v7, Model: v7_test.MockLanguageModelV4, ...seven },
};

const usage = {
  inputTokens: { total: 10, noCache: 10, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 5, text: 5, reasoning: 0 },
};

export const text = (words, id = 't', more = {}) => [
  { type: 'text-start', id },
  { type: 'text-delta', id, delta: words },
  { type: 'text-end', id, ...more },
];

export const reasoning = (words, providerMetadata) => [
  { type: 'reasoning-start', id: 'r' },
  { type: 'reasoning-delta', id: 'r', delta: words },
  { type: 'reasoning-end', id: 'r', ...(providerMetadata && { providerMetadata }) },
];

export const call = (toolCallId, toolName, input = {}, more = {}) => [
  { type: 'tool-call', toolCallId, toolName, input: JSON.stringify(input), ...more },
];

/** Runs a loop of this version whose model answers with these parts, step after step. */
export async function loop({ sdk, Model, isStepCount, onStepEnd }, answers, { onStep, ...options }) {
  const asked = [];
  const model = new Model({
    doStream: async ({ prompt }) => {
      const parts = answers[asked.push(prompt) - 1];
      const last = parts.some((part) => part.type === 'tool-call' && !part.providerExecuted) ? 'tool-calls' : 'stop';
      const unified = parts.finishReason ?? last;
      const chunks = [
        { type: 'stream-start', warnings: [] },
        ...parts,
        { type: 'finish', usage, finishReason: { unified, raw: unified } },
      ];
      return { stream: sdk.simulateReadableStream({ chunks, initialDelayInMs: null, chunkDelayInMs: null }) };
    },
  });
  const result = sdk.streamText({
    model,
    stopWhen: sdk[isStepCount](10),
    [onStepEnd]: onStep,
    onError: ({ error }) => {
      throw error;
    },
    ...options,
  });
  const parts = [];
  for await (const part of result.fullStream) parts.push(part);
  return { asked, parts, steps: await result.steps };
}
