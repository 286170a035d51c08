"""Forks with an engine open. The child may not use it, opens one of its own, and exits in the ordinary way."""

import os
import sys

import turnkeep
from common import open_engine, read_to_text, start, tell

engine = open_engine()
turn = start(engine)
read_to_text(turn)
stream = turn.chunks()

child = os.fork()
if child == 0:
    for use in (
        turn.done,
        turn.stop,
        turn.chunks,
        lambda: list(stream),
        stream.close,
        engine.close,
        lambda: start(engine),
    ):
        try:
            use()
        except turnkeep.TurnkeepError as error:
            tell(code=error.code, message=error.message)
    with open_engine("child.db") as own:
        tell(child_turn=own.start_turn(workspace_id="w", user_id="u", message="?").done()["status"])
    # The parent's objects are dropped here as well.
    del stream, turn, engine
    sys.exit(5)

tell(child_exit=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
