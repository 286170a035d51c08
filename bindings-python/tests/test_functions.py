"""The pure functions as Python calls them: conversions, errors, and what must never happen."""

from __future__ import annotations

import inspect
import re
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from turnkeep import _functions, _plain_functions

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (_functions, _plain_functions))
FUNCTIONS = re.findall(r"^def ([a-z]\w+)\(", SOURCES, re.MULTILINE)


def refused(call: Callable[[], Any]) -> str:
    """The field that the call's error names."""
    with pytest.raises(turnkeep.TurnkeepError) as caught:
        call()
    assert (caught.value.code, caught.value.http_status) == ("INVALID_INPUT", 400)
    field: str = caught.value.details["field"]
    return field


def flush(steps: Any, extra: Any = None) -> Any:
    return turnkeep.flush_assistant(steps, "", "completed", extra)


def step(output: Any, given: Any = None) -> dict[str, Any]:
    return {
        "toolCalls": [{"toolCallId": "c", "toolName": "t", "input": given}],
        "toolResults": [{"toolCallId": "c", "toolName": "t", "output": output}],
    }


def output_of(value: Any) -> Any:
    return flush([step(value)])["toolCalls"][1]["output"]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_every_function_is_exported() -> None:
    assert len(FUNCTIONS) > 30
    assert set(FUNCTIONS) <= set(turnkeep.__all__)


def test_the_reference_names_what_is_there() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    entries = re.findall(r'^### <a id="[^"]+"></a>`([\w.]+)\(.*?(?=^##)', page, re.MULTILINE | re.DOTALL)
    assert {f"turnkeep.{name}" for name in FUNCTIONS} <= set(entries)
    with turnkeep.Engine.open(store="sqlite::memory:") as engine:
        for entry in re.finditer(r'^### <a id="[^"]+"></a>`([\w.]+)\((.*?)(?=^##)', page, re.MULTILINE | re.DOTALL):
            first, *rest = entry[1].split(".")
            found: Any = {"engine": engine, "turnkeep": turnkeep}[first]
            for name in rest:
                found = getattr(found, name)
            described = re.findall(r"^\| `(\w+)`", entry[2], re.MULTILINE)
            assert described == [name for name in inspect.signature(found).parameters if name in described], entry[1]
            assert set(described) == set(inspect.signature(found).parameters), entry[1]


def test_a_flush_has_the_shape_of_a_row() -> None:
    steps = [{"text": "Looked. ", **step({"sky": "clear"}, {"city": "Porto"})}, {"text": "Done."}]
    row = flush(steps, {"finishReason": "stop", "usage": {"inputTokens": 1, "outputTokens": 2}})
    assert list(row) == ["content", "toolCalls", "metadata", "status"]
    assert row["content"] == "Looked. Done."
    assert row["toolCalls"] == [
        {"toolName": "t", "input": {"city": "Porto"}},
        {"toolName": "t", "output": {"sky": "clear"}},
    ]
    assert [part["type"] for part in row["metadata"]["parts"]] == ["text", "tool-t", "text"]
    assert list(row["metadata"]) == ["parts", "finishReason", "usage"]


def test_the_order_of_keys_is_kept() -> None:
    assert list(output_of({"z": 1, "a": 2, "m": {"y": 1, "b": 2}})) == ["z", "a", "m"]


def test_none_is_an_optional_parameter_left_out() -> None:
    assert turnkeep.normalize_lang(None) == turnkeep.normalize_lang() == "en"
    assert turnkeep.prepare_agent_step(0, "s", None) is None
    assert turnkeep.plan_finalize_assistant(None) == {"kind": "insert"}
    assert turnkeep.accumulate_step_usage(None, None) is None


def test_integers_keep_their_digits() -> None:
    assert output_of({"n": 12345678901234567890123}) == {"n": 12345678901234567890123}


def test_times_become_iso_text() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    assert output_of(moment) == "2026-01-02T01:04:05.678Z"
    assert output_of(moment.replace(tzinfo=None)) == "2026-01-02T03:04:05.678Z"
    rows = [{"role": "user", "content": "hi", "createdAt": moment}]
    markdown = turnkeep.build_chat_markdown(title="t", chat_id="c", rows=rows, exported_at=moment)
    assert "- Exported: 2026-01-02T01:04:05.678Z" in markdown
    assert "<!-- 2026-01-02T01:04:05.678Z -->" in markdown


def test_numbers_that_are_not_finite_are_null() -> None:
    assert output_of({"a": [float("nan"), float("inf")], "b": (1, -float("inf"))}) == {
        "a": [None, None],
        "b": [1, None],
    }


def test_half_a_surrogate_pair_stops_nothing() -> None:
    assert turnkeep.normalize_lang("\ud800") == "en"
    assert flush([{"text": "a\ud83d"}])["content"] == "a\ufffd"


def test_a_small_output_is_the_very_same_value() -> None:
    for value in ({"a": 1}, [1], "text", 0, None, (1, 2)):
        assert turnkeep.compact_tool_output(value) is value


def test_a_large_output_is_a_shorter_copy() -> None:
    value = {"text": "x" * 5000, "list": list(range(60))}
    compacted = turnkeep.compact_tool_output(value)
    assert len(value["text"]) == 5000
    assert compacted["text"] == "x" * 500 + "…[truncated 4500 chars]"
    assert compacted["list"][-1] == {"_truncated": True, "omittedItems": 10}


