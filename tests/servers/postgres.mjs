// A throwaway PostgreSQL server on a socket of loopback.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePort } from './ports.mjs';

const run = promisify(execFile);
const VERSIONS = '/usr/lib/postgresql';

/** Where its programs are; nothing where there is no server. */
async function programs() {
  const versions = await readdir(VERSIONS).catch(() => []);
  const newest = versions.sort((one, other) => Number(other) - Number(one))[0];
  return newest && join(VERSIONS, newest, 'bin');
}

export const bin = await programs();

/** It refuses to be root's. */
const asItself = (program, args) =>
  userInfo().uid === 0
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', program, ...args]]
    : [program, args];

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

/** Starts one; gives its URL. */
export async function postgres(t) {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeep-postgres-'));
  await chmod(folder, 0o777);
  const data = join(folder, 'data');
  await run(
    ...asItself(join(bin, 'initdb'), ['-D', data, '-U', 'turnkeep', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N']),
  );
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    fsync: 'off',
    max_connections: 100,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(...asItself(join(bin, 'postgres'), ['-D', data, ...flags]), { stdio: 'ignore' });
  const ended = once(server, 'exit');
  t.after(async () => {
    // Fast: it waits for nobody.
    server.kill('SIGINT');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });
  const url = `postgres://turnkeep@127.0.0.1:${port}/postgres`;
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20));
  return url;
}
