"""Ends while daemon threads wait for everything that there is to wait for."""

import threading

import turnkeep
from common import open_engine, read_to_text, start

engine = open_engine()
turn = start(engine, tools=[turnkeep.Tool("unused", len)])
for wait in (turn.done, lambda: list(turn.chunks()), lambda: list(turn.sse())):
    threading.Thread(target=wait, daemon=True).start()
read_to_text(turn)
