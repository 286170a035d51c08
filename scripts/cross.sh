#!/usr/bin/env bash
# Builds the native half of the npm package for a platform of Linux (linux-x64-gnu, linux-arm64-musl, …), and says where it is.
# zig links it, so that it needs no newer libc than the oldest that Node itself runs on.
set -eu

GLIBC=2.17
case "$1" in
  linux-x64-*) cpu=x86_64 ;;
  linux-arm64-*) cpu=aarch64 ;;
  *) echo "$1 is not built here: macOS and Windows build on their own" >&2; exit 2 ;;
esac
libc=${1##*-}
target=$cpu-unknown-linux-$libc
venv=target/zig
[ -x "$venv/bin/cargo-zigbuild" ] || {
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check ziglang==0.17.1 cargo-zigbuild==0.24.1
} >&2
rustup target add "$target" >/dev/null 2>&1 || true
export PATH=$PWD/$venv/bin:$PATH
suffix=
# A library is loaded into a process that has its own libc.
if [ "$libc" = musl ]; then export RUSTFLAGS="-C target-feature=-crt-static"; else suffix=.$GLIBC; fi
cargo zigbuild --locked --release -p turnkeep-node --target "$target$suffix" >&2
echo "target/$target/release/libturnkeep_node.so"
