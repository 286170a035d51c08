#!/bin/sh
# Builds the C tests against the debug library and runs them, plainly and under valgrind. The last line is the total.
#
# Needs: cargo build -p turnkeep-ffi -p turnkeep-tests, and a Python for the recorded vectors, whose JSON it reads
# VALGRIND=0 leaves the second half out and counts it as skipped.
set -eu

ffi=$(cd "$(dirname "$0")/.." && pwd)
root=$(cd "$ffi/.." && pwd)
built=${CARGO_TARGET_DIR:-$root/target}/debug
work=$(mktemp -d "${TMPDIR:-/tmp}/turnkeep-c-tests.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM

export TURNKEEP_SCRIPTED_PROVIDER="$built/scripted-provider"
export TURNKEEP_SCRATCH="$work"

passed=0 failed=0 skipped=0

# check NAME COMMAND...: one test that is a command.
check() {
    name=$1
    shift
    if "$@"; then
        echo "ok   $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        failed=$((failed + 1))
    fi
}

# suite NAME COMMAND...: a program that ends with its own numbers. It fails as a whole when it says nothing, or when
# its exit status does not fit its numbers, as after a crash or a leak.
suite() {
    name=$1
    shift
    echo "-- $name"
    status=0
    "$@" >"$work/output" || status=$?
    cat "$work/output"
    numbers=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$work/output" | tail -n 1)
    read -r p f s <<NUMBERS
${numbers:-0 0 0}
NUMBERS
    if [ -z "$numbers" ] || { [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; }; then
        echo "FAIL $name: exit status $status"
        f=$((f + 1))
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

echo "-- the header"
check "C11" gcc -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c "$root/include/turnkeep.h"
check "C2x" gcc -std=c2x -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c "$root/include/turnkeep.h"
check "C++17" g++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x c++ "$root/include/turnkeep.h"

# The names that an installation has.
mkdir "$work/lib"
ln -s "$built/libturnkeep_ffi.so" "$work/lib/libturnkeep.so.0"
ln -s libturnkeep.so.0 "$work/lib/libturnkeep.so"

sed -n '/^```c$/,/^```$/{/^```/d;p;}' "$ffi/README.md" >"$work/example.c"
check "the README's example builds" gcc -std=c11 -Wall -Wextra -Werror -I "$root/include" "$work/example.c" \
    -L "$work/lib" -lturnkeep -o "$work/example"

for suite in boundary functions turns tools offered runs; do
    gcc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -g -O1 -I "$root/include" \
        "$ffi/tests/c/$suite.c" "$ffi/tests/c/harness.c" \
        -L "$work/lib" -Wl,-rpath,"$work/lib" -lturnkeep -pthread -o "$work/$suite"
done

for suite in boundary functions turns tools offered runs; do
    suite "$suite" "$work/$suite"
done

gcc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -g -O1 -I "$root/include" "$ffi/tests/c/vectors.c" \
    -L "$work/lib" -Wl,-rpath,"$work/lib" -lturnkeep -o "$work/vectors"
suite "recorded vectors" python3 "$root/tests/vectors_c.py" "$work/vectors"

gcc -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -g -O1 -I "$root/include" "$ffi/tests/c/operations.c" \
    -L "$work/lib" -Wl,-rpath,"$work/lib" -lturnkeep -o "$work/operations"
suite "tables of cases" python3 "$root/tests/table_c.py" "$work/operations" roles.json chats.json usage.json \
    provenance.json settings.json search.json search-hits.json mcp.json steering.json

for suite in boundary functions turns tools offered runs; do
    if [ "${VALGRIND:-1}" = 0 ]; then
        echo "-- $suite under valgrind: left out"
        skipped=$((skipped + 1))
    else
        # Fair: valgrind runs one thread at a time, and one that polls without waiting would keep the others from running.
        suite "$suite under valgrind" valgrind --quiet --fair-sched=yes --error-exitcode=99 \
            --leak-check=full --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect "$work/$suite"
    fi
done

echo "c: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