class ProviderError(Exception):
    """As HTTP libraries make them."""

    def __init__(self, status_code: object, response_body: object = None) -> None:
        super().__init__("fetch failed")
        self.status_code = status_code
        self.response_body = response_body
        self.request = {"apiKey": object()}


def test_exceptions_are_read() -> None:
    assert turnkeep.describe_provider_error(ProviderError(503, " busy ")) == "503: fetch failed | response body: busy"
    assert turnkeep.describe_provider_error(ProviderError(object(), object())) == "fetch failed"
    assert turnkeep.describe_provider_error({"message": "m", "response": object()}) == "m"
    assert turnkeep.describe_provider_error(ValueError("plain")) == "plain"
    assert turnkeep.describe_provider_error(None, "fallback") == "fallback"
    assert turnkeep.is_fatal_provider_error(ProviderError(401))
    assert not turnkeep.is_fatal_provider_error(ValueError("plain"))


def test_a_set_serves_as_well_as_a_list() -> None:
    hits = [{"pageId": "a", "title": "A", "content": "x"}]
    selected = turnkeep.select_accessible_hits(hits, {"a"}, 5)
    assert len(selected) == 1
    assert turnkeep.select_accessible_hits(hits, ["a"], 5) == selected
    assert turnkeep.select_accessible_hits(hits, {"a": 1}.keys(), 5) == selected
    assert turnkeep.disambiguate_tool_name("n", "s", frozenset({"n_s", "n_2"})) == "n_3"


WRONG_STEP = {"toolCalls": [{"toolCallId": "c", "toolName": 5}]}


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (
            lambda: flush([{}, {}, {"toolCalls": [{"toolCallId": "c", "toolName": 5}]}]),
            "steps[2].toolCalls[0].toolName",
        ),
        (lambda: flush(5), "steps"),
        (lambda: turnkeep.flush_assistant([], 5, "completed"), "inProgressText"),  # type: ignore[arg-type]
        (lambda: turnkeep.flush_assistant([], "", "done"), "status"),  # type: ignore[arg-type]
        (lambda: turnkeep.prepare_agent_step("1", "s"), "stepNumber"),  # type: ignore[arg-type]
        (lambda: turnkeep.normalize_lang(5), "tag"),  # type: ignore[arg-type]
        (lambda: turnkeep.split_text("t", {"chunkSize": "x"}), "options.chunkSize"),  # type: ignore[arg-type]
        (lambda: turnkeep.trim_history([], {}), "options.budgetTokens"),  # type: ignore[typeddict-item]
        (lambda: turnkeep.disambiguate_tool_name("n", "s", ["a", 5]), "taken[1]"),  # type: ignore[list-item]
        (lambda: turnkeep.parse_chat_json("{"), "text"),
    ],
)
def test_a_wrong_shape_names_its_place(call: Callable[[], Any], field: str) -> None:
    assert refused(call) == field


def test_what_has_no_json_names_its_place() -> None:
    assert refused(lambda: flush([{}, step({"a": [1, {2}]})])) == "steps[1].toolResults[0].output.a[1]"
    assert refused(lambda: flush([step(object())])) == "steps[0].toolResults[0].output"
    assert refused(lambda: flush([{(1, 2): 3}])) == "steps[0]"
    # Found behind a number that must be replaced first.
    assert refused(lambda: turnkeep.to_view({"a": float("nan"), "b": b"bytes"})) == "server.b"
    assert refused(lambda: turnkeep.compact_tool_output({"a": {1}})) == "value.a"
    assert refused(lambda: turnkeep.compact_tool_output({"n": [10**5000]})) == "value.n[0]"
    circle: dict[str, Any] = {}
    circle["self"] = [circle]
    assert refused(lambda: turnkeep.row_to_ui_message(circle)) == "row"


def test_hostile_nesting_is_refused() -> None:
    deep = nested(100_000)
    assert refused(lambda: turnkeep.compact_tool_output(deep)) == "value"
    assert refused(lambda: turnkeep.assistant_parts(deep, "")) == "steps"
    # As text, which no recursion of Python's sees before the core has.
    assert refused(lambda: turnkeep.parse_chat_json("[" * 100_000 + "]" * 100_000)) == "text"


def test_other_threads_go_on_meanwhile() -> None:
    """Many calls at once, each with its own result."""
    results: dict[int, Any] = {}

    def work(number: int) -> None:
        results[number] = turnkeep.compact_tool_output({"n": number, "pad": "x" * 100_000})["n"]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number for number in range(8)}


@pytest.mark.parametrize("value", [None, 5, -1, 1e308, "text", [], {}, [[]], [{}], True])
def test_every_function_survives_anything(value: Any) -> None:
    for name in FUNCTIONS:
        function = getattr(turnkeep, name)
        code = function.__code__
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        try:
            function(**dict.fromkeys(parameters, value))
        except turnkeep.TurnkeepError as error:
            wrong = f"{name}: {error}"
            if error.code != "INVALID_INPUT" or error.details["field"] == "function":
                pytest.fail(wrong)
