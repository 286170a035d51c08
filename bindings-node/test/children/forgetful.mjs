// One of several scripts that end without closing their engine: `forgetful.mjs NAME DATABASE BASE_URL`.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { Engine } from '../../index.mjs';

const [name, database, baseUrl] = workerData ?? process.argv.slice(2);
const user = { workspaceId: 'w', userId: 'u' };
const ready = () => console.log('ready');

let inTool;
const toolRuns = new Promise((resolve) => {
  inTool = resolve;
});
const tools = {
  tool: { execute: () => 'ok' },
  hang: {
    execute: () => {
      inTool();
      return new Promise(() => {});
    },
  },
};

const open = () =>
  Engine.open({
    store: `sqlite:${database}`,
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl } },
    tools,
  });
const begin = async () => (await open()).startTurn({ ...user, message: 'go' });
const untilText = async (turn) => {
  for await (const chunk of turn.chunks()) if (chunk.type === 'text-delta') return;
};

/** Resolves once the log has been read as far as it goes, with a read that waits for more. */
const tailing = async (engine, runId) => {
  const tail = engine.runs.tail(runId, user);
  await tail.next();
  void tail.next().catch(() => {});
};

const scripts = {
  async offered() {
    const engine = await open();
    engine.offerTools();
    await (await engine.startTurn({ ...user, message: 'go', offeredTools: ['tool'] })).done();
    // Nothing but the offer keeps the process alive until then.
    setTimeout(async () => {
      await engine.close();
      ready();
    }, 200).unref();
  },
  async leftToOthers() {
    await (await open()).startTurn({ ...user, message: 'go', offeredTools: ['tool'] });
    ready();
  },
  async exitWhileOffering() {
    const engine = await open();
    engine.offerTools();
    await engine.startTurn({ ...user, message: 'go', offeredTools: ['hang'] });
    await toolRuns;
    ready();
    process.exit(0);
  },
  async terminatedWhileOffering() {
    if (!isMainThread) {
      const engine = await open();
      engine.offerTools();
      await engine.startTurn({ ...user, message: 'go', offeredTools: ['hang'] });
      await toolRuns;
      return parentPort.postMessage('in a tool');
    }
    const worker = new Worker(new URL(import.meta.url), { workerData: [name, database, baseUrl] });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    ready();
  },
  async finished() {
    await (await begin()).done();
    ready();
  },
  async idle() {
    await open();
    ready();
  },
  async unread() {
    await begin();
    ready();
  },
  async exit() {
    await untilText(await begin());
    ready();
    process.exit(0);
  },
  async exitInTool() {
    await begin();
    await toolRuns;
    ready();
    process.exit(0);
  },
  async throws() {
    await untilText(await begin());
    ready();
    throw new Error('on purpose');
  },
  async tailed() {
    const engine = await open();
    const turn = await engine.startTurn({ ...user, message: 'go' });
    for await (const _ of engine.runs.tail(turn.runId, user));
    ready();
  },
  async unreadTail() {
    const engine = await open();
    const { runId } = await engine.runs.begin({ ...user, message: 'go' });
    await engine.runs.tail(runId, user).next();
    ready();
  },
  async hosted() {
    const run = await (await open()).runs.begin({ ...user, message: 'go' });
    await run.recordStep({ text: 'one' });
    run.signal.addEventListener('abort', () => console.log('aborted'));
    ready();
  },
  async exitInTail() {
    const engine = await open();
    const { runId } = await engine.runs.begin({ ...user, message: 'go' });
    await tailing(engine, runId);
    ready();
    process.exit(0);
  },
  async terminatedInTail() {
    if (!isMainThread) {
      const engine = await open();
      const { runId } = await engine.runs.begin({ ...user, message: 'go' });
      await tailing(engine, runId);
      return parentPort.postMessage('following');
    }
    const worker = new Worker(new URL(import.meta.url), { workerData: [name, database, baseUrl] });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    ready();
  },
  async worker() {
    if (!isMainThread) return void (await (await begin()).done());
    const worker = new Worker(new URL(import.meta.url), { workerData: [name, database, baseUrl] });
    await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    ready();
  },
  async terminated() {
    if (!isMainThread) {
      await untilText(await begin());
      return parentPort.postMessage('streaming');
    }
    const worker = new Worker(new URL(import.meta.url), { workerData: [name, database, baseUrl] });
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    ready();
  },
};

await scripts[name]();
