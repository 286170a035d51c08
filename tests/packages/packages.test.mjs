// The npm packages as somebody installs them: packed, and put into an empty project.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { build } from 'esbuild';
import webpack from 'webpack';

import { finish, startProvider, text, toolCall } from '../../examples/demo/provider.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const bin = (name) => join(here, 'node_modules/.bin', name);
const run = promisify(execFile);
const PRINTED = 'It is clear. succeeded\nIt is clear.\ntrue INVALID_INPUT chatId\n';
const PLATFORM = (await run('node', [join(root, 'scripts/native-name.cjs')])).stdout.replace(
  /^turnkeep\.|\.node\n$/g,
  '',
);

let folder;
let packed;
let project;
let provider;
/** The packages are to be found by themselves. */
const { TURNKEEP_NATIVE, ...env } = process.env;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'turnkeep-packages-'));
  // What a debugger needs is most of a debug build.
  const native = join(folder, 'native.node');
  await run('strip', ['-g', '-o', native, TURNKEEP_NATIVE ?? join(root, 'target/debug/turnkeep.node')]);
  const made = await run('node', [
    join(root, 'scripts/npm-packages.mjs'),
    join(folder, 'npm'),
    `${PLATFORM}=${native}`,
  ]);
  packed = made.stdout.trim().split('\n');
  project = await empty('project', packed);
  await copyFile(join(here, 'quick-start.mjs'), join(project, 'quick-start.mjs'));
  provider = await startProvider(({ messages }) =>
    messages.at(-1).role === 'tool'
      ? [text('It is '), text('clear.'), ...finish('stop', 1, 1)]
      : [toolCall(0, 'c1', 'weather', {}), ...finish('tool_calls', 1, 1)],
  );
});

