// The example of a host, `examples/nestjs`, as somebody uses it: its server in a process of its own, its page in a browser.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

import { executablePath, skip } from './chromium.mjs';

const example = fileURLToPath(new URL('../../examples/nestjs', import.meta.url));
const PATIENCE_MS = 90_000;
let folder;
let server;
let origin;
let browser;
// A microphone that is none, and may be used.
const fakes = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream'];
const args = ['--no-sandbox', '--disable-gpu', ...fakes];

/** Starts the example on the port that it had before, or on any. */
async function start() {
  const env = { ...process.env, NO_COLOR: '1', CHAT_STORE: `sqlite:${join(folder, 'chats.db')}` };
  env.PORT = origin ? new URL(origin).port : '0';
  server = spawn(process.execPath, ['dist/server/main.js'], {
    cwd: example,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit').then(([code]) => assert.fail(`the server ended with ${code}`));
  const [line] = await Promise.race([once(createInterface(server.stdout), 'line'), ended]);
  ended.catch(() => {});
  origin = /http:\/\/[\d.:]+/.exec(line)[0];
}

async function kill() {
  server.kill('SIGKILL');
  await once(server, 'exit');
}

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'turnkeep-example-'));
  await start();
  browser = await chromium.launch({ executablePath, args });
});

after(async () => {
  await browser?.close();
  if (server?.exitCode === null) await kill();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A browser of somebody's own, with a tab. What its page throws is a failure of the test. */
async function signedIn(t, name, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  const thrown = [];
  context.on('weberror', (error) => thrown.push(error.error()));
  t.after(async () => {
    await context.close();
    assert.deepEqual(thrown, []);
  });
  const page = await context.newPage();
  await page.goto(origin);
  await page.getByRole('button', { name }).click();
  await page.getByRole('heading', { name: 'What is it about?' }).waitFor();
  return page;
}

const say = async (page, text) => {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
};
const atRest = (page) => page.locator('.chat[data-status=ready]').waitFor();
const chatOf = (page) => new URL(page.url()).hash.split('/').at(-1);

/** What the server has of a chat, by the requests of the page. */
const stored = (page) => page.evaluate(async (id) => (await fetch(`/api/ai-chat/chats/${id}`)).json(), chatOf(page));

test('asks, streams, and shows after a reload in mid-answer what is stored', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await page.getByRole('button', { name: /^When is the launch/ }).click();
  await page.getByText('Searched pages').waitFor();
  await page.reload();
  await page.getByText('Write down how long each takes.').waitFor();
  await atRest(page);
  const { messages, follow } = await stored(page);
  assert.equal(follow, null);
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant'],
  );
  const tools = messages[1].parts.filter(({ type }) => type.startsWith('tool-'));
  assert.equal(await page.locator('article.assistant .tool').count(), tools.length);
  // A moment later the chat has a title.
  await page.locator('.sidebar').getByText('Launch: date and open points').waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Export').click()]);
  assert.equal(download.suggestedFilename(), 'chat.md');
});

test('an approval outlives the server, and is edited and given afterwards', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await say(page, 'Rename the page about risks');
  await page.getByRole('button', { name: 'Allow' }).waitFor();
  await kill();
  await start();
  await page.reload();
  await page.getByLabel('title').fill('Risks, edited');
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.getByText('the page is called “Risks, edited” now').waitFor();
  await atRest(page);
  const run = await page.evaluate(
    async (id) => (await (await fetch(`/api/ai-chat/chats/${id}/runs`)).json())[0],
    chatOf(page),
  );
  assert.deepEqual([run.status, run.stepCount], ['succeeded', 2]);
});

test('a question is answered in another tab, and a tool of the page by itself', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await say(page, 'Ask me something');
  await page.getByRole('button', { name: 'Tuesday' }).waitFor();
  const other = await page.context().newPage();
  await other.goto(page.url());
  await other.getByRole('button', { name: 'Wednesday' }).click();
  await other.getByText('Noted: Wednesday it is.').waitFor();
  await page.getByText('Noted: Wednesday it is.').waitFor();
  await atRest(page);
  await say(page, 'What time is it?');
  await page.getByText('Your browser says that it is').waitFor();
  await other.getByText('Your browser says that it is').waitFor();
  await atRest(page);
});

