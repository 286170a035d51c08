// Hosts and providers in processes of their own, and what they are asked.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

async function started(t, name, env, execArgv = []) {
  const path = fileURLToPath(new URL(`./children/${name}.mjs`, import.meta.url));
  const child = fork(path, [], { env: { ...process.env, ...env }, execArgv });
  t.after(() => child.kill('SIGKILL'));
  const [first] = await once(child, 'message');
  return { child, ...first };
}

/** A provider that answers everything with so many pieces of text. */
export const provider = (t, env) => started(t, 'provider', env);

/** A host that can be asked what it holds. */
export async function host(t, env) {
  const { child, origin } = await started(t, 'host', env, ['--expose-gc']);
  let asked = 0;
  const ask = async (command) => {
    const id = ++asked;
    const answered = new Promise((resolve) => {
      const hear = (message) => {
        if (message.id !== id) return;
        child.off('message', hear);
        resolve(message.result);
      };
      child.on('message', hear);
    });
    child.send({ id, command });
    return answered;
  };
  return { origin, ask, pid: child.pid };
}
