// A chat's endpoints in Fastify: npm install turnkeep fastify; node fastify.mjs

import Fastify from 'fastify';
import { Engine } from 'turnkeep';
import { createRouter } from 'turnkeep/http';

const { CHAT_BASE_URL: baseUrl, CHAT_MODEL: model, CHAT_API_KEY: apiKey, CHAT_STORE = 'sqlite:chats.db' } = process.env;
const engine = await Engine.open({
  store: CHAT_STORE,
  chats: { ids: 'any' }, // Those that useChat makes.
  providers: { default: { driver: 'openai-compatible', model, baseUrl, apiKey } },
});
const chat = createRouter({
  engine,
  // Your own session, such as `request.user` of a hook; null for nobody.
  who: (_, request) => ({ workspaceId: 'w1', userId: request.headers['x-user'] ?? 'u1' }),
  turn: () => ({ tools: { now: { readOnly: true, execute: () => new Date().toISOString() } } }),
});

const app = Fastify();
await app.register(chat.fastify); // POST /api/chat, GET /api/chat/:id/stream, …
app.addHook('preClose', () => engine.close()); // Answers in progress are settled, or left to other processes.
console.log(await app.listen({ port: process.env.PORT ?? 3000, host: '127.0.0.1' }));
process.once('SIGTERM', () => app.close());
