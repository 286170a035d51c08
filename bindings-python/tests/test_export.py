"""Exports in pieces, and chats made of JSON exports."""

from __future__ import annotations

import re

import pytest

import turnkeep
from conftest import WHO


def document(messages: int) -> str:
    rows = [
        {
            "role": "assistant" if number % 2 else "user",
            "content": f"message {number} {'é' * 40}",
            "metadata": None,
            "createdAt": "2026-07-01T10:00:00.000Z",
        }
        for number in range(messages)
    ]
    return turnkeep.build_chat_json(title="Long", chat_id="c", rows=rows)


def without_time(text: str) -> str:
    return re.sub(r'(?m)^- Exported: .*$|"exportedAt":"[^"]*"', "", text)


@pytest.mark.parametrize("format", ["markdown", "json"])
def test_an_export_comes_in_pieces(engine: turnkeep.Engine, format: turnkeep.types.DocumentFormat) -> None:  # noqa: A002
    chat = engine.chats.import_chat(**WHO, document=document(3000))
    pieces = list(engine.chats.export_stream(**WHO, chat_id=chat["id"], format=format))
    assert len(pieces) > 3
    whole = engine.chats.export(**WHO, chat_id=chat["id"], format=format)
    same = without_time(b"".join(pieces).decode()) == without_time(whole)
    assert same


def test_a_json_export_makes_a_chat_again(engine: turnkeep.Engine) -> None:
    chat = engine.chats.import_chat(**WHO, document=document(5))
    exported = engine.chats.export(**WHO, chat_id=chat["id"], format="json")
    again = engine.chats.import_chat(**WHO, document=exported)
    assert again["id"] != chat["id"]
    assert again["title"] == "Long"
    contents = [
        [message["content"] for message in engine.chats.messages(**WHO, chat_id=one["id"])] for one in (chat, again)
    ]
    assert contents[0] == contents[1]


def test_what_is_wrong_is_named(engine: turnkeep.Engine) -> None:
    with pytest.raises(turnkeep.TurnkeepError) as wrong:
        engine.chats.import_chat(**WHO, document=document(2).replace('"assistant"', '"tool"'))
    assert wrong.value.details["field"] == "document.messages[1].role"
    chat = engine.chats.import_chat(**WHO, document=document(2))
    with pytest.raises(turnkeep.TurnkeepError) as forbidden:
        engine.chats.export_stream(workspace_id="w", user_id="someone else", chat_id=chat["id"])
    assert forbidden.value.code == "FORBIDDEN"
