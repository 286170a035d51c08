"""Tools that engines offer, and turns that name theirs. A second engine on the same file stands for another process."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import turnkeep
from conftest import WHO, assistant_row
from scripted_provider import ScriptedProvider, calls, hangs, says

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED: dict[str, Any] = {**WHO, "message": "?", "offered_tools": ["weather"]}
OSLO = ("c1", "weather", {"city": "Oslo"})


def open_engine(folder: Path, provider: ScriptedProvider, **options: Any) -> turnkeep.Engine:
    settings: dict[str, Any] = {"providers": {"default": provider.settings}, "http": {"maxTries": 1}, **options}
    return turnkeep.Engine.open(store=f"sqlite:{folder}/chats.db", **settings)


@pytest.fixture
def other(tmp_path: Path, provider: ScriptedProvider) -> Iterator[turnkeep.Engine]:
    """On the file of `engine`."""
    with open_engine(tmp_path, provider) as other:
        yield other


class Noting:
    """A tool that notes what it was called with."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, turnkeep.ToolContext]] = []
        self.tool = turnkeep.Tool("weather", self._run, description="The weather of a city")

    def _run(self, tool_input: Any, context: turnkeep.ToolContext) -> dict[str, int]:
        self.seen.append((tool_input, context))
        return {"tempC": 4}


def run_to_its_end(engine: turnkeep.Engine, turn: turnkeep.Turn) -> turnkeep.types.Run:
    for _ in engine.runs.tail(**WHO, run_id=turn.run_id):
        pass
    return engine.runs.get(**WHO, run_id=turn.run_id)


def test_another_engine_drives_a_turn(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(calls(OSLO), says("cold"))
    noting = Noting()
    turn = engine.start_turn(**ASKED)
    assert engine.runs.get(**WHO, run_id=turn.run_id)["status"] == "pending"
    other.offer_tools([noting.tool])
    chunks = list(turn.chunks())
    outcome = turn.done()
    assert (outcome["status"], outcome["stepCount"]) == ("succeeded", 2)
    assert [chunk["output"] for chunk in chunks if chunk["type"] == "tool-output-available"] == [{"tempC": 4}]
    assert (chunks[0]["type"], chunks[-1]["type"]) == ("start", "finish")
    [(tool_input, context)] = noting.seen
    assert tool_input == {"city": "Oslo"}
    assert (context.run_id, context.message_id) == (turn.run_id, turn.message_id)
    assert not context.cancelled.is_set()
    assert assistant_row(engine, turn)["content"] == "cold"
    assert provider.requests[0]["tools"][0]["function"]["description"] == "The weather of a city"


def test_an_engine_drives_its_own_turns(tmp_path: Path, provider: ScriptedProvider) -> None:
    first, second = Noting(), Noting()
    unused = turnkeep.Tool("unused", lambda _: 1)
    with open_engine(tmp_path, provider, tools=[first.tool, unused]) as engine:
        engine.offer_tools()
        for place in (0, 2):
            provider.then(calls(OSLO), says("cold"))
            turn = engine.start_turn(**ASKED)
            assert turn.done()["status"] == "succeeded"
            # The turn has the tools that it names, and no others of the engine.
            assert [tool["function"]["name"] for tool in provider.requests[place]["tools"]] == ["weather"]
            engine.offer_tools([second.tool])
    # The later offer has taken the place of the first.
    assert (len(first.seen), len(second.seen)) == (1, 1)


def test_what_is_wrong_is_named(engine: turnkeep.Engine) -> None:
    weather = turnkeep.Tool("weather", lambda _: 1)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"tools": [weather]}, "tools"),
        ({"provider": "default"}, "provider"),
        ({"offered_tools": ["a", "a"]}, "offeredTools[1]"),
        ({"offered_tools": "weather"}, "offeredTools"),
        ({"offered_tools": [5]}, "offeredTools[0]"),
    ]
    for more, field in wrong:
        with pytest.raises(turnkeep.TurnkeepError) as refused:
            engine.start_turn(**{**ASKED, **more})
        assert (refused.value.code, refused.value.details) == ("INVALID_INPUT", {"field": field})
    offers = [
        ([turnkeep.Tool("a b", lambda _: 1)], "tools[0].name"),
        ([weather, weather], "tools[1].name"),
        ([weather, turnkeep.Tool("a", lambda _: 1, timeout_ms=-1)], "tools[1].timeoutMs"),
        ([turnkeep.Tool("a", lambda _: 1, input_schema={"type": 5})], "tools[0].inputSchema"),
        ([turnkeep.Tool("a", lambda _: 1, input_schema={"type": object()})], "tools"),
    ]
    for tools, field in offers:
        with pytest.raises(turnkeep.TurnkeepError) as refused:
            engine.offer_tools(tools)
        assert (refused.value.code, refused.value.details) == ("INVALID_INPUT", {"field": field})
    assert [thread.name for thread in threading.enumerate() if thread.name == "turnkeep-tools"] == []
    engine.close()
    with pytest.raises(turnkeep.TurnkeepError) as refused:
        engine.offer_tools([weather])
    assert refused.value.code == "ENGINE_CLOSED"


