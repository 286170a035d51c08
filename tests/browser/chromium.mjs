// Where the browser is.

import { execFileSync } from 'node:child_process';

function found() {
  try {
    return execFileSync('sh', ['-c', 'command -v chromium || command -v google-chrome']).toString().trim();
  } catch {
    return undefined;
  }
}

export const executablePath = found();
/** Why tests in a browser are skipped; false where they are not. */
export const skip = executablePath === undefined && 'there is no Chromium on this machine';
