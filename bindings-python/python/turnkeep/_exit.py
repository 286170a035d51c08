"""What happens to open engines when the interpreter exits or the process forks.

At exit every open engine is closed without grace, before the interpreter is taken down: its runs settle as ``aborted``
/ ``shutdown``, its threads end, and whoever waits for one of its turns returns.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnkeep._engine import Engine

_open_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def register(engine: Engine) -> None:
    """Remembers an open engine."""
    _open_engines.add(engine)


def unregister(engine: Engine) -> None:
    """Forgets an engine that is closed."""
    _open_engines.discard(engine)


def _close_all() -> None:
    for engine in list(_open_engines):
        # Also KeyboardInterrupt: the process is exiting already, and the other engines have to be closed too.
        with contextlib.suppress(BaseException):
            engine._exit()


def _forget_all() -> None:
    """In a forked child the engines are the parent's."""
    _open_engines.clear()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
