// A chat's endpoints in Hono: npm install turnkeep hono @hono/node-server; node hono.mjs

import { serve } from '@hono/node-server';
import { Hono } from 'hono';
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
  // Your own session, such as `c.get('user')` of a middleware; null for nobody.
  who: (_, c) => ({ workspaceId: 'w1', userId: c.req.header('x-user') ?? 'u1' }),
  turn: () => ({ tools: { now: { readOnly: true, execute: () => new Date().toISOString() } } }),
});

const app = new Hono();
const answer = (c) => chat.fetch(c.req.raw, c);
app.all('/api/chat', answer).all('/api/chat/*', answer);
const server = serve({ fetch: app.fetch, port: process.env.PORT ?? 3000, hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`http://127.0.0.1:${port}`);
});
process.once('SIGTERM', async () => {
  await engine.close(); // Answers in progress are settled, or left to other processes.
  server.close();
  server.closeAllConnections();
});
