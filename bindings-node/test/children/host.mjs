// A host in a process of its own: the router on a server of Node's, and on sockets where it is told where `ws` is (WS). It reports
// what it holds and how late its event loop was.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { createRouter } from '../../http.mjs';
import { Engine } from '../../index.mjs';

const rejections = [];
process.on('unhandledRejection', (error) => rejections.push(String(error)));
process.on('uncaughtException', (error) => rejections.push(String(error)));

const { STORE, BASE_URL, WS } = process.env;
const engine = await Engine.open({
  store: STORE,
  chats: { ids: 'any' },
  providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: BASE_URL } },
});
const router = createRouter({ engine, who: () => ({ workspaceId: 'w1', userId: 'u1' }) });
const server = createServer(router.node).listen(0, '127.0.0.1');
await once(server, 'listening');
if (WS) {
  const { WebSocketServer } = await import(WS);
  new WebSocketServer({ server }).on('connection', (socket, request) => router.socket(socket, request));
}
const delay = monitorEventLoopDelay({ resolution: 1 });

const commands = {
  /** What is held once everything that nobody holds is gone. */
  async report() {
    server.closeIdleConnections();
    // What was let go of is finalized by a later turn of the loop.
    for (let round = 0; round < 3; round++) {
      globalThis.gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, rss, external } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo().sort();
    return { heapUsed, rss, external, resources, rejections, cpu: process.cpuUsage() };
  },
  watch() {
    delay.reset();
    delay.enable();
    return null;
  },
  /** How late timers were, in milliseconds; the resolution of the watch itself is taken off. */
  watched() {
    delay.disable();
    const late = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - 1);
    return { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
  },
  close: () => engine.close({ graceMs: 0 }),
};

process.send({ origin: `http://127.0.0.1:${server.address().port}` });
process.on('message', async ({ id, command }) => process.send({ id, result: (await commands[command]()) ?? null }));
process.on('disconnect', () => process.exit());
