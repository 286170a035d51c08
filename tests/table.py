"""Cases that every language plays: operations with their parameters and what they answer.

`tests/roles.json` says how they are written.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).resolve().parent


@contextmanager
def model(name: str) -> Iterator[Any]:
    """The settings of the model that the table asks for, and its provider meanwhile; nothing if it asks for none."""
    subjects = json.loads((FOLDER / name).read_text(encoding="utf-8")).get("subjects")
    if subjects is None:
        yield None
        return

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
            refused = re.search(r"\[(\d{3})\]", " ".join(texts))
            vectors = [[sum(text.lower().count(word) for word in words) for words in subjects] for text in texts]
            answer = json.dumps({"error": "refused on purpose"} if refused else {"embeddings": vectors}).encode()
            self.send_response(int(refused[1]) if refused else 200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base_url = f"http://127.0.0.1:{server.server_port}"
        yield {"driver": "ollama", "embeddingModel": "subjects", "embeddingBaseUrl": base_url}
        server.shutdown()


class RefusedError(Exception):
    """An operation's error, as `{code, message, details}`."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Played:
    passed: int = 0
    wrong: list[str] = field(default_factory=list)


def options(name: str) -> dict[str, Any]:
    """What the engine of a table is opened with, besides its store."""
    given: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8")).get("options", {})
    return given


def play(name: str, language: str, call: Callable[[str, dict[str, Any]], Any]) -> Played:
    """Plays a table by way of ``call``, which is given an operation and its parameters."""
    kept: dict[str, str] = {}
    played = Played()
    for case in json.loads((FOLDER / name).read_text(encoding="utf-8"))["cases"]:
        if language in case.get("notIn", ()):
            continue
        try:
            answer = call(case["operation"], filled(case["params"], kept))
        except RefusedError as refused:
            problem = refusal(refused.error, case.get("error"))
        else:
            for kept_as, path in named(case.get("keep")).items():
                kept[f"${kept_as}"] = member(answer, path)
            expected = filled(case.get("answer"), kept)
            problem = f"was answered: {answer}" if "error" in case else differs(expected, answer, "the answer")
        if problem:
            played.wrong.append(f"{case['name']}: {problem}")
        else:
            played.passed += 1
    return played


def named(keep: str | dict[str, str] | None) -> dict[str, str]:
    """What a case keeps of its answer: names, with the paths of members."""
    if isinstance(keep, str):
        return {keep: "id"}
    return keep or {}


def member(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value[int(name) if isinstance(value, list) else name]
    return value


def filled(value: Any, kept: dict[str, str]) -> Any:
    """The value with what its names stand for."""
    if isinstance(value, str):
        return kept.get(value, value)
    if isinstance(value, list):
        return [filled(item, kept) for item in value]
    if isinstance(value, dict):
        if "<repeat>" in value:
            text, count = value["<repeat>"]
            return value.get("before", "") + text * count
        return {name: filled(member, kept) for name, member in value.items()}
    return value


def refusal(error: dict[str, Any], expected: dict[str, str] | None) -> str | None:
    told = (
        expected is not None
        and error["code"] == expected["code"]
        and error["details"].get("field") == expected.get("field")
        and expected.get("says", "") in error["message"]
    )
    return None if told else f"was refused: {error}"


def differs(expected: Any, answer: Any, place: str) -> str | None:
    """Where the answer is not what is expected."""
    if expected == "<text>" and isinstance(answer, str) and answer:
        return None
    if isinstance(expected, list) and isinstance(answer, list) and len(expected) == len(answer):
        pairs = (
            differs(item, mine, f"{place}[{at}]") for at, (item, mine) in enumerate(zip(expected, answer, strict=True))
        )
        return next(filter(None, pairs), None)
    if isinstance(expected, dict) and isinstance(answer, dict) and expected.keys() == answer.keys():
        pairs = (differs(member, answer[name], f"{place}.{name}") for name, member in expected.items())
        return next(filter(None, pairs), None)
    return None if expected == answer else f"{place} is {answer!r}, and not {expected!r}"
