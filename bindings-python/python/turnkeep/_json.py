"""JSON text, the form in which everything crosses into the engine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from turnkeep._errors import TurnkeepError

if TYPE_CHECKING:
    from collections.abc import Mapping

decode = json.loads


def encode(value: object) -> str:
    """The JSON of ``value``; what JSON does not know (``NaN``, foreign objects) is a ValueError or TypeError."""
    text = _dump(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, as in file names that are not UTF-8, can cross only as an escape.
        return _dump(value, ensure_ascii=True)
    return text


def encode_fields(fields: Mapping[str, Any]) -> str:
    """The JSON object of those ``fields`` that are not ``None``; one that has no JSON is INVALID_INPUT by its name."""
    members = []
    for name, value in fields.items():
        if value is None:
            continue
        try:
            members.append(f"{encode(name)}:{encode(value)}")
        except (TypeError, ValueError, RecursionError) as error:
            raise TurnkeepError._invalid(name, f"cannot be written as JSON ({error})") from error
    return "{" + ",".join(members) + "}"


def _dump(value: object, *, ensure_ascii: bool) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ensure_ascii, allow_nan=False)
