// Compiled, never run: the declarations must allow what the README shows and refuse what is wrong.

import { createServer } from 'node:http';

import { Engine, type RunOutcome, TurnkeepError, type UIMessageChunk } from '../../index.mjs';

const engine: Engine = await Engine.open({
  store: 'sqlite:chats.db',
  providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: 'http://127.0.0.1/v1' } },
  tools: { weather: { inputSchema: { type: 'object' }, execute: ({ city }: { city: string }) => ({ city }) } },
});
const user = { workspaceId: 'w', userId: 'u' };

createServer(async (_, response) => {
  const turn = await engine.startTurn({ ...user, message: { role: 'user', parts: [{ type: 'text', text: 'hi' }] } });
  await turn.pipe(response);
});

const turn = await engine.startTurn({
  ...user,
  message: 'hi',
  tools: [{ name: 't', execute: async (_, { signal }) => signal.aborted }],
});
for await (const chunk of turn.chunks()) {
  const known: UIMessageChunk = chunk;
  if (known.type === 'text-delta') known.delta.toUpperCase();
}
for await (const bytes of turn.sse()) bytes.byteLength;
const outcome: RunOutcome = await turn.done();
outcome.usage?.inputTokens?.toFixed();
const stopped: boolean = await engine.runs.stop({ ...user, chatId: turn.chatId });
const markdown: string = await engine.chats.export({ ...user, chatId: turn.chatId, lang: 'ru' });
void [stopped, markdown];

try {
  await engine.close({ graceMs: 0 });
} catch (error) {
  if (error instanceof TurnkeepError && error.code === 'STORE_UNAVAILABLE') error.details;
}

// @ts-expect-error the user is missing
await engine.startTurn({ message: 'hi' });
// @ts-expect-error a tool needs code
await engine.startTurn({ ...user, message: 'hi', tools: [{ name: 't' }] });
// @ts-expect-error neither a run nor a chat
await engine.runs.stop({ ...user });
// @ts-expect-error engines are opened, not constructed
new Engine();
