"""How handlers are called, and what they may return."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

import turnkeep
from conftest import WHO
from scripted_provider import ScriptedProvider, calls, says

if TYPE_CHECKING:
    from collections.abc import Callable

CITY = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"type": "string"}}}


def run(engine: turnkeep.Engine, provider: ScriptedProvider, tool: turnkeep.Tool, tool_input: dict[str, Any]) -> str:
    """What the model is told of a call with this input."""
    provider.then(calls(("c1", tool.name, tool_input)), says("done"))
    engine.start_turn(**WHO, message="go", tools=[tool]).done()
    [told] = [message["content"] for message in provider.requests[-1]["messages"] if message["role"] == "tool"]
    return str(told)


def weather(city: str, unit: str = "C") -> str:
    return f"{city} in {unit}"


def with_context(city: str, context: turnkeep.ToolContext, unit: str = "C") -> str:
    return f"{city} in {unit} for {context.tool_name}"


def whole(tool_input: Any) -> str:
    return f"{sorted(tool_input)}"


def whole_and_context(tool_input: Any, given: Any) -> str:
    return f"{sorted(tool_input)} for {given.tool_name}"


def with_default(tool_input: Any, retries: int = 3) -> str:
    return f"{sorted(tool_input)} with {retries}"


def keywords(city: str, **rest: Any) -> str:
    return f"{city} and {rest}"


@pytest.mark.parametrize(
    ("handler", "tool_input", "told"),
    [
        (weather, {"city": "Oslo"}, "Oslo in C"),
        (weather, {"city": "Oslo", "unit": "F", "more": 1}, "Oslo in F"),
        (with_context, {"city": "Oslo"}, "Oslo in C for look"),
        (whole, {"city": "Oslo"}, "['city']"),
        (whole_and_context, {"city": "Oslo"}, "['city'] for look"),
        (with_default, {"city": "Oslo"}, "['city'] with 3"),
        (keywords, {"city": "Oslo", "unit": "F"}, "Oslo and {'unit': 'F'}"),
    ],
)
def test_defaults_are_defaults_and_nobody_is_given_what_they_did_not_ask_for(
    engine: turnkeep.Engine,
    provider: ScriptedProvider,
    handler: Callable[..., str],
    tool_input: dict[str, Any],
    told: str,
) -> None:
    assert run(engine, provider, turnkeep.Tool("look", handler, input_schema=CITY), tool_input) == told


class Colour(Enum):
    RED = "red"


@dataclass
class Place:
    name: str
    at: datetime


class Model:
    """What Pydantic's models offer."""

    def model_dump(self, *, mode: str) -> dict[str, str]:
        return {"mode": mode}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (datetime(2026, 5, 1, 12, tzinfo=timezone.utc), "2026-05-01T12:00:00+00:00"),
        (date(2026, 5, 1), "2026-05-01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        (Model(), {"mode": "json"}),
        ([Place("Oslo", datetime(2026, 5, 1))], [{"name": "Oslo", "at": "2026-05-01T00:00:00"}]),
    ],
)
def test_results_that_have_an_obvious_form_are_told(
    engine: turnkeep.Engine, provider: ScriptedProvider, value: object, told: object
) -> None:
    said = run(engine, provider, turnkeep.Tool("look", lambda _: {"value": value}), {})
    assert json.loads(said) == {"value": told}


def test_whoever_wrote_a_tool_hears_of_its_failures(
    engine: turnkeep.Engine, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="turnkeep"):
        told = run(engine, provider, turnkeep.Tool("look", lambda _: object()), {})
    assert "cannot be written as JSON" in told
    [record] = caplog.records
    assert record.getMessage() == "the tool look failed"
    assert record.exc_info is not None
