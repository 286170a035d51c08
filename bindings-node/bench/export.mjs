// Exporting a chat of 5 000 stored messages with 20 MB of parts: the engine on a SQLite file, against JavaScript that
// reads the same file through better-sqlite3 and renders. Each contender is a process of its own, so that its peak
// memory is its own; the time is taken inside, without the start of Node.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { rows } from './data.mjs';
import { median, table } from './measure.mjs';

const MESSAGES = 5000;
const BYTES = 20e6;
const RUNS = 5;
const [workspaceId, userId, chatId] = ['w1', 'u1', '019b2c4e-7a10-7c3d-9f00-000000000001'];
const TITLE = 'Opening hours';

const contenders = {
  /** Node and the module, without an export: what the others have to be compared with. */
  async 'turnkeep, idle'(database) {
    const engine = await openEngine(database);
    await engine.close();
    return timed(async () => {});
  },
  async turnkeep(database) {
    const engine = await openEngine(database);
    const result = await timed(async (write) => {
      // An export in pieces, where there is one: an async iterable of Buffers. Otherwise the whole document at once.
      const stream = engine.chats.exportStream;
      if (!stream) write(await engine.chats.export({ workspaceId, userId, chatId }));
      else for await (const piece of stream({ workspaceId, userId, chatId })) write(piece);
    });
    await engine.close();
    return result;
  },
  async 'JavaScript, idle'(database) {
    (await openDatabase(database)).close();
    return timed(async () => {});
  },
  async JavaScript(database) {
    const sqlite = await openDatabase(database);
    const { buildChatMarkdown } = await import('./peer.mjs');
    const result = await timed(async (write) => {
      const chat = sqlite
        .prepare(
          'SELECT title FROM ai_chats WHERE id = ? AND workspace_id = ? AND creator_id = ? AND deleted_at IS NULL',
        )
        .get(chatId, workspaceId, userId);
      const stored = sqlite
        .prepare(
          `SELECT role, content, metadata, status, created_at AS createdAt FROM ai_chat_messages
           WHERE chat_id = ? AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ?`,
        )
        .all(chatId, MESSAGES + 1);
      const newest = stored.slice(0, MESSAGES).reverse();
      for (const row of newest) row.metadata = row.metadata && JSON.parse(row.metadata);
      write(buildChatMarkdown({ title: chat.title, chatId, rows: newest, exportedAt: new Date().toISOString() }));
    });
    sqlite.close();
    return result;
  },
};

async function openEngine(database) {
  const { Engine } = await import('../index.mjs');
  return Engine.open({ store: `sqlite:${database}` });
}

async function openDatabase(database) {
  const { default: Database } = await import('better-sqlite3');
  return new Database(database, { readonly: true });
}

/** How long an export takes. Pieces are let go, as a server does that hands them on. */
async function timed(work) {
  let [bytes, first] = [0, undefined];
  const kept = [];
  const begun = process.hrtime.bigint();
  await work((piece) => {
    first ??= process.hrtime.bigint() - begun;
    bytes += Buffer.byteLength(piece);
    if (process.env.DIGEST) kept.push(Buffer.from(piece));
  });
  const millis = Number(process.hrtime.bigint() - begun) / 1e6;
  // All but the time in the document, which differs from run to run.
  const document = Buffer.concat(kept)
    .toString()
    .replace(/^- Exported: .*$/m, '');
  const digest = createHash('sha256').update(document).digest('hex');
  return { millis, first: Number(first ?? 0) / 1e6, bytes, digest };
}

/** A database as the engine makes it, with the rows put in by hand. */
async function fill(database) {
  await (await openEngine(database)).close();
  const { default: Database } = await import('better-sqlite3');
  const sqlite = new Database(database);
  const at = '2026-01-01T00:00:00.000Z';
  sqlite
    .prepare(
      'INSERT INTO ai_chats (id, workspace_id, creator_id, title, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
    )
    .run(chatId, workspaceId, userId, TITLE, at, at);
  const insert = sqlite.prepare(
    `INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, status, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  let [number, bytes] = [0, 0];
  sqlite.transaction(() => {
    for (const row of rows(MESSAGES, BYTES)) {
      const id = `019b2c4e-7a10-7c3d-9f01-${(++number).toString(16).padStart(12, '0')}`;
      const metadata = JSON.stringify(row.metadata);
      bytes += Buffer.byteLength(metadata);
      const user = row.role === 'user' ? userId : null;
      insert.run(
        id,
        chatId,
        workspaceId,
        user,
        row.role,
        row.content,
        metadata,
        row.status,
        row.createdAt,
        row.createdAt,
      );
    }
  })();
  sqlite.close();
  return bytes;
}

const [, , contender, file] = process.argv;
if (contender) {
  const result = await contenders[contender](file);
  console.log(JSON.stringify({ ...result, rss: process.resourceUsage().maxRSS * 1024 }));
} else {
  const folder = mkdtempSync(join(tmpdir(), 'turnkeep-bench-'));
  try {
    const database = join(folder, 'chats.db');
    const bytes = await fill(database);
    const results = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
    const run = (name, env = {}) => {
      const given = [fileURLToPath(import.meta.url), name, database];
      const output = execFileSync(process.execPath, given, { encoding: 'utf8', env: { ...process.env, ...env } });
      return JSON.parse(output);
    };
    // The same document through Python, when its package has been built: see the Makefile.
    const fromPython = [];
    const env = { ...process.env, PYTHONPATH: process.env.TURNKEEP_PYTHON };
    const script = fileURLToPath(new URL('../../bindings-python/bench/export.py', import.meta.url));
    const python = process.env.TURNKEEP_PYTHON && ((path) => [script, path, workspaceId, userId, chatId]);
    const [our, their] = ['turnkeep', 'JavaScript'].map((name) => run(name, { DIGEST: 'yes' }));
    assert.equal(our.digest, their.digest, 'both render the same document');
    for (let round = 0; round < RUNS; round++) {
      for (const [name, list] of Object.entries(results)) list.push(run(name));
      if (python) fromPython.push(JSON.parse(execFileSync('python3', python(database), { encoding: 'utf8', env })));
    }
    const of = (name, what) => median(results[name].map((result) => result[what]));
    const mb = (value) => `${(value / 1e6).toFixed(1)} MB`;
    table(
      [
        `export of ${MESSAGES} messages, ${mb(bytes)} of parts`,
        'median',
        'first piece',
        'peak memory',
        'without an export',
        'ratio of times',
      ],
      ['turnkeep', 'JavaScript'].map((name) => [
        name,
        `${of(name, 'millis').toFixed(0)} ms`,
        `${of(name, 'first').toFixed(0)} ms`,
        mb(of(name, 'rss')),
        mb(of(`${name}, idle`, 'rss')),
        name === 'turnkeep' ? (of('JavaScript', 'millis') / of('turnkeep', 'millis')).toFixed(2) : '',
      ]),
    );
    if (python) {
      const ofPython = (what) => median(fromPython.map((result) => result[what]));
      console.log(
        `turnkeep from Python: ${ofPython('millis').toFixed(0)} ms, first piece ${ofPython('first').toFixed(0)} ms, ` +
          `peak memory ${mb(ofPython('rss'))}, ratio to JavaScript ${(of('JavaScript', 'millis') / ofPython('millis')).toFixed(2)}`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
