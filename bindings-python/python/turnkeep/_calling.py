"""How the pure functions are called."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from turnkeep import _native
from turnkeep._errors import TurnkeepError
from turnkeep._json import decode_result, encode_like_javascript

if TYPE_CHECKING:
    from collections.abc import Collection

# With the attributes of exceptions that they come from.
_ERROR_FIELDS = {"statusCode": "status_code", "responseBody": "response_body", "text": "text"}


def call(function: str, given: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> Any:
    """Calls with what must be there and those of the rest that are not ``None``."""
    parameters = {**given, **{name: value for name, value in (optional or {}).items() if value is not None}}
    members = [f'"{name}":{encode_like_javascript(value, name)}' for name, value in parameters.items()]
    answer = _native.call_function(function, "{" + ",".join(members) + "}")
    return None if answer is None else decode_result(answer)


def as_list(items: Collection[str]) -> Collection[str]:
    return list(items) if isinstance(items, Set) else items


def error_fields(err: object) -> object:
    """What is read of an error. The rest may refer to anything, and hold keys."""
    fields: dict[str, object] = {}
    if isinstance(err, dict):
        fields = {name: err[name] for name in ("name", "message", *_ERROR_FIELDS) if name in err}
    elif isinstance(err, BaseException):
        fields = {"name": type(err).__name__, "message": str(err)}
        for name, attribute in _ERROR_FIELDS.items():
            value = getattr(err, attribute, None)
            if value is not None:
                fields[name] = value
    else:
        return err
    return {name: value for name, value in fields.items() if _has_json(value)}


def _has_json(value: object) -> bool:
    try:
        encode_like_javascript(value, "err")
    except TurnkeepError:
        return False
    return True
