# ruff: noqa: T201
"""flush_assistant from Python and from C, against JavaScript in a process of Node that is measured in the same run.

Needs the package with a native half that was built for release on the path, and the C library's path as an argument:
`make bench` sees to both. C is called through ctypes, which adds about a microsecond.
"""

from __future__ import annotations

import ctypes
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import turnkeep

if TYPE_CHECKING:
    from collections.abc import Callable

PEER = Path(__file__).resolve().parents[2] / "bindings-node" / "bench" / "functions.mjs"
ENOUGH_SECONDS = 0.2
SAMPLES = 5


def micros(work: Callable[[], object]) -> float:
    """The median time."""
    work()
    begun, times = time.perf_counter(), []
    while len(times) < SAMPLES or time.perf_counter() - begun < ENOUGH_SECONDS:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


class Bytes(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("len", ctypes.c_size_t))


class Library:
    """The C interface: text in, text out."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self._library.turnkeep_bytes_free.argtypes = [ctypes.POINTER(Bytes)]
        self._library.turnkeep_bytes_free.restype = None

    def flush_assistant(self, arguments: bytes) -> bytes:
        result = Bytes()
        flush = self._library.turnkeep_flush_assistant
        status = flush(arguments, ctypes.c_size_t(len(arguments)), ctypes.byref(result), None)
        assert status == 0, status
        try:
            return ctypes.string_at(result.data, result.len)
        finally:
            self._library.turnkeep_bytes_free(ctypes.byref(result))


def main() -> None:
    library = Library(sys.argv[1])
    head = ("flush_assistant: outputs", "size", "JavaScript", "Python", "its ratio", "of it json", "C", "its ratio")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    peer = subprocess.Popen(["node", str(PEER), "--peer"], stdout=subprocess.PIPE, text=True)
    assert peer.stdout is not None
    turns: list[dict[str, Any]] = [json.loads(line) for line in peer.stdout]
    if peer.wait() != 0:
        sys.exit("the JavaScript half failed")
    for turn in turns:
        print("| " + " | ".join(compare(turn, library)) + " |")
    print()


def compare(turn: dict[str, Any], library: Library) -> list[str]:
    steps, status, extra = turn["steps"], turn["status"], turn["extra"]
    given = {"steps": steps, "inProgressText": "", "status": status, "extra": extra}

    def dump() -> str:
        return json.dumps(given, ensure_ascii=False, separators=(",", ":"))

    text = dump().encode()
    answer = library.flush_assistant(text)
    assert json.loads(answer) == turnkeep.flush_assistant(steps, "", status, extra)
    python = micros(lambda: turnkeep.flush_assistant(steps, "", status, extra))
    codec = micros(dump) + micros(lambda: json.loads(answer))
    c = micros(lambda: library.flush_assistant(text))
    js = turn["micros"]
    figures = [f"{js:.0f} µs", f"{python:.0f} µs", f"{js / python:.2f}", f"{codec / python:.0%}"]
    return [turn["shape"], turn["size"], *figures, f"{c:.0f} µs", f"{js / c:.2f}"]


main()
