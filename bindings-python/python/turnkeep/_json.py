"""JSON text, the form in which everything crosses into the engine."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from turnkeep._errors import TurnkeepError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

decode = json.loads


def encode(value: object, default: Callable[[Any], object] | None = None) -> str:
    """The JSON of ``value``; what JSON does not know (``NaN``, foreign objects) is a ValueError or TypeError."""
    dump = partial(json.dumps, value, separators=(",", ":"), allow_nan=False, default=default)
    text = dump(ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair, as in file names that are not UTF-8, can cross only as an escape.
        return dump(ensure_ascii=True)
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


def encode_like_javascript(value: object, name: str) -> str:
    """The JSON of a parameter as ``JSON.stringify`` would write it: a datetime is ISO text in UTC with milliseconds,
    ``NaN`` and the infinities are null. What has no JSON is INVALID_INPUT by its path, which begins with ``name``.
    """
    try:
        try:
            return encode(value, _datetime)
        except ValueError:
            # A number that is not finite is rare enough to be looked for only now.
            return encode(_finite(value), _datetime)
    except RecursionError as error:
        raise TurnkeepError._invalid(name, "is nested too deeply, or holds itself") from error
    except (TypeError, ValueError, OverflowError) as error:
        path = next((path for path, item in _walk(value, name) if not _has_json(item)), name)
        raise TurnkeepError._invalid(path, f"cannot be written as JSON ({error})") from error


def decode_result(text: str) -> Any:
    """What a function has answered; what Python's parser has no room for is INVALID_INPUT."""
    try:
        return decode(text)
    except (RecursionError, ValueError) as error:
        # Only what came in can be nested so deeply, or be a number of so many digits.
        raise TurnkeepError._invalid("arguments", "are nested too deeply, or hold a number that is too long") from error


def iso(moment: datetime) -> str:
    """``Date.prototype.toISOString``; a datetime without a zone is UTC."""
    utc = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _datetime(value: object) -> str:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _finite(value: object) -> object:
    """A copy in which numbers that are not finite are ``None``."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _walk(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Everything in ``value`` with its path, in order. A value that holds itself is not entered again."""
    waiting: list[tuple[str, object, tuple[int, ...]]] = [(path, value, ())]
    while waiting:
        path, item, above = waiting.pop()
        if id(item) in above:
            # Stands for the cycle: an object without a JSON form.
            yield path, object()
            continue
        yield path, item
        inside = (*above, id(item))
        if isinstance(item, dict):
            members = [(f"{path}.{key}", member, inside) for key, member in item.items()]
        elif isinstance(item, (list, tuple)):
            members = [(f"{path}[{index}]", member, inside) for index, member in enumerate(item)]
        else:
            continue
        waiting.extend(reversed(members))


def _has_json(item: object) -> bool:
    """Whether ``item`` itself, without what is in it, has a JSON form."""
    if isinstance(item, dict):
        return all(isinstance(key, (str, int, float, bool)) or key is None for key in item)
    if isinstance(item, (list, tuple)):
        return True
    if isinstance(item, float):
        # Those that are not finite have become null.
        return True
    try:
        encode(item, _datetime)
    except (TypeError, ValueError, OverflowError):
        return False
    return True
