"""The short examples do in every language what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from test_same_turn import DEBUG, LANGUAGES, ROOT, delta

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = ROOT / "examples"
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
SCRIPT = {
    "responses": [
        {"chunks": [delta({"tool_calls": [CALL]}), delta({}, "tool_calls"), "data: [DONE]\n\n"]},
        {"chunks": [delta({"content": "It is "}), delta({"content": "clear."}), delta({}, "stop"), "data: [DONE]\n\n"]},
    ]
}
PRINTED = '[weather: {"city":"Oslo","sky":"clear","tempC":21}]\nIt is clear.\nsucceeded after 2 steps\n'


def command(language: str, folder: Path) -> list[str]:
    if language == "rust":
        return [str(DEBUG / "examples" / "turn")]
    if language == "node":
        return ["node", str(EXAMPLES / "turn.mjs")]
    if language == "python":
        return [sys.executable, str(EXAMPLES / "turn.py")]
    program = folder / "turn"
    library = ["-L", str(DEBUG), "-l:libturnkeep_ffi.so", f"-Wl,-rpath,{folder}"]
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include")]
    subprocess.run(["cc", *flags, str(EXAMPLES / "turn.c"), *library, "-o", str(program)], check=True)
    (folder / "libturnkeep.so.0").symlink_to(DEBUG / "libturnkeep_ffi.so")
    return [str(program)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_example_prints_its_turn(language: str, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps(SCRIPT), encoding="utf-8")
    provider = subprocess.Popen(
        [str(DEBUG / "scripted-provider"), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert provider.stdout is not None
    port = json.loads(provider.stdout.readline())["port"]
    ran = subprocess.run(
        [*command(language, tmp_path), str(tmp_path / "chats.db"), f"http://127.0.0.1:{port}/v1", "my-model"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        timeout=60,
    )
    requests, _ = provider.communicate()
    assert (ran.returncode, ran.stdout) == (0, PRINTED)
    assert [request["model"] for request in json.loads(requests)] == ["my-model"] * 2
