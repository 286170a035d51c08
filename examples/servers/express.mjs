// A chat's endpoints in Express: npm install turnkeep express; node express.mjs

import express from 'express';
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
  // Your own session; null for nobody.
  who: (request) => ({ workspaceId: 'w1', userId: request.headers.get('x-user') ?? 'u1' }),
  turn: () => ({ tools: { now: { readOnly: true, execute: () => new Date().toISOString() } } }),
});

const app = express();
app.use(express.json());
app.use(chat.node); // POST /api/chat, GET /api/chat/:id/stream, …
const server = app.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', async () => {
  await engine.close(); // Answers in progress are settled, or left to other processes.
  server.close();
  server.closeAllConnections();
});
