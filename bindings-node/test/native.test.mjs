import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const index = fileURLToPath(new URL('../index.js', import.meta.url));

/** What requiring the package prints when the native half is `file`. */
function load(file) {
  const env = { ...process.env, TURNKEEP_NATIVE: file };
  return spawnSync(process.execPath, ['-e', `require(${JSON.stringify(index)})`], { env, encoding: 'utf8' });
}

test('a native half of another version is refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-native-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'other.cjs');
  writeFileSync(file, "exports.version = () => '0.0.0';");
  const { status, stderr } = load(file);
  assert.equal(status, 1);
  assert.match(stderr, /was given the native half of 0\.0\.0/);
});

test('the native half of this version is not', () => {
  const { status, stderr } = load(process.env.TURNKEEP_NATIVE ?? '');
  assert.equal(status, 0, stderr);
});
