"""Ends while daemon threads keep asking, also after the engine is closed."""

import sys
import threading

import turnkeep
from common import WHO, open_engine, read_to_text, start

# Threads take turns as often as they can, which makes the bad moments likely.
sys.setswitchinterval(1e-6)

engine = open_engine()
turn = start(engine)
asked = threading.Barrier(3)


def ask() -> None:
    asked.wait()
    while True:
        try:
            engine.runs.get(**WHO, run_id=turn.run_id)
            list(turn.chunks())
        except turnkeep.TurnkeepError:
            pass


for _ in range(2):
    threading.Thread(target=ask, daemon=True).start()
asked.wait()
read_to_text(turn)
