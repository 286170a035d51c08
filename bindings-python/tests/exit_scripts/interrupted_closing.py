"""Is interrupted in close(), which gives a turn more grace than anybody would wait for, and goes on closing."""

import os
import signal
import sys
import threading

import turnkeep
from common import open_engine, read_to_text, start, tell

# Python leaves an interrupt ignored where it was, as it is in background jobs of a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = open_engine()
turn = start(engine)
read_to_text(turn)
main_thread = threading.get_ident()


def interrupt() -> None:
    """Presses Ctrl-C once the engine closes."""
    while sys._current_frames()[main_thread].f_code.co_name != "close":
        pass
    while True:
        try:
            start(engine)
        except turnkeep.TurnkeepError as error:
            if error.code == "ENGINE_CLOSED":
                break
    os.kill(os.getpid(), signal.SIGINT)


threading.Thread(target=interrupt).start()
try:
    engine.close(grace_ms=3_600_000)
except KeyboardInterrupt:
    tell(interrupted=True)
turn.stop()
