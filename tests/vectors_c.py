"""The recorded vectors through the C interface: `vectors_c.py PROGRAM`, where PROGRAM is ffi/tests/c/vectors.c.

What is expected is compared byte for byte with the text that C is given. The last line is the total.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import vectors

OK, DONE, INVALID_INPUT = 0, 1, 1001


class Program:
    def __init__(self, path: str) -> None:
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.last: tuple[Any, str | None] = (None, None)

    def call(self, function: str, parameters: dict[str, Any]) -> Any:
        name = "turnkeep_" + re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", function)
        arguments = vectors.js_text(parameters).encode()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{name} {len(arguments)}\n".encode() + arguments)
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise SystemExit(f"the program has ended in {name}")
        status, length = map(int, answer)
        text = self.process.stdout.read(length).decode()
        if status == INVALID_INPUT:
            raise vectors.RefusedError(json.loads(text)["message"])
        if status == DONE:
            return None
        assert status == OK, (name, status, text)
        value = json.loads(text)
        self.last = (value, text)
        return value

    def exact(self, value: Any) -> str | None:
        """The text of the result, unless the runner has put it together itself."""
        last, text = self.last
        return text if last is value and value is not None else None


def main(program: Program) -> int:
    passed = failed = skipped = 0
    for file in vectors.files():
        if not (vectors.FOLDER / f"{file}.json").is_file():
            print(f"skip {file}: {vectors.FOLDER} is not here (set TURNKEEP_SHARED)")
            skipped += 1
            continue
        try:
            report = vectors.run_file(file, "c", program.call, program.exact)
            problem = report.problem()
        except (vectors.RefusedError, AssertionError) as error:
            report, problem = vectors.Report(file), f"{file}: {error}"
        print(f"FAIL {problem}" if problem else f"ok   {report}")
        passed, failed = passed + (not problem), failed + bool(problem)
    unknown = vectors.unknown_files()
    if unknown:
        print(f"FAIL neither run nor listed in tests/vectors.json: {', '.join(unknown)}")
        failed += 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Program(sys.argv[1])))
