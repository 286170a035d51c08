// Compiled, never run: what hosts and pages write against `turnkeep/http` and `turnkeep/client`.

import { createServer, type IncomingMessage } from 'node:http';

import { TurnkeepChatTransport, describeChatError, followRun } from '../../client.mjs';
import { createRouter, failureBody } from '../../http.mjs';
import { Engine } from '../../index.mjs';

declare const engine: Engine;
declare function session(cookie: string | null): Promise<{ user: string; admin: boolean } | null>;

const router = createRouter<IncomingMessage>({
  engine: () => engine,
  who: async (request, native) => {
    const found = await session(request.headers.get('cookie') ?? native.headers.cookie ?? null);
    return found && { workspaceId: 'w', userId: found.user, isAdmin: found.admin };
  },
  turn: ({ body, who, asked }) => ({
    tools: { now: { execute: () => new Date() } },
    extraSystem: `${String(body.tone)} ${who.userId} ${asked.chatId}`,
  }),
  routes: { usage: false, open: async (context, original) => (context.params.chatId ? original() : Response.json({})) },
  origins: ['https://app.example'],
});
createServer(router.node);
const answered: Promise<Response> = router.fetch(new Request('http://localhost/api/chat/chats'));
void answered;
// @ts-expect-error: there is no such route
createRouter({ engine, who: () => null, routes: { nope: false } });
// @ts-expect-error: a host has to say who asks
createRouter({ engine });
const code: string = failureBody(new Error('x')).error.code;
void code;

const transport = new TurnkeepChatTransport({ api: '/api/chat', keepIds: true });
void transport;
const described = describeChatError(new TypeError('Failed to fetch'));
if (described.kind === 'busy') void described.activeRunId;
for await (const chunk of followRun({ url: '/api/chat/runs/x/stream' })) void chunk.type;
