"""The recorded vectors through the Python functions. Where they are missing, every file counts as skipped."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
import vectors

import turnkeep


def for_python(value: Any) -> Any:
    """What a Python host has in the place of JavaScript's values."""
    if isinstance(value, dict):
        return {key: for_python(item) for key, item in value.items()}
    if isinstance(value, list):
        return [for_python(item) for item in value]
    if isinstance(value, vectors.JsDate):
        try:
            return datetime.fromisoformat(value.text.replace("Z", "+00:00"))
        except ValueError:
            raise vectors.DoesNotApplyError("a year over 9999") from None
    if isinstance(value, vectors.JsError):
        raise vectors.DoesNotApplyError("an exception in the middle of data")
    if isinstance(value, vectors.RawJson):
        try:
            return json.loads(value.text)
        except RecursionError:
            raise vectors.DoesNotApplyError("deeper than Python's parser goes") from None
    return value


def exception(error: vectors.JsError) -> Exception:
    """An exception with attributes in snake_case."""
    raised: Exception = type(error.name, (Exception,), {})(error.message)
    for name, value in error.own.items():
        if name not in ("name", "message"):
            setattr(raised, snake(name), for_python(value))
    return raised


def snake(name: str) -> str:
    return re.sub("([A-Z])", lambda letter: f"_{letter[1].lower()}", name)


def call(function: str, parameters: dict[str, Any]) -> Any:
    given = {
        snake(name): exception(value) if isinstance(value, vectors.JsError) else for_python(value)
        for name, value in parameters.items()
    }
    try:
        return getattr(turnkeep, snake(function))(**given)
    except turnkeep.TurnkeepError as error:
        if error.code != "INVALID_INPUT":
            raise
        raise vectors.RefusedError(error.message) from error


@pytest.mark.parametrize("file", vectors.files())
def test_file(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not (vectors.FOLDER / f"{file}.json").is_file():
        pytest.skip(f"{vectors.FOLDER} is not here (set TURNKEEP_SHARED)")
    report = vectors.run_file(file, "python", call)
    with capsys.disabled():
        print(f"\n{report}")  # noqa: T201
    problem = report.problem()
    assert problem is None, problem


def test_every_file_is_run_or_listed() -> None:
    if not vectors.FOLDER.is_dir():
        pytest.skip(f"{vectors.FOLDER} is not here (set TURNKEEP_SHARED)")
    assert vectors.unknown_files() == []
