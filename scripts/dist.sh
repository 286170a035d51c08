#!/usr/bin/env bash
# dist.sh BUILD DIST: lays out library, header and pkg-config file as an installation prefix.
set -eu

build=$1 dist=$2
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

rm -rf "$dist"
mkdir -p "$dist/lib/pkgconfig" "$dist/include"
cp "$build/libturnkeep_ffi.so" "$dist/lib/libturnkeep.so.0"
ln -s libturnkeep.so.0 "$dist/lib/libturnkeep.so"
cp "$build/libturnkeep_ffi.a" "$dist/lib/libturnkeep.a"
cp include/turnkeep.h "$dist/include/"
sed -e "s|@prefix@|$(realpath "$dist")|" -e "s|@version@|$version|" ffi/turnkeep.pc.in >"$dist/lib/pkgconfig/turnkeep.pc"
echo "$dist is ready: PKG_CONFIG_PATH=$(realpath "$dist")/lib/pkgconfig pkg-config --cflags --libs turnkeep"
