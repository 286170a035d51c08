"""Runs every suite and adds them up: the last line is `N passed, N failed, N skipped`.

Each suite's output goes to the terminal and to target/test-logs/. A suite that ends with an error without having
counted a failure counts as one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "target" / "test-logs"


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def cargo(output: str) -> Count:
    found = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", output, re.MULTILINE)
    return sum((Count(*map(int, counts)) for counts in found), Count())


def node(output: str) -> Count:
    def number(name: str) -> int:
        return sum(int(value) for value in re.findall(rf"^(?:ℹ|#) {name} (\d+)$", output, re.MULTILINE))

    return Count(number("pass"), number("fail") + number("cancelled"), number("skipped") + number("todo"))


def pytest(output: str) -> Count:
    summary = re.findall(r"^=+ (.*) in [\d.]+s.*=+$", output, re.MULTILINE)
    line = summary[-1] if summary else ""

    def number(*names: str) -> int:
        return sum(int(value) for name in names for value in re.findall(rf"(\d+) {name}\b", line))

    return Count(number("passed", "xpassed"), number("failed", "errors?"), number("skipped", "xfailed"))


def plain(output: str) -> Count:
    found = re.findall(r"^(?:\w+: )?(\d+) passed, (\d+) failed, (\d+) skipped$", output, re.MULTILINE)
    return Count(*map(int, found[-1])) if found else Count()


def one(output: str) -> Count:
    """A program whose exit code is the whole result."""
    return Count(passed=1) if output else Count()


@dataclass
class Suite:
    name: str
    command: list[str]
    count: Callable[[str], Count]
    folder: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)


PYTHON_PATH = {"PYTHONPATH": str(ROOT / "bindings-python" / "python"), "PYTHONDONTWRITEBYTECODE": "1"}
NATIVE = {"TURNKEEP_NATIVE": str(ROOT / "target" / "debug" / "turnkeep.node")}
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout=120", "-ra"]
# The tests of whole turns and runs once more, on the other store.
ON_EITHER_STORE = ["turns", "runs", "defects", "exports", "kill", "storm", "contend", "crossing", "tails", "workers"]
ON_EITHER_STORE += ["chats", "pieces", "limits", "roles", "usage", "stateless", "public"]
ON_EITHER_STORE += ["provenance", "features", "open_page", "search", "forks", "waiting", "mcp"]
ON_EITHER_STORE += ["retries", "steering", "effects", "deferred", "taint", "docmost_tools"]
ON_EITHER_STORE += ["answers", "forged", "steer", "mcp_runs"]
POSTGRES = ["cargo", "test", "--locked", "--workspace", "--no-fail-fast"]
POSTGRES += [word for name in ON_EITHER_STORE for word in ("--test", name)]
SUITES = [
    Suite("rust", ["cargo", "test", "--locked", "--workspace", "--no-fail-fast"], cargo),
    Suite("postgres", POSTGRES, cargo, environment={"TURNKEEP_TEST_STORE": "postgres"}),
    Suite("c", ["ffi/tests/run.sh"], plain),
    Suite("node", ["npm", "test", "--silent"], node, ROOT / "bindings-node"),
    Suite("python", [*PYTEST, "bindings-python/tests"], pytest),
    Suite("languages", [*PYTEST, "tests/languages"], pytest),
    Suite("servers", ["npm", "test", "--silent"], node, ROOT / "tests" / "servers"),
    Suite("browser", ["npm", "test", "--silent"], node, ROOT / "tests" / "browser"),
    Suite("packages", ["npm", "test", "--silent"], node, ROOT / "tests" / "packages"),
    Suite("cases", [sys.executable, "tests/cases.py"], plain),
    Suite("demo", ["node", "examples/demo/demo.mjs"], one),
]


def run(suite: Suite) -> Count:
    print(f"\n==== {suite.name}: {' '.join(suite.command)}", flush=True)
    lines = []
    with (LOGS / f"{suite.name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            suite.command,
            cwd=suite.folder,
            env={
                **os.environ,
                **suite.environment,
                **PYTHON_PATH,
                **NATIVE,
                "NO_COLOR": "1",
                "CARGO_TERM_COLOR": "never",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            log.write(line)
            lines.append(line)
    code = process.wait()
    sys.stdout.flush()
    output = "".join(lines)
    count = suite.count(output) if code == 0 or suite.count is not one else Count()
    if code != 0 and count.failed == 0:
        print(f"{suite.name} ended with code {code}")
        count.failed += 1
    if count.passed + count.failed + count.skipped == 0:
        print(f"{suite.name} ran no test")
        count.failed += 1
    return count


def no_key_was_shown() -> Count:
    """Looks for the keys that the tests use in everything that the suites have printed."""
    source = (ROOT / "tests" / "src" / "leaks.rs").read_text(encoding="utf-8")
    listed = re.search(r"TEST_KEYS[^=]*= &\[(.*?)\];", source, re.DOTALL)
    keys = re.findall(r'"([^"]+)"', listed.group(1)) if listed else []
    shown = [
        f"{log.name} shows {key}"
        for log in sorted(LOGS.glob("*.log"))
        for key in keys
        if key in log.read_text(encoding="utf-8", errors="replace")
    ]
    print("\n".join(shown) or f"none of {len(keys)} keys is in any log")
    return Count(passed=1) if keys and not shown else Count(failed=max(1, len(shown)))


def main() -> int:
    LOGS.mkdir(parents=True, exist_ok=True)
    chosen = sys.argv[1:] or [suite.name for suite in SUITES]
    counts = {suite.name: run(suite) for suite in SUITES if suite.name in chosen}
    print()
    counts["keys"] = no_key_was_shown()
    for name, count in counts.items():
        # A colon before the numbers: the total alone is the plain line.
        print(f"{name:>10} | {count}")
    total = sum(counts.values(), Count())
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
