// Scripts that forget to close their engine, in processes of their own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startProvider, text } from '../../examples/demo/provider.mjs';
import { answer, call } from './world.mjs';

async function exitOf(t, name, script) {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-exit-'));
  const provider = await startProvider(script);
  t.after(async () => {
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const file = fileURLToPath(new URL('./children/forgetful.mjs', import.meta.url));
  const child = spawn(process.execPath, [file, name, join(folder, 'chats.db'), provider.baseUrl], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (piece) => {
    output += piece;
  });
  child.stderr.on('data', (piece) => {
    output += piece;
  });
  const [code, signal] = await once(child, 'close');
  return { code, signal, output };
}

const hanging = () => ({ events: [text('half')], then: 'hang' });
const cases = {
  'after a finished turn': ['finished', (_, number) => [call('tool'), answer('ok')][number]],
  'without any turn': ['idle', hanging],
  'with a turn that nobody reads': ['unread', () => answer('ok')],
  'by process.exit in the middle of a turn': ['exit', hanging],
  'by process.exit while a tool runs': ['exitInTool', () => call('hang')],
  'by an exception in the middle of a turn': ['throws', hanging],
  'after a worker thread used an engine': ['worker', () => answer('ok')],
  'after a worker thread was terminated in a turn': ['terminated', hanging],
  'after a tail that was read to its end': ['tailed', () => answer('ok')],
  'with a tail that nobody reads on': ['unreadTail', hanging],
  'with a run that it has begun and not finished': ['hosted', hanging],
  'by process.exit while a tail waits': ['exitInTail', hanging],
  'after a worker thread was terminated while a tail and a signal wait': ['terminatedInTail', hanging],
  'after an engine that offered tools was closed': ['offered', (_, number) => [call('tool'), answer('ok')][number]],
  'with a turn that is left to others': ['leftToOthers', hanging],
  'by process.exit while an engine offers tools': ['exitWhileOffering', () => call('hang')],
  'after a worker thread was terminated while its engine offers tools': ['terminatedWhileOffering', () => call('hang')],
};

for (const [title, [name, script]] of Object.entries(cases)) {
  test(`a script exits ${title}`, { timeout: 60_000 }, async (t) => {
    const { code, signal, output } = await exitOf(t, name, script);
    assert.equal(signal, null, output);
    assert.equal(code, name === 'throws' ? 1 : 0, output);
    assert.match(output, /ready/);
  });
}
