// Unmodified `useChat` of each version in Chromium: it sends, streams, comes back in mid-answer, stops, and is cut off, and what it
// shows in the end is what the database has.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';

import { finish, reasoning, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';
import { createRouter } from '../../bindings-node/http.mjs';
import { Engine } from '../../bindings-node/index.mjs';
import { listening, randomOf, wire } from '../../bindings-node/test/site.mjs';
import { executablePath, skip } from './chromium.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const versions = ['react-6.0.134', 'react-6.0.207', 'react-6-newest', 'react-7'];
const transports = ['turnkeep', 'default'];
const user = { workspaceId: 'w1', userId: 'u1' };
const words = (name, count) => Array.from({ length: count }, (_, place) => `${name}${place} `);
const PATIENCE_MS = 60_000;

/** The page, with the packages of one version. */
async function bundled(version) {
  const folder = join(here, 'node_modules', version);
  const resolve = createRequire(join(folder, 'package.json')).resolve;
  const ofVersion = {
    name: 'of this version',
    setup(made) {
      made.onResolve({ filter: /^@ai-sdk\/react$/ }, () => ({ path: resolve(folder) }));
      made.onResolve({ filter: /^ai$/ }, ({ importer }) => {
        const from = importer.startsWith(folder)
          ? createRequire(importer)
          : createRequire(join(folder, 'package.json'));
        return { path: from.resolve('ai') };
      });
      made.onResolve({ filter: /^turnkeep\/client$/ }, () => ({ path: join(here, '../../bindings-node/client.mjs') }));
    },
  };
  const { outputFiles } = await build({
    entryPoints: [join(here, 'page.jsx')],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"', 'process.env': '{}' },
    plugins: [ofVersion],
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

let browser;
before(async () => {
  if (!skip) browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
});
after(() => browser?.close());

/** A provider whose answers go on word by word, as far as they are let. */
class Answers {
  #allowed = 0;
  #wake = [];
  allow(count = Infinity) {
    this.#allowed += count;
    for (const wake of this.#wake.splice(0)) wake();
  }
  async #turn() {
    while (this.#allowed <= 0) await new Promise((resolve) => this.#wake.push(resolve));
    this.#allowed -= 1;
  }
  async *#slowly(pieces) {
    for (const piece of pieces) {
      await this.#turn();
      yield piece;
    }
  }
  script = (request) => {
    const called = request.messages.at(-1).role === 'tool';
    const pieces = called
      ? [...words('word', 60).map(text), ...finish('stop', 1, 1)]
      : [
          ...words('thought', 10).map(reasoning),
          ...words('look', 10).map(text),
          toolCall(0, `call_${request.messages.length}`, 'look', { at: 'it' }),
          ...finish('tool_calls', 1, 1),
        ];
    return { events: this.#slowly(pieces) };
  };
}

async function world(t, script, page) {
  const provider = await startProvider(script);
  const engine = await Engine.open({
    store: 'sqlite::memory:',
    chats: { ids: 'any' },
    providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: provider.baseUrl } },
    tools: { look: { readOnly: true, execute: ({ at }) => ({ seen: at }) } },
  });
  const router = createRouter({ engine, who: () => user });
  const html =
    '<!doctype html><meta charset="utf-8"><title>Chat</title><div id="root"></div><script type="module" src="/page.js"></script>';
  const server = createServer((request, response) =>
    router.node(request, response, () => {
      const [type, body] = request.url === '/page.js' ? ['text/javascript', page] : ['text/html', html];
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
    }),
  );
  const origin = await listening(t, server);
  t.after(async () => {
    await engine.close({ graceMs: 0 });
    await provider.close();
  });
  return { engine, provider, origin };
}

/** A tab of its own. What its page throws is a failure of the test. */
async function tab(t, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const thrown = [];
  page.on('pageerror', (error) => thrown.push(error));
  t.after(async () => {
    await context.close();
    assert.deepEqual(thrown, []);
  });
  await page.goto(url);
  await page.locator('form').waitFor();
  return page;
}

async function send(page, message) {
  await page.locator('input').fill(message);
  await page.locator('button', { hasText: 'Send' }).click();
}

const ready = (page) => page.locator('main[data-status=ready]').waitFor();
const shows = (page, words) => page.locator('article.assistant', { hasText: words }).first().waitFor();
/** What a page shows of its messages. */
const shown = (page) =>
  page
    .locator('article')
    .evaluateAll((articles) =>
      articles.map((article) => [
        article.className,
        ...[...article.children].map((child) => [child.className, child.textContent]),
      ]),
    );

/** What the database has, as a page would show it. */
async function stored(origin, chat) {
  const { messages } = await (await fetch(`${origin}/api/chat/chats/${chat}`)).json();
  const partOf = (part) => {
    if (part.type === 'text' || part.type === 'reasoning') return [[part.type, part.text]];
    if (!part.type.startsWith('tool-')) return [];
    return [['tool', `${part.type.slice(5)} ${part.state} ${JSON.stringify(part.output)}`]];
  };
  return messages.map(({ role, parts }) => [role, ...parts.flatMap(partOf)]);
}

for (const version of versions) {
  test(version, { skip }, async (t) => {
    const bundle = await bundled(version);
    for (const transport of transports) {
      await t.test(
        `${transport}: sends, is loaded again in mid-answer, in a second tab too, and shows what is stored`,
        async (t) => {
          const answers = new Answers();
          const { origin } = await world(t, answers.script, bundle);
          const url = `${origin}/?chat=c1&transport=${transport}`;
          const page = await tab(t, url);
          answers.allow(60);
          await send(page, 'What is it?');
          await shows(page, 'word20');
          await page.reload();
          await shows(page, 'word20');
          const second = await tab(t, url);
          await shows(second, 'word20');
          // A second question in the meantime is refused, and says why.
          await send(second, 'And now?');
          await second.locator('[role=alert]', { hasText: 'busy:' }).waitFor();
          answers.allow();
          await shows(page, 'word59');
          await ready(page);
          assert.deepEqual(await shown(page), await stored(origin, 'c1'));
          await page.reload();
          await shows(page, 'word59');
          assert.deepEqual(await shown(page), await stored(origin, 'c1'));
        },
      );
    }

    await t.test('what the user stops is stopped on the server', async (t) => {
      const answers = new Answers();
      const { origin, engine } = await world(t, answers.script, bundle);
      const page = await tab(t, `${origin}/?chat=c1`);
      answers.allow(40);
      await send(page, 'go');
      await shows(page, 'word5');
      await page.locator('#stop').click();
      const stopped = async () => (await engine.runs.latestForChat({ ...user, chatId: 'c1' })).status === 'aborted';
      while (!(await stopped())) await page.evaluate(() => new Promise(requestAnimationFrame));
      await ready(page);
      answers.allow();
    });

    await t.test(
      'a page that React takes down and puts up again, as it does while developing, stops nothing',
      async (t) => {
        const answers = new Answers();
        const { origin, engine } = await world(t, answers.script, bundle);
        answers.allow(40);
        const turn = await engine.startTurn({ ...user, chatId: 'c1', message: 'go' });
        for await (const chunk of turn.chunks()) if (chunk.delta === 'word5 ') break;
        const page = await tab(t, `${origin}/?chat=c1&strict=1`);
        await shows(page, 'word5');
        answers.allow();
        assert.equal((await turn.done()).status, 'succeeded');
        await shows(page, 'word59');
        await ready(page);
        assert.deepEqual(await shown(page), await stored(origin, 'c1'));
      },
    );

    await t.test('a connection that is cut again and again loses nothing and repeats nothing', async (t) => {
      const answers = new Answers();
      const { origin } = await world(t, answers.script, bundle);
      const random = randomOf(versions.indexOf(version) + 1);
      let left = 0;
      const cut = await wire(t, origin, () => (left-- > 0 ? 300 + Math.floor(random() * 1_500) : Infinity));
      const page = await tab(t, `${new URL(cut.api).origin}/?chat=c1`);
      left = 25;
      answers.allow();
      await send(page, 'go');
      await shows(page, 'word59');
      await ready(page);
      assert.ok(cut.counts.cuts > 3, `${cut.counts.cuts} cuts`);
      assert.deepEqual(await shown(page), await stored(origin, 'c1'));
      t.diagnostic(`${cut.counts.cuts} cuts`);
    });
  });
}
