'use strict';

const path = require('node:path');

/** The name of this platform, as files and packages of native halves have it. */
function platformName() {
  const { platform, arch } = process;
  if (platform !== 'linux') return `${platform}-${arch}`;
  // Only glibc reports its version.
  const glibc = process.report?.getReport()?.header?.glibcVersionRuntime;
  return `linux-${arch}-${glibc ? 'gnu' : 'musl'}`;
}

const isMissing = (error, request) => error.code === 'MODULE_NOT_FOUND' && String(error.message).includes(request);

/** What a person can do about it, by what was found. */
function explained(name, tried) {
  return [
    `turnkeep has no native half for ${name} here: ${tried.join('; ')}.`,
    `- The package @turnkeep/${name} is an optional dependency. It is missing where these were left out (--omit=optional, ` +
      '--no-optional), or where node_modules comes from a machine of another kind: install again, on this one.',
    "- In a bundle it is not found: leave turnkeep out of it (esbuild: external: ['turnkeep', '@turnkeep/*'], webpack and " +
      "Vite: externals, Next: serverExternalPackages: ['turnkeep']).",
    '- From the sources `make node` builds it. TURNKEEP_NATIVE names a .node file of your own.',
  ].join('\n');
}

function load() {
  const override = process.env.TURNKEEP_NATIVE;
  if (override) return require(path.resolve(override));
  const name = platformName();
  // What was built beside the sources, and else the package of this platform.
  const places = [
    [path.join(__dirname, '..', `turnkeep.${name}.node`), `turnkeep.${name}.node is not in the package`],
    [`@turnkeep/${name}`, `@turnkeep/${name} is not installed`],
  ];
  const tried = [];
  for (const [request, missing] of places) {
    try {
      return require(request);
    } catch (error) {
      tried.push(isMissing(error, request) ? missing : `${request}: ${error.message}`);
    }
  }
  throw new Error(explained(name, tried));
}

const binding = load();
const { version } = require('../package.json');
if (binding.version() !== version) {
  throw new Error(`turnkeep ${version} was given the native half of ${binding.version()}; install or build it again`);
}

module.exports = binding;
