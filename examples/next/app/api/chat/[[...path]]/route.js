// A chat's endpoints: POST /api/chat, GET /api/chat/:id/stream, …

import { Engine } from 'turnkeep';
import { createRouter } from 'turnkeep/http';

const { CHAT_BASE_URL: baseUrl, CHAT_MODEL: model, CHAT_API_KEY: apiKey, CHAT_STORE = 'sqlite:chats.db' } = process.env;
const open = () =>
  Engine.open({
    store: CHAT_STORE,
    chats: { ids: 'any' }, // Those that useChat makes.
    providers: { default: { driver: 'openai-compatible', model, baseUrl, apiKey } },
  });

const chat = createRouter({
  // One for the process: this module is also loaded while building, and again after every change while developing.
  engine: () => (globalThis.turnkeepEngine ??= open()),
  // Your own session; null for nobody.
  who: (request) => ({ workspaceId: 'w1', userId: request.headers.get('x-user') ?? 'u1' }),
  turn: () => ({ tools: { now: { readOnly: true, execute: () => new Date().toISOString() } } }),
});

export const dynamic = 'force-dynamic';
export const GET = (request) => chat.fetch(request);
export const POST = GET;
export const PATCH = GET;
export const DELETE = GET;