test('what is said meanwhile joins the answer; a stop stops it', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await say(page, 'Tell a long story');
  await page.getByText('so whoever comes back').first().waitFor();
  await say(page, 'mind the roll-back');
  await page.getByText('joins at the next step').waitFor();
  await page.reload();
  await page.locator('article .joined').getByText('mind the roll-back').waitFor();
  await page.getByText('You said meanwhile: “mind the roll-back”').waitFor();
  await atRest(page);
  await say(page, 'Another long story');
  await page.locator('article.assistant').last().getByText('so whoever comes back').first().waitFor();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.locator('.actions').getByText('stopped').waitFor();
  await atRest(page);
  // The page does not wait for what the server writes at the end.
  await page.waitForFunction(
    async (id) => (await (await fetch(`/api/ai-chat/chats/${id}`)).json()).follow === null,
    chatOf(page),
  );
  const { messages } = await stored(page);
  assert.equal(messages.at(-1).metadata.reason, 'stopped');
  await say(page, 'One more long story');
  await page.locator('article.assistant').last().getByText('so whoever comes back').first().waitFor();
  await page.getByLabel('Message', { exact: true }).fill('When is the launch?');
  await page.getByRole('button', { name: 'Interrupt and send' }).click();
  await page.getByText('Write down how long each takes.').waitFor();
  await atRest(page);
});

test('edits, answers anew, and says what failed', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await say(page, 'Please fail');
  await page.getByRole('alert').getByText('authentication failed').waitFor();
  await page.getByRole('button', { name: 'Edit' }).click();
  await page.locator('.edit textarea').fill('Build the report');
  await page.getByRole('button', { name: 'Send again' }).click();
  await page.getByText('The report covers 3 pages').waitFor();
  await atRest(page);
  const before = await stored(page);
  await page.getByRole('button', { name: 'Answer again' }).click();
  await page.locator('.chat:not([data-status=ready])').waitFor();
  await atRest(page);
  const { messages } = await stored(page);
  assert.deepEqual(
    messages.map(({ role }) => role),
    ['user', 'assistant'],
  );
  assert.notEqual(messages[1].id, before.messages[1].id);
});

test('settings are masked, and another’s chats are not there', { skip }, async (t) => {
  const page = await signedIn(t, 'Mira');
  await say(page, 'Build the report');
  await page.getByText('The report covers 3 pages').waitFor();
  const chat = page.url();
  await page.getByRole('link', { name: 'Settings' }).click();
  await page.getByPlaceholder('it is never shown').waitFor();
  await page.getByRole('button', { name: 'Test' }).first().click();
  await page.getByText('✓ works').waitFor();
  assert.doesNotMatch(await page.content(), /sk-scripted/);
  await page.getByRole('link', { name: 'Usage' }).click();
  await page.getByRole('cell', { name: 'Together' }).waitFor();
  assert.equal(await page.getByRole('cell', { name: 'not known' }).count(), 0);

  const jons = await signedIn(t, 'Jon', { viewport: { width: 380, height: 760 }, colorScheme: 'dark' });
  await jons.goto(chat);
  await jons.locator('.problem').waitFor();
  const statuses = await jons.evaluate(async (id) => {
    const ask = async (path, body = {}) => {
      const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
      return (await fetch(path, request)).status;
    };
    return {
      settings: await ask('/api/workspace/ai-settings'),
      messages: await ask('/api/ai-chat/messages', { chatId: id }),
      unknown: await ask('/api/ai-chat/rename', { chatId: '01a22cae-bf8c-7353-9307-6cfd3a5bfdb2', title: 'x' }),
      own: await ask('/api/ai-chat/chats'),
      roles: await ask('/api/ai-chat/roles'),
    };
  }, chat.split('/').at(-1));
  assert.deepEqual(statuses, { settings: 403, messages: 403, unknown: 403, own: 200, roles: 200 });
});

test('what is dictated is in the message', { skip }, async (t) => {
  const page = await signedIn(t, 'Jon');
  await page.getByRole('button', { name: 'Dictate' }).click();
  await page.getByRole('button', { name: 'Stop recording' }).click();
  await page.waitForFunction(() => document.querySelector('.composer textarea').value.startsWith('When is the launch'));
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('Searched pages').waitFor();
});
