"""Plays the programs of `../shared/cases`, two at a time: each is one situation, and says what was wrong with it.

Prints a line for each, the failures in full, and a count at the end.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("TURNKEEP_SHARED", ROOT.parent / "shared"))
AT_ONCE = 2
# The programs have limits of their own, of five minutes at most; this one is for one that ignores its own.
LIMIT_SECONDS = 360
RIGHT, WRONG, UNPLAYED = 0, 1, 2
# Cases that compare how long things take: they are played alone, after the others.
TIMED = {"attack-15-export-that-takes-minutes"}


def play(case: Path) -> tuple[int, str]:
    """How the case came out, and what it said."""
    command = ["node", str(case), str(ROOT / "bindings-node")]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT / "tests" / "servers",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return WRONG, f"{case.stem} took longer than {LIMIT_SECONDS} s"
    said = (done.stdout + done.stderr).strip()
    if done.returncode in (RIGHT, WRONG, UNPLAYED):
        return done.returncode, said
    return WRONG, f"{case.stem} ended with code {done.returncode}: {said}"


def is_played(case: Path) -> bool:
    """What the cases share lies beside them, and so do programs that a case starts; a case says what is right."""
    return "verdict(" in case.read_text(encoding="utf-8") and "export async function verdict" not in case.read_text(
        encoding="utf-8"
    )


def tell(case: Path, code: int, said: str) -> int:
    """Prints how a case came out, and returns what it counts as."""
    word = {RIGHT: "right", WRONG: "WRONG", UNPLAYED: "skipped"}[code]
    print(f"{word} {case.stem}" if code == RIGHT else f"{word} {case.stem}\n    {said}", flush=True)
    return code


def main() -> int:
    chosen = sys.argv[1:]
    folder = SHARED / "cases"
    cases = sorted(case for case in folder.glob("*.mjs") if is_played(case)) if folder.is_dir() else []
    cases = [case for case in cases if not chosen or any(word in case.stem for word in chosen)]
    if not cases:
        print(f"skipped: there are no cases in {folder}")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    counts = {RIGHT: 0, WRONG: 0, UNPLAYED: 0}
    timed = [case for case in cases if case.stem in TIMED]
    others = [case for case in cases if case.stem not in TIMED]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for case, result in zip(others, pool.map(play, others), strict=True):
            counts[tell(case, *result)] += 1
    for case in timed:
        counts[tell(case, *play(case))] += 1
    print(f"{counts[RIGHT]} passed, {counts[WRONG]} failed, {counts[UNPLAYED]} skipped")
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
