#!/usr/bin/env bash
# Makes sure that the named programs are there; installs from Debian's packages what can be had from them.
set -eu

declare -A packages=([valgrind]=valgrind [cc]=gcc [gcc]=gcc [g++]=g++ [nm]=binutils [python3]="python3 python3-venv" [node]=nodejs [npm]=npm)
# Modules that a program needs and that Debian splits off.
python3 -c 'import venv, ensurepip' 2>/dev/null || missing_venv=1

install() {
  local run=()
  [ "$(id -u)" = 0 ] || run=(sudo)
  "${run[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "$@"
}

for program in "$@"; do
  if [ "$program" = python3 ] && [ -n "${missing_venv:-}" ]; then :
  elif command -v "$program" >/dev/null; then continue
  fi
  if [ -n "${packages[$program]:-}" ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    install ${packages[$program]}
  fi
  command -v "$program" >/dev/null || { echo "turnkeep needs '$program'; please install it (Rust: https://rustup.rs)" >&2; exit 1; }
done

for program in "$@"; do
  [ "$program" = node ] || continue
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || { echo "turnkeep needs Node 20 or newer; this is $(node --version)" >&2; exit 1; }
done
