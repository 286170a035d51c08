"""How a tool's handler is called, and what becomes of what it returns."""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from turnkeep._json import encode

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Handler:
    """A tool's callable with the way that it wants its input.

    One whose parameters are members of the input takes them by name. Every other takes the input as a whole. The
    context goes to a parameter that is named or annotated for it, or to the second one that must be given; never to one
    that has a default.
    """

    def __init__(self, handler: Callable[..., Any], members: frozenset[str], context_type: type) -> None:
        self._handler = handler
        self._by_name = False
        self._accepted: frozenset[str] | None = None
        self._context: str | int | None = None
        try:
            parameters = list(inspect.signature(handler).parameters.values())
        except (TypeError, ValueError):
            # A built-in without a signature.
            return
        named = [parameter for parameter in parameters if _is_context(parameter, members, context_type)]
        rest = [parameter for parameter in parameters if parameter not in named]
        if rest and rest[0].kind is not inspect.Parameter.POSITIONAL_ONLY and rest[0].name in members:
            self._by_name = True
            takes_all = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in rest)
            self._accepted = None if takes_all else frozenset(parameter.name for parameter in rest)
            self._context = named[0].name if named else None
            return
        positional = [parameter for parameter in rest if parameter.kind in _POSITIONAL]
        if named:
            self._context = named[0].name if named[0].kind is not inspect.Parameter.POSITIONAL_ONLY else 1
        elif len(positional) > 1 and positional[1].default is inspect.Parameter.empty:
            self._context = 1

    def __call__(self, tool_input: Any, context: object) -> Any:
        keywords: dict[str, Any] = {}
        positional: list[Any] = []
        if self._by_name:
            if not isinstance(tool_input, dict):
                raise TypeError("the input must be an object")
            accepted = self._accepted
            keywords = {name: value for name, value in tool_input.items() if accepted is None or name in accepted}
        else:
            positional.append(tool_input)
        if isinstance(self._context, str):
            keywords[self._context] = context
        elif self._context is not None:
            positional.append(context)
        return self._handler(*positional, **keywords)


def _is_context(parameter: inspect.Parameter, members: frozenset[str], context_type: type) -> bool:
    if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
        return False
    annotation = parameter.annotation
    if annotation is context_type or (
        isinstance(annotation, str) and annotation.split(".")[-1] == context_type.__name__
    ):
        return True
    return parameter.name == "context" and "context" not in members


def members_of(schema: Mapping[str, Any] | None) -> frozenset[str]:
    """The members that a schema names."""
    properties = (schema or {}).get("properties")
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


def encode_output(output: object) -> str:
    """The JSON of what a tool returned; models, dataclasses, times and other values with an obvious form have one."""
    return encode(output, _plain)


def _plain(value: Any) -> object:
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        # Pydantic knows better than json what is in its models.
        return dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {member.name: getattr(value, member.name) for member in dataclasses.fields(value)}
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
