"""The same scripted turn in Rust, Node, Python and C leaves the same rows and the same chunks."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEBUG = ROOT / "target" / "debug"
TABLES = ["ai_chats", "ai_chat_messages", "ai_chat_runs", "ai_chat_run_steps", "ai_chat_run_chunks"]
LANGUAGES = ["rust", "node", "python", "c"]


def event(payload: dict[str, Any]) -> str:
    return f"data: {json.dumps(payload)}\n\n"


def delta(fields: dict[str, Any], finish_reason: str | None = None) -> str:
    return event({"id": "r1", "model": "m", "choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]})


def step(number: int, tool: str, arguments: str) -> dict[str, Any]:
    call = {"index": 0, "id": f"call_{number}", "type": "function", "function": {"name": tool, "arguments": arguments}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": number}}
    return {
        "chunks": [
            delta({"reasoning_content": f"Schritt {number}"}),
            delta({"content": f"Nächster: {tool}. "}),
            delta({"tool_calls": [call]}),
            delta({}, "tool_calls"),
            event({"id": "r1", "choices": [], "usage": usage}),
            "data: [DONE]\n\n",
        ]
    }


SCRIPT = {
    "responses": [
        step(0, "weather", '{"city":"Oslo"}'),
        step(1, "broken", "{}"),
        step(2, "nothing", ""),
        step(3, "long", '{"a":1}'),
        step(4, "unknown", "{}"),
        step(5, "weather", '{"city":5}'),
        {"chunks": [delta({"content": "Fertig 😀"}), delta({}, "stop"), "data: [DONE]\n\n"]},
    ]
}


@dataclass
class Result:
    chunks: list[Any]
    rows: dict[str, list[Any]]
    requests: list[Any]


class Renamed:
    """Replaces ids by the order in which they first appear, and times by one word."""

    UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
    TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        text = self.UUID.sub(lambda found: self.names.setdefault(found[0], f"id-{len(self.names)}"), text)
        return self.TIME.sub("TIME", text)


def command(language: str, folder: Path) -> list[str]:
    if language == "rust":
        return [str(DEBUG / "same-turn")]
    if language == "node":
        return ["node", str(HERE / "same_turn.mjs")]
    if language == "python":
        return [sys.executable, str(HERE / "same_turn.py")]
    program = folder / "same-turn-c"
    library = ["-L", str(DEBUG), "-l:libturnkeep_ffi.so", f"-Wl,-rpath,{folder}"]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include")]
    subprocess.run(["cc", *flags, str(HERE / "same_turn.c"), *library, "-o", str(program)], check=True)
    # The library calls itself by the name under which it is installed.
    (folder / "libturnkeep.so.0").symlink_to(DEBUG / "libturnkeep_ffi.so")
    return [str(program)]


def run(language: str, folder: Path) -> Result:
    script = folder / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    provider = subprocess.Popen(
        [str(DEBUG / "scripted-provider"), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert provider.stdout is not None
    port = json.loads(provider.stdout.readline())["port"]
    database = folder / "chats.db"
    ran = subprocess.run(
        [*command(language, folder), str(database), f"http://127.0.0.1:{port}/v1"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )
    requests, _ = provider.communicate()
    assert ran.returncode == 0
    rename = Renamed()
    chunks = [json.loads(rename(line)) for line in ran.stdout.splitlines()]
    return Result(chunks, {table: rows(database, table, rename) for table in TABLES}, json.loads(rename(requests)))


def rows(database: Path, table: str, rename: Renamed) -> list[Any]:
    connection = sqlite3.connect(database)
    connection.row_factory = sqlite3.Row
    try:
        found = [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
    finally:
        connection.close()
    return [
        {key: rename(value) if isinstance(value, str) else value for key, value in row.items() if key != "owner"}
        for row in found
    ]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return {language: run(language, tmp_path_factory.mktemp(language)) for language in LANGUAGES}


def test_rust_ran_the_whole_script(results: dict[str, Result]) -> None:
    rust = results["rust"]
    assert rust.chunks[0]["type"] == "start"
    assert rust.chunks[-1]["type"] == "finish"
    outcomes = [chunk.get("output", chunk.get("errorText")) for chunk in rust.chunks if "tool-output" in chunk["type"]]
    assert outcomes[:3] == [{"city": "Oslo", "tempC": 21.5, "note": "Grüße 😀"}, "it broke", None]
    assert outcomes[3] == "x" * 5000
    [run_row] = rust.rows["ai_chat_runs"]
    assert (run_row["status"], run_row["step_count"]) == ("succeeded", 7)
    assert len(rust.rows["ai_chat_run_steps"]) == 7
    question, answer = rust.rows["ai_chat_messages"]
    assert question["content"] == "Grüße 😀"
    assert answer["content"].endswith("Fertig 😀")
    # A page has after a reload what it had of the output while it came.
    assert outcomes[3] in answer["metadata"]
    assert len(rust.requests) == 7


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_chunks_are_the_same(results: dict[str, Result], language: str) -> None:
    assert results[language].chunks == results["rust"].chunks


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_rows_are_the_same(results: dict[str, Result], language: str) -> None:
    for table in TABLES:
        assert results[language].rows[table] == results["rust"].rows[table], table


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_provider_was_sent_the_same(results: dict[str, Result], language: str) -> None:
    assert results[language].requests == results["rust"].requests
