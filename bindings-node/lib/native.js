'use strict';

const path = require('node:path');

/** The names that the native half may have on this platform, the likeliest first. */
function candidates() {
  const { platform, arch } = process;
  if (platform !== 'linux') return [`turnkeep.${platform}-${arch}.node`];
  // Only glibc reports its version.
  const glibc = process.report?.getReport()?.header?.glibcVersionRuntime;
  return [`turnkeep.linux-${arch}-${glibc ? 'gnu' : 'musl'}.node`];
}

function load() {
  const override = process.env.TURNKEEP_NATIVE;
  if (override) return require(path.resolve(override));
  const tried = [];
  for (const name of candidates()) {
    const file = path.join(__dirname, '..', name);
    try {
      return require(file);
    } catch (error) {
      tried.push(`${name}: ${error.code === 'MODULE_NOT_FOUND' ? 'not in the package' : error.message}`);
    }
  }
  throw new Error(
    `turnkeep has no native half for ${process.platform}-${process.arch} here (${tried.join('; ')}). ` +
      'Build it with `make node`, or set TURNKEEP_NATIVE to the path of a .node file.',
  );
}

const binding = load();
const { version } = require('../package.json');
if (binding.version() !== version) {
  throw new Error(`turnkeep ${version} was given the native half of ${binding.version()}; install or build it again`);
}

module.exports = binding;
