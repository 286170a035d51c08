"""turnkeep turns one agent turn of a chat into a durable, server-side run.

>>> import turnkeep
>>> with turnkeep.Engine.open(store="sqlite:chats.db", providers={"default": {...}}) as engine:  # doctest: +SKIP
...     turn = engine.start_turn(workspace_id="w", user_id="u", message="Hello")
...     for chunk in turn.chunks():
...         print(chunk)
...     print(turn.done()["status"])

Every finished step is on disk before the next begins; at most one run is active in a chat; a client that goes away
stops nothing. Dictionaries that come from the engine or go into it have the camelCase keys that all languages share.
"""

from turnkeep import _native
from turnkeep._engine import Chats, Engine, Runs
from turnkeep._errors import TurnkeepError
from turnkeep._tools import Tool, ToolContext
from turnkeep._turn import Stream, Turn

__version__: str = _native.VERSION

SSE_HEADERS: dict[str, str] = dict(_native.SSE_HEADERS)
"""The headers of an HTTP response whose body is :meth:`Turn.sse`."""

__all__ = [
    "SSE_HEADERS",
    "Chats",
    "Engine",
    "Runs",
    "Stream",
    "Tool",
    "ToolContext",
    "Turn",
    "TurnkeepError",
    "__version__",
]
