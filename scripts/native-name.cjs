// Prints the file name under which bindings-node/lib/native.js looks for the native half on this machine.
const glibc = process.report.getReport().header.glibcVersionRuntime;
const libc = process.platform === 'linux' ? (glibc ? '-gnu' : '-musl') : '';
console.log(`turnkeep.${process.platform}-${process.arch}${libc}.node`);
