// The server: Nest on Fastify, the page as static files, and, unless there is a provider, one that answers from a script.

import 'reflect-metadata';

import { fileURLToPath } from 'node:url';

import fastifyStatic from '@fastify/static';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';

import { appModule } from './app.module.js';
import { startScripted } from './scripted.js';

const { PORT = '3000', HOST = '127.0.0.1', CHAT_STORE = 'sqlite:example.db', APP_SECRET } = process.env;
const { CHAT_BASE_URL, CHAT_MODEL = 'scripted', CHAT_API_KEY } = process.env;

const baseUrl = CHAT_BASE_URL ?? (await startScripted());
const application = await NestFactory.create<NestFastifyApplication>(
  appModule({
    store: CHAT_STORE,
    // Of your own, from where you keep secrets: it seals the keys that administrators enter.
    appSecret: APP_SECRET ?? 'a secret for nothing but this example',
    provider: {
      driver: 'openai-compatible',
      model: CHAT_MODEL,
      baseUrl,
      ...(CHAT_API_KEY && { apiKey: CHAT_API_KEY }),
    },
    isScripted: CHAT_BASE_URL === undefined,
  }),
  // Messages may have files.
  new FastifyAdapter({ bodyLimit: 32 * 1024 * 1024 }),
  { logger: ['error', 'warn'] },
);
application.setGlobalPrefix('api');
await application.register(fastifyStatic as never, { root: fileURLToPath(new URL('../page', import.meta.url)) });
// SIGTERM: answers in progress are handed over or settled before the server is gone.
application.enableShutdownHooks();
await application.listen(Number(PORT), HOST);
console.log(`${await application.getUrl()}${CHAT_BASE_URL ? '' : ' (the answers are from a script)'}`);
