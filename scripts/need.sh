#!/usr/bin/env bash
# Makes sure that the named programs are there; installs from Debian's packages what can be had from them.
set -eu

declare -A packages=([valgrind]=valgrind [cc]=gcc [gcc]=gcc [g++]=g++ [nm]=binutils [strip]=binutils [python3]="python3 python3-venv" [node]=nodejs [npm]=npm [postgres]=postgresql [pgbouncer]=pgbouncer [chromium]=chromium [nginx]=nginx-light [caddy]=caddy [debootstrap]=debootstrap [qemu-aarch64]="qemu-user libstdc++6-arm64-cross")
# Modules that a program needs and that Debian splits off.
python3 -c 'import venv, ensurepip' 2>/dev/null || missing_venv=1

# Debian keeps the programs of PostgreSQL's servers out of the way, and pgbouncer where only root looks.
found() {
  case "$1" in
    postgres) compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null ;;
    pgbouncer) [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null ;;
    nginx) [ -x /usr/sbin/nginx ] || command -v nginx >/dev/null ;;
    chromium) command -v chromium >/dev/null || command -v google-chrome >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

install() {
  local run=()
  [ "$(id -u)" = 0 ] || run=(sudo)
  # The tests start servers of their own; none is to run because of them.
  if [[ " $* " == *" postgresql "* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    "${run[@]}" mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | "${run[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  # Nor is anything else that Debian would start.
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' | "${run[@]}" tee /usr/sbin/policy-rc.d >/dev/null
    "${run[@]}" chmod +x /usr/sbin/policy-rc.d
    trap "${run[*]} rm -f /usr/sbin/policy-rc.d" EXIT
  fi
  "${run[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "$@"
}

for program in "$@"; do
  if [ "$program" = python3 ] && [ -n "${missing_venv:-}" ]; then :
  elif found "$program"; then continue
  fi
  if [ -n "${packages[$program]:-}" ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086
    install ${packages[$program]}
  fi
  found "$program" || { echo "turnkeep needs '$program'; please install it (Rust: https://rustup.rs)" >&2; exit 1; }
done

for program in "$@"; do
  [ "$program" = node ] || continue
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || { echo "turnkeep needs Node 20 or newer; this is $(node --version)" >&2; exit 1; }
done
