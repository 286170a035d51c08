"""The tables of cases through the C interface: `table_c.py PROGRAM TABLE...`, PROGRAM being ffi/tests/c/operations.c.

Each table is played on an engine of its own. The last line is the total.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import table

OK = 0


class Program:
    def __init__(self, path: str, options: dict[str, Any]) -> None:
        http = {"allowPrivate": ["127.0.0.1"]}
        given = json.dumps({"store": "sqlite::memory:", "http": http, **options})
        self.process = subprocess.Popen([path, given], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(self, operation: str, params: dict[str, Any]) -> Any:
        text = json.dumps(params, ensure_ascii=False).encode()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{operation} {len(text)}\n".encode() + text)
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise SystemExit(f"the program has ended in {operation}")
        status, length = map(int, answer)
        value = json.loads(self.process.stdout.read(length))
        if status != OK:
            raise table.RefusedError(value)
        return value

    def end(self) -> int:
        """How it has ended, which says whether anything was left behind."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait()


def main(path: str, tables: list[str]) -> int:
    passed = failed = 0
    for name in tables:
        program = Program(path, table.options(name))
        with table.model(name) as settings:
            if settings:
                program.call("settings.update", {"workspaceId": "w", "settings": settings})
            played = table.play(name, "c", program.call)
        for problem in played.wrong:
            print(f"FAIL {name}: {problem}")
        status = program.end()
        if status != 0:
            print(f"FAIL {name}: the program has ended with {status}")
        print(f"ok   {name}: {played.passed} cases")
        passed, failed = passed + played.passed, failed + len(played.wrong) + (status != 0)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
