// The native half is loaded as it is, and not bundled.
export default { serverExternalPackages: ['turnkeep'] };
