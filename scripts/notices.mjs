// The licences of what is compiled in: each text once, with the packages that it is of.

import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const TEXTS = /^(licen[cs]e|copying|notice|unlicense)/i;

/** What is linked into a package of the workspace: its dependencies, and theirs, but for what only builds and tests need. */
function linkedInto({ packages, resolve }, name) {
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const found = new Set();
  const visit = (id) => {
    if (found.has(id)) return;
    found.add(id);
    for (const { pkg, dep_kinds: kinds } of nodes.get(id).deps) if (kinds.some(({ kind }) => kind === null)) visit(pkg);
  };
  visit(packages.find((one) => one.name === name).id);
  return packages.filter(({ id, source }) => found.has(id) && source !== null);
}

export function notices(root, name, platform) {
  const asked = ['metadata', '--locked', '--format-version', '1', '--filter-platform', platform];
  const metadata = execFileSync('cargo', asked, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  const texts = new Map();
  const without = [];
  for (const { name: crate, version, license, manifest_path: manifest } of linkedInto(JSON.parse(metadata), name)) {
    const folder = dirname(manifest);
    const title = `${crate} ${version} (${license ?? 'see its text'})`;
    const files = readdirSync(folder).filter((file) => TEXTS.test(file));
    if (files.length === 0) without.push(title);
    for (const file of files) {
      let text;
      try {
        text = readFileSync(join(folder, file), 'utf8').trim();
      } catch {
        continue; // A folder of texts: the crate's own licence stands beside it.
      }
      texts.set(text, [...(texts.get(text) ?? []), title]);
    }
  }
  const line = '-'.repeat(100);
  return [
    `What is compiled into this package besides turnkeep, and under which licences.\n`,
    ...[...texts].map(([text, titles]) => `${line}\n${[...new Set(titles)].join('\n')}\n${line}\n\n${text}\n`),
    ...(without.length > 0 ? [`${line}\nWithout a text of their own:\n${without.join('\n')}\n`] : []),
  ].join('\n');
}
