"""The pure functions: no engine, no store.

Each is the function of the same name in every language of turnkeep. Dictionaries have camelCase keys; a parameter that
may be left out may also be ``None``. A wrong argument raises :class:`TurnkeepError` with ``INVALID_INPUT``, and
``details["field"]`` is its place, such as ``steps[2].toolCalls[0].toolName``.

A datetime in an argument becomes its ISO text (without a time zone it is taken for UTC); ``NaN`` and the infinities
become ``None``; integers keep all of their digits.
"""

from __future__ import annotations

from typing import Any

from turnkeep import _native
from turnkeep._calling import call, error_fields
from turnkeep._json import decode_result, encode_like_javascript


def compact_tool_output(value: Any) -> Any:
    """The value itself when its JSON has at most 4000 bytes; else a copy with long strings, long arrays and deep
    objects cut short.
    """
    compacted = _native.compact_tool_output(encode_like_javascript(value, "value"))
    return value if compacted is None else decode_result(compacted)


def describe_provider_error(err: Any = None, fallback: str | None = None) -> str:
    """A failure of a provider on one line.

    :param err: text, a dictionary with ``message``, ``statusCode`` and ``responseBody`` or ``text``, or an exception
        with attributes of these names in snake_case
    """
    line: str = call("describeProviderError", {"err": error_fields(err)}, {"fallback": fallback})
    return line


def is_fatal_provider_error(err: Any = None) -> bool:
    """Whether asking the provider again is of no use; ``err`` as for :func:`describe_provider_error`."""
    fatal: bool = call("isFatalProviderError", {"err": error_fields(err)})
    return fatal
