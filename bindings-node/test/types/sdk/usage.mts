// Compiled, never run: what the AI SDK of either version gives goes in as it is, and what comes out goes into it.

import * as six from 'ai';
import * as seven from 'ai-7';
import * as zod from 'zod';

import { type } from 'arktype';
import * as valibot from 'valibot';

import { defineTool, Engine, flushAssistant, rowToUiMessage, type ShownUIMessage } from 'turnkeep';

import { TurnkeepChatTransport } from '../../../client.mjs';

declare const engine: Engine;

// The transport, where each version wants one.
const forSix: six.ChatTransport<six.UIMessage> = new TurnkeepChatTransport();
const forSeven: seven.ChatTransport<seven.UIMessage> = new TurnkeepChatTransport({ protocol: 'ai-7' });
void [forSix, forSeven];

const user = { workspaceId: 'w', userId: 'u', chatId: 'c' };

// Messages of clients, whatever their metadata, data and tools are.
type Mine = { mine: number };
declare const ofSix: six.UIMessage;
declare const ofSeven: seven.UIMessage;
declare const typed: seven.UIMessage<Mine, { note: string }, { weather: { input: { city: string }; output: number } }>;
for (const message of [ofSix, ofSeven, typed]) await engine.startTurn({ ...user, message });
await engine.runs.begin({ ...user, message: ofSeven });

// Rows to messages, and on to a model.
const rows = await engine.chats.messages(user);
await six.convertToModelMessages(rows.map((row) => rowToUiMessage(row, 'ai-6')));
await six.convertToModelMessages(rows.map(rowToUiMessage));
await seven.convertToModelMessages(rows.map((row) => rowToUiMessage(row, 'ai-7')));
const shownInSix: six.UIMessage[] = rows.map((row) => rowToUiMessage(row, 'ai-6'));
const shownInSeven: seven.UIMessage[] = rows.map((row) => rowToUiMessage(row, 'ai-7'));
const metadata: ShownUIMessage['metadata'] = rowToUiMessage(rows[0]!).metadata;
void [shownInSix, shownInSeven, metadata?.usage?.inputTokens];

// @ts-expect-error version 6 knows no parts of version 7
const older: six.UIMessage = rowToUiMessage(rows[0]!, 'ai-7');
// @ts-expect-error no such protocol
rowToUiMessage(rows[0]!, 'ai-5');
void older;

// Steps of loops.
const run = await engine.runs.begin({ ...user, message: 'hi' });
declare const modelOfSix: six.LanguageModel;
declare const modelOfSeven: seven.LanguageModel;
const tools = {
  weather: seven.tool({ inputSchema: zod.object({ city: zod.string() }), execute: async ({ city }) => ({ city }) }),
};
const recorded: Promise<number>[] = [];
const loop = seven.streamText({
  model: modelOfSeven,
  prompt: 'hi',
  tools,
  abortSignal: run.signal,
  onStepEnd: (step) => void recorded.push(run.recordStep(step)),
});
await loop.consumeStream();
await Promise.all(recorded);
const row = flushAssistant(await loop.steps, '', 'completed');
const loose: Record<string, unknown> = row.metadata;
await run.finish({ status: 'succeeded', step: (await loop.steps)[0]! });
await engine.runs.recordStep({ ...user, runId: run.runId, step: (await loop.steps)[0]! });
await engine.runs.finish({ ...user, runId: run.runId, status: 'aborted', step: (await loop.steps)[0]! });
const olderLoop = six.streamText({
  model: modelOfSix,
  prompt: 'hi',
  onStepFinish: async (step) => void (await run.recordStep(step)),
});
flushAssistant(await olderLoop.steps, '', 'completed').metadata.parts.length;
void loose;

// Tools of the SDK as they are.
const ofSdk = six.tool({ inputSchema: zod.object({ city: zod.string() }), execute: async ({ city }) => ({ city }) });
await engine.startTurn({ ...user, message: 'hi', tools: { weather: ofSdk } });
await engine.startTurn({ ...user, message: 'hi', tools });
engine.offerTools(tools);
await Engine.open({ store: 'sqlite::memory:', tools: { ...tools, ofSdk } });

// Tools by their schemas.
const byZod = defineTool({
  inputSchema: zod.object({ city: zod.string(), days: zod.coerce.number() }),
  execute: ({ city, days }, { signal }) => [city.toUpperCase(), days.toFixed(), signal.aborted],
});
const byValibot = defineTool({
  name: 'valibot',
  inputSchema: valibot.object({ city: valibot.string() }),
  execute: async ({ city }) => city.toUpperCase(),
});
const byArkType = defineTool({
  inputSchema: () => type({ city: 'string' }),
  execute: ({ city }) => city.toUpperCase(),
});
const bySdk = defineTool({
  inputSchema: seven.jsonSchema<{ city: string }>({ type: 'object' }),
  execute: ({ city }) => city.toUpperCase(),
});
defineTool({
  inputSchema: zod.object({ city: zod.string() }),
  // @ts-expect-error the schema knows no country
  execute: ({ country }) => country,
});
await engine.startTurn({ ...user, message: 'hi', tools: { byZod, byArkType, bySdk } });
await engine.startTurn({ ...user, message: 'hi', tools: [byValibot] });
engine.offerTools({ byZod, ask: { answerSchema: { type: 'string' } } });