def test_a_closing_engine_leaves_its_run_to_another_one(
    tmp_path: Path, engine: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(calls(OSLO), calls(("c2", "weather", {})), says("cold"))
    called, told = threading.Event(), threading.Event()

    def handler(_: Any, context: turnkeep.ToolContext) -> None:
        called.set()
        context.cancelled.wait()
        told.set()

    closing = open_engine(tmp_path, provider)
    closing.offer_tools([turnkeep.Tool("weather", handler)])
    turn = closing.start_turn(**ASKED)
    called.wait()
    closing.close(grace_ms=0)
    assert told.wait(30)
    with pytest.raises(turnkeep.TurnkeepError) as lost:
        turn.done()
    assert lost.value.code == "LEASE_LOST"

    noting = Noting()
    engine.offer_tools([noting.tool])
    assert run_to_its_end(engine, turn)["status"] == "succeeded"
    assert [context.tool_call_id for _, context in noting.seen] == ["c2"]
    assert "whether it took effect is unknown" in provider.requests[1]["messages"][-1]["content"]
    parts = assistant_row(engine, turn)["metadata"]["parts"]
    assert [part["state"] for part in parts if part["type"] == "tool-weather"] == ["output-error", "output-available"]


def test_the_last_reader_stops_a_turn_that_is_driven_elsewhere(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(hangs("so far"))
    other.offer_tools([Noting().tool])
    turn = engine.start_turn(**ASKED, detached=False)
    with turn.chunks() as chunks:
        assert any(chunk["type"] == "text-delta" for chunk in chunks)
    outcome = turn.done()
    assert (outcome["status"], outcome["reason"]) == ("aborted", "disconnected")


def test_closing_lets_everybody_go(tmp_path: Path, provider: ScriptedProvider) -> None:
    engine = open_engine(tmp_path, provider)
    engine.offer_tools([turnkeep.Tool("other", lambda _: 1)])
    [pump] = [thread for thread in threading.enumerate() if thread.name == "turnkeep-tools"]
    turn = engine.start_turn(**ASKED)
    codes: list[str] = []
    types: list[str] = []
    begun = threading.Barrier(3)

    def await_end() -> None:
        begun.wait()
        with pytest.raises(turnkeep.TurnkeepError) as refused:
            turn.done()
        codes.append(refused.value.code)

    def read() -> None:
        chunks = turn.chunks()
        begun.wait()
        types.extend(chunk["type"] for chunk in chunks)

    threads = [threading.Thread(target=await_end), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    begun.wait()
    engine.close(grace_ms=0)
    for thread in (*threads, pump):
        thread.join(30)
        assert not thread.is_alive()
    assert codes == ["ENGINE_CLOSED"]
    assert types in ([], ["start"])


def test_closing_ends_the_threads_of_an_offer(tmp_path: Path, provider: ScriptedProvider) -> None:
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc")

    def ours() -> int:
        names = [task / "comm" for task in tasks.iterdir()]
        return sum(name.read_text().startswith("turnkeep") for name in names if name.exists())

    before = ours()
    provider.then(calls(OSLO), says("cold"))
    engine = open_engine(tmp_path, provider, tools=[Noting().tool])
    engine.offer_tools()
    engine.start_turn(**ASKED).done()
    assert ours() > before
    engine.close()
    assert ours() == before


def test_a_question_is_answered_from_another_engine(
    engine: turnkeep.Engine, other: turnkeep.Engine, provider: ScriptedProvider
) -> None:
    provider.then(calls(("c1", "ask", {"text": "Which?"})), says("b it is"))
    engine.offer_tools([turnkeep.Tool("ask", None, answer_schema={"enum": ["a", "b"]})])
    turn = engine.start_turn(**WHO, message="?", offered_tools=["ask"])
    assert turn.done()["status"] == "waiting"
    actor: turnkeep.types.Actor = {"userId": WHO["user_id"], "isAdmin": False}
    page = other.runs.waiting(workspace_id=WHO["workspace_id"], actor=actor)
    assert [call["kind"] for call in page["items"][0]["waitingFor"]] == ["question"]
    answer: dict[str, Any] = {**WHO, "run_id": turn.run_id, "call_id": "c1"}
    with pytest.raises(turnkeep.TurnkeepError, match="output"):
        other.runs.answer(**answer, output="c")
    assert other.runs.answer(**answer, output="b")["waiting"] == 0
    with pytest.raises(turnkeep.TurnkeepError) as refused:
        other.runs.answer(**answer, output="a")
    assert refused.value.code == "NOT_WAITING"
    while run_to_its_end(other, turn)["status"] != "succeeded":
        pass
    with pytest.raises(TypeError):
        turnkeep.Tool("write", None)
