// Lays out the npm packages: `turnkeep`, and one for each platform with its native half.
//
//   node scripts/npm-packages.mjs OUT PLATFORM=FILE.node…     such as linux-x64-gnu=target/release/libturnkeep_node.so
//
// Everything that a package has is put into OUT/<name>/, and packed to OUT/<name>-<version>.tgz.

import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { notices } from './notices.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'bindings-node');
const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
const { version, license, repository, engines } = manifest;

/** Every platform that there is a package for; `libc` as npm has it, and what Rust calls it. */
const PLATFORMS = {
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc', rust: 'x86_64-unknown-linux-gnu' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc', rust: 'aarch64-unknown-linux-gnu' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl', rust: 'x86_64-unknown-linux-musl' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl', rust: 'aarch64-unknown-linux-musl' },
  'darwin-x64': { os: 'darwin', cpu: 'x64', rust: 'x86_64-apple-darwin' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64', rust: 'aarch64-apple-darwin' },
  'win32-x64': { os: 'win32', cpu: 'x64', rust: 'x86_64-pc-windows-msvc' },
};
const publishConfig = { access: 'public', provenance: true };
const LICENSES = ['LICENSE-MIT', 'LICENSE-APACHE'];
const REPOSITORY = repository.url.replace(/^git\+/, '').replace(/\.git$/, '');

const json = (file, value) => writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);

/** A page with its links: to pages of the package as they are there, to all else in the repository. */
function linked(text, from, pages) {
  return text.replace(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)/g, (_, target, anchor = '') => {
    const file = normalize(join(dirname(from), target));
    const inPackage = pages.get(file);
    if (inPackage) return `](${relative(dirname(pages.get(from)), inPackage) || inPackage}${anchor})`;
    return `](${REPOSITORY}/blob/main/${file}${anchor})`;
  });
}

function mainPackage(out) {
  const folder = join(out, 'turnkeep');
  mkdirSync(folder, { recursive: true });
  for (const name of manifest.files) {
    if (!name.includes('*')) cpSync(join(source, name), join(folder, name), { recursive: true });
  }
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  // Where each page is in the repository, and where in the package.
  const pages = new Map([
    ['bindings-node/README.md', 'README.md'],
    ['bindings-node/llms.txt', 'llms.txt'],
    ...docs.map((name) => [join('docs', name), join('docs', name)]),
  ]);
  mkdirSync(join(folder, 'docs'));
  for (const [from, to] of pages) {
    if (to === 'llms.txt') continue;
    writeFileSync(join(folder, to), linked(readFileSync(join(root, from), 'utf8'), from, pages));
  }
  for (const name of LICENSES) copyFileSync(join(root, name), join(folder, name));
  copyFileSync(join(root, 'CHANGELOG.md'), join(folder, 'CHANGELOG.md'));
  const { scripts: _, devDependencies: __, files, ...kept } = manifest;
  json(join(folder, 'package.json'), {
    ...kept,
    publishConfig,
    optionalDependencies: Object.fromEntries(Object.keys(PLATFORMS).map((name) => [`@turnkeep/${name}`, version])),
    files: [...files.filter((name) => !name.includes('*')), 'docs', ...LICENSES, 'CHANGELOG.md'],
  });
  return folder;
}

function platformPackage(out, name, file) {
  const { os, cpu, libc, rust } = PLATFORMS[name] ?? fail(`there is no platform ${name}`);
  const folder = join(out, `turnkeep-${name}`);
  mkdirSync(folder, { recursive: true });
  copyFileSync(file, join(folder, 'turnkeep.node'));
  for (const license of LICENSES) copyFileSync(join(root, license), join(folder, license));
  writeFileSync(join(folder, 'NOTICES.txt'), notices(root, 'turnkeep-node', rust));
  writeFileSync(join(folder, 'README.md'), `# @turnkeep/${name}\n\nThe native half of \`turnkeep\` for ${name}.\n`);
  json(join(folder, 'package.json'), {
    name: `@turnkeep/${name}`,
    version,
    description: `The native half of turnkeep for ${name}`,
    license,
    repository,
    main: './turnkeep.node',
    files: ['turnkeep.node', 'NOTICES.txt', ...LICENSES],
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    engines,
    publishConfig,
    preferUnplugged: true,
  });
  return folder;
}

function fail(why) {
  console.error(why);
  process.exit(1);
}

const [out, ...built] = process.argv.slice(2);
if (!out) fail('npm-packages.mjs OUT PLATFORM=FILE.node…');
rmSync(out, { recursive: true, force: true });
const folders = [
  mainPackage(out),
  ...built.map((pair) => {
    const [name, file] = pair.split('=');
    return platformPackage(out, name, file);
  }),
];
for (const folder of folders) {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', out, folder], { encoding: 'utf8' });
  console.log(join(out, packed.trim()));
}
