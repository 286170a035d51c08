// The main job in four parts. Exits with 1 when any promise is not kept.
//
// Without a key it talks to a scripted provider over real HTTP on loopback; with OPENAI_BASE_URL, OPENAI_API_KEY and
// OPENAI_MODEL set, to a real one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { open, user } from './host.mjs';
import { startProvider } from './provider.mjs';
import { check, Flow, failures, note, say, title } from './screen.mjs';
import { prompts, script } from './script.mjs';

const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL } = process.env;
const real = OPENAI_BASE_URL && OPENAI_API_KEY && OPENAI_MODEL;
const scripted = real ? undefined : await startProvider(script, { paceMs: 25 });
const provider = real
  ? { baseUrl: OPENAI_BASE_URL, apiKey: OPENAI_API_KEY, model: OPENAI_MODEL }
  : { baseUrl: scripted.baseUrl, model: 'scripted' };

const folder = mkdtempSync(join(tmpdir(), 'turnkeep-demo-'));
const database = join(folder, 'chats.db');
note(`database: ${database}`);
note(real ? `provider: ${OPENAI_MODEL}` : `provider: scripted, ${scripted.baseUrl}`);

try {
  const chatId = await streamATurn();
  await killAProcess(chatId);
  await beginTwice(chatId);
  await exportTheChat(chatId);
} finally {
  await scripted?.close();
  rmSync(folder, { recursive: true, force: true });
}
say('');
say(failures() === 0 ? 'Everything above is as promised.' : `${failures()} promises were not kept.`);
process.exitCode = failures() === 0 ? 0 : 1;

async function streamATurn() {
  title('1. A turn with two tools, as it happens');
  const engine = await open({ database, provider });
  const turn = await engine.startTurn({ ...user, message: prompts.first });
  const flow = new Flow();
  const used = new Set();
  for await (const chunk of turn.chunks()) {
    flow.chunk(chunk);
    if (chunk.type === 'tool-input-available') used.add(chunk.toolName);
  }
  const outcome = await turn.done();
  check(outcome.status === 'succeeded', `the run ended as ${outcome.status} after ${outcome.stepCount} steps`);
  check(used.size === 2, `both tools were used: ${[...used].join(', ')}`);
  await engine.close();
  return turn.chatId;
}

async function killAProcess(chatId) {
  title('2. A process killed in the middle of a step');
  const doomed = work({ chatId, message: prompts.killed });
  const flow = new Flow();
  let runId;
  let steps = 0;
  let finished = '';
  let current = '';
  for await (const line of doomed.lines) {
    runId = line.runId ?? runId;
    if (!line.chunk) continue;
    flow.chunk(line.chunk);
    if (line.chunk.type === 'text-delta') current += line.chunk.delta;
    if (line.chunk.type === 'finish-step') {
      steps += 1;
      finished += current;
      current = '';
    }
    if (steps === 2 && /-delta$/.test(line.chunk.type)) {
      doomed.process.kill('SIGKILL');
      break;
    }
  }
  const [, signal] = await doomed.exit;
  flow.line('');
  check(signal === 'SIGKILL' && steps === 2, `the process was killed (${signal}) in step ${steps + 1}`);

  const heir = work({ chatId, message: prompts.after });
  let found;
  let outcome;
  const after = new Flow();
  for await (const line of heir.lines) {
    found = line.found ?? found;
    outcome = line.outcome ?? outcome;
    if (line.chunk) after.chunk(line.chunk);
  }
  await heir.exit;
  const message = found?.messages.at(-1);
  const results = message?.metadata.parts.filter((part) => part.state === 'output-available') ?? [];
  check(found?.run.id === runId, 'a new process on the same file finds the run');
  check(
    found?.run.status === 'aborted' && found.run.reason === 'worker_lost',
    `it is settled: ${found?.run.status} (${found?.run.reason})`,
  );
  check(
    found?.run.stepCount === 2 && results.length === 2,
    `both finished steps are kept, with ${results.length} tool results`,
  );
  check(
    message?.status === 'aborted' && message.content.startsWith(finished),
    `the message says so and holds their text: "${message?.content.trim()}"`,
  );
  check(outcome?.status === 'succeeded', 'the chat is usable again: the next turn ran');
}

async function beginTwice(chatId) {
  title('3. Two turns begun at once');
  const engine = await open({ database, provider });
  const begin = () => engine.startTurn({ ...user, chatId, message: prompts.both });
  const [one, two] = await Promise.allSettled([begin(), begin()]);
  const winner = [one, two].find((attempt) => attempt.status === 'fulfilled')?.value;
  const loser = [one, two].find((attempt) => attempt.status === 'rejected')?.reason;
  check(winner !== undefined && loser !== undefined, 'one runs, one does not');
  check(
    loser?.code === 'A_RUN_ALREADY_ACTIVE' && loser.httpStatus === 409,
    `the other is told: ${loser?.code} (${loser?.httpStatus})`,
  );
  check(loser?.details.activeRunId === winner?.runId, 'and which run it is');
  if (winner) check((await winner.done()).status === 'succeeded', 'the one that runs succeeds');
  await engine.close();
}

async function exportTheChat(chatId) {
  title('4. The chat as Markdown');
  const engine = await open({ database, provider });
  const markdown = await engine.chats.export({ ...user, chatId });
  say(markdown.replace(/^/gm, '  '));
  say('');
  check(/^- Messages: 8$/m.test(markdown), 'it has all 8 messages');
  check(/^\*\*Tool: .*\(`getPage`\) — done$/m.test(markdown), 'and the tool calls');
  await engine.close();
}

/** Starts a worker; gives its process, its lines and its exit. */
function work(task) {
  const argument = JSON.stringify({ database, provider, ...task });
  const file = fileURLToPath(new URL('./worker.mjs', import.meta.url));
  const child = spawn(process.execPath, [file, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  async function* lines() {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
  }
  return { process: child, lines: lines(), exit: once(child, 'exit') };
}