after(async () => {
  await provider?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** An empty project with these packages. */
async function empty(name, packages) {
  const place = join(folder, name);
  await mkdir(place);
  await writeFile(join(place, 'package.json'), '{"name": "empty", "version": "1.0.0", "private": true}');
  await run('npm', ['install', '--no-audit', '--no-fund', '--silent', ...packages], { cwd: place, env });
  return place;
}

const printed = async (command, args) => (await run(command, args, { cwd: project, env })).stdout;
const quickStart = (command, ...before) => printed(command, [...before, 'quick-start.mjs', provider.baseUrl]);

test('the quick start runs in an empty project', async () => {
  assert.equal(await quickStart('node'), PRINTED);
});

test('a process ends by itself with an engine that was not closed, and under a debugger', async () => {
  assert.equal(
    await printed('node', ['--inspect=127.0.0.1:0', 'quick-start.mjs', provider.baseUrl, 'unclosed']),
    PRINTED,
  );
});

test('with require, and in worker threads', async () => {
  const script = `
    const { Worker, isMainThread, workerData, parentPort } = require('node:worker_threads');
    if (isMainThread) {
      for (const name of ['a', 'b']) {
        new Worker(__filename, { workerData: name }).on('message', console.log);
      }
    } else {
      const { Engine } = require('turnkeep');
      const { createRouter } = require('turnkeep/http');
      (async () => {
        const engine = await Engine.open({
          store: 'sqlite::memory:',
          providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: '${provider.baseUrl}' } },
          tools: { weather: { readOnly: true, execute: () => ({ sky: 'clear' }) } },
        });
        const turn = await engine.startTurn({ workspaceId: 'w', userId: 'u', message: 'go' });
        const { status } = await turn.done();
        await engine.close();
        parentPort.postMessage(status + ' ' + typeof createRouter);
      })();
    }`;
  await writeFile(join(project, 'workers.cjs'), script);
  assert.equal(await printed('node', ['workers.cjs']), 'succeeded function\nsucceeded function\n');
});

test('under jest, and under vitest', async () => {
  const body = `
    test('a turn', async () => {
      const engine = await Engine.open({
        store: 'sqlite::memory:',
        providers: { default: { driver: 'openai-compatible', model: 'm', baseUrl: '${provider.baseUrl}' } },
        tools: { weather: { readOnly: true, execute: () => ({ sky: 'clear' }) } },
      });
      const turn = await engine.startTurn({ workspaceId: 'w', userId: 'u', message: 'go' });
      expect((await turn.done()).status).toBe('succeeded');
      await expect(engine.startTurn({})).rejects.toBeInstanceOf(TurnkeepError);
      await engine.close();
    });`;
  await writeFile(join(project, 'turn.test.cjs'), `const { Engine, TurnkeepError } = require('turnkeep');${body}`);
  await run(bin('jest'), ['--ci', '--testMatch', '**/turn.test.cjs', '--rootDir', project], { cwd: project, env });
  const imports = `import { test, expect } from '${join(here, 'node_modules/vitest/dist/index.js')}';
    import { Engine, TurnkeepError } from 'turnkeep';`;
  await writeFile(join(project, 'turn.spec.mjs'), `${imports}${body}`);
  await run(bin('vitest'), ['run', '--root', project, 'turn.spec.mjs'], { cwd: project, env });
});

test('bundlers leave it out; a bundle that has it says what is to be done', async () => {
  const entry = { entryPoints: [join(project, 'quick-start.mjs')], bundle: true, platform: 'node', logLevel: 'silent' };
  const out = { outfile: join(project, 'bundled.mjs'), format: 'esm' };
  await build({ ...entry, ...out, external: ['turnkeep', 'turnkeep/*'] });
  assert.equal(await printed('node', ['bundled.mjs', provider.baseUrl]), PRINTED);

  const packing = webpack({
    mode: 'production',
    target: 'node',
    entry: join(project, 'quick-start.mjs'),
    output: { path: project, filename: 'packed.mjs', module: true, chunkFormat: 'module' },
    experiments: { outputModule: true },
    externalsType: 'module',
    externals: [/^turnkeep(\/|$)/],
  });
  const stats = await promisify(packing.run.bind(packing))();
  assert.equal(stats.hasErrors(), false, stats.toString());
  await promisify(packing.close.bind(packing))();
  assert.equal(await printed('node', ['packed.mjs', provider.baseUrl]), PRINTED);

  const bundledIn = join(folder, 'elsewhere');
  await mkdir(bundledIn);
  const wrong = join(bundledIn, 'all.cjs');
  const cjs = join(project, 'opens.cjs');
  await writeFile(cjs, `require('turnkeep');`);
  await build({ ...entry, entryPoints: [cjs], outfile: wrong, format: 'cjs', external: ['@turnkeep/*'] });
  await assert.rejects(run('node', [wrong], { env }), ({ stderr }) => {
    assert.match(stderr, /no native half for .* here/);
    for (const name of ['esbuild', 'webpack', 'Vite', 'serverExternalPackages']) assert.match(stderr, new RegExp(name));
    return true;
  });
});

test('without the package of its platform it says so', async () => {
  const bare = await empty('bare', ['--omit=optional', packed[0]]);
  await assert.rejects(run('node', ['-e', `require('turnkeep')`], { cwd: bare, env }), ({ stderr }) => {
    assert.match(stderr, new RegExp(`@turnkeep/${PLATFORM} is not installed`));
    assert.match(stderr, /--omit=optional/);
    return true;
  });
});

for (const [runtime, ...before] of [
  ['bun'],
  ['deno', 'run', '--allow-all', '--no-lock', '--node-modules-dir=manual'],
]) {
  test(`in ${runtime}`, async () => {
    assert.equal(await quickStart(bin(runtime), ...before), PRINTED);
  });
}

test('publint and attw find nothing', async () => {
  await run(bin('publint'), ['--strict', packed[0]], { env });
  await run(bin('attw'), [packed[0], '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm'], { env });
});

test('licences, notices and pages are inside, and no link leads out of it', async () => {
  const main = join(project, 'node_modules/turnkeep');
  const names = async (place) => (await readdir(place)).sort();
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE', 'llms.txt', 'CHANGELOG.md', 'docs', 'skills']) {
    assert.ok((await names(main)).includes(name), name);
  }
  const native = join(project, 'node_modules/@turnkeep', PLATFORM);
  assert.deepEqual(await names(native), [
    'LICENSE-APACHE',
    'LICENSE-MIT',
    'NOTICES.txt',
    'README.md',
    'package.json',
    'turnkeep.node',
  ]);
  assert.match(await readFile(join(native, 'NOTICES.txt'), 'utf8'), /rustls 0/);
  const pages = ['README.md', 'llms.txt', ...(await names(join(main, 'docs'))).map((name) => join('docs', name))];
  for (const page of pages) {
    const links = (await readFile(join(main, page), 'utf8')).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g);
    for (const [, target] of links) {
      await assert.doesNotReject(stat(join(main, dirname(page), target)), `${page} leads to ${target}`);
    }
  }
});
