"""Is interrupted in done(), and goes on working afterwards."""

import os
import signal
import sys
import threading

from common import open_engine, start, tell

# Python leaves an interrupt ignored where it was, as it is in background jobs of a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
engine = open_engine()
turn = start(engine)
main_thread = threading.get_ident()


def interrupt() -> None:
    """Presses Ctrl-C once the main thread waits for the outcome."""
    while sys._current_frames()[main_thread].f_code.co_name != "done":
        pass
    os.kill(os.getpid(), signal.SIGINT)


threading.Thread(target=interrupt).start()
try:
    turn.done()
except KeyboardInterrupt:
    tell(interrupted=True)
turn.stop()
tell(reason=turn.done()["reason"])
engine.close()
