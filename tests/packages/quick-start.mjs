// What a new user runs first: a turn with a tool, over HTTP and in the process, printed.

import { createServer } from 'node:http';
import { once } from 'node:events';

import { Engine, TurnkeepError } from 'turnkeep';
import { createRouter } from 'turnkeep/http';
import { followRun } from 'turnkeep/client';

const [baseUrl, how] = process.argv.slice(2);
const engine = await Engine.open({
  store: 'sqlite::memory:',
  chats: { ids: 'any' },
  providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl } },
  tools: { weather: { readOnly: true, execute: () => ({ sky: 'clear' }) } },
});
const user = { workspaceId: 'w1', userId: 'u1' };
const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'How is the weather?' });
let text = '';
for await (const chunk of turn.chunks()) if (chunk.type === 'text-delta') text += chunk.delta;
console.log(text, (await turn.done()).status);

const router = createRouter({ engine, who: () => user });
const server = createServer(router.node).listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}/api/chat/runs/${turn.runId}/stream`;
let followed = '';
for await (const chunk of followRun({ url })) if (chunk.type === 'text-delta') followed += chunk.delta;
console.log(followed);

const refused = await engine.startTurn({ ...user, chatId: 5, message: 'x' }).catch((error) => error);
console.log(refused instanceof TurnkeepError, refused.code, refused.details.field);
server.close();
server.closeAllConnections?.();
// A process ends when nothing but the engine is left, closed or not.
if (how !== 'unclosed') await engine.close();
