"""The cases that every language plays, through Python's methods."""

from __future__ import annotations

import re
from typing import Any

import pytest
import table

from turnkeep import Engine, TurnkeepError

# What is a keyword here.
NAMES = {"import": "import_chat"}
# What has a name of its own here.
PARAMETERS = {("settings.update", "settings"): "patch"}


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", name)


@pytest.mark.parametrize(
    "name",
    [
        "roles.json",
        "chats.json",
        "usage.json",
        "provenance.json",
        "settings.json",
        "search.json",
        "search-hits.json",
        "mcp.json",
        "steering.json",
    ],
)
def test_table(name: str) -> None:
    options = {snake(option): value for option, value in table.options(name).items()}
    with (
        table.model(name) as settings,
        Engine.open(store="sqlite::memory:", http={"allowPrivate": ["127.0.0.1"]}, **options) as engine,
    ):
        if settings:
            engine.settings.update("w", settings)

        def call(operation: str, params: dict[str, Any]) -> Any:
            namespace, method = operation.split(".")
            asked = getattr(getattr(engine, namespace), NAMES.get(method, snake(method)))
            given = {PARAMETERS.get((operation, name), snake(name)): value for name, value in params.items()}
            try:
                return asked(**given)
            except TurnkeepError as error:
                refused = {"code": error.code, "message": error.message, "details": error.details}
                raise table.RefusedError(refused) from None

        played = table.play(name, "python", call)
    assert played.wrong == []
    assert played.passed > 20
