"""Python's part in the comparison of languages; see README.md."""

import json
import sys
from typing import Any

from turnkeep import Engine, Tool


def broken(_: Any) -> None:
    raise RuntimeError("it broke")


database, base_url = sys.argv[1:]
schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [
    Tool(
        "weather",
        lambda asked: {"city": asked["city"], "tempC": 21.5, "note": "Grüße 😀"},
        description="Tells the weather",
        input_schema=schema,
    ),
    Tool("broken", broken),
    Tool("nothing", lambda _: None, read_only=True),
    Tool("long", lambda _: "x" * 5000),
]
providers = {"default": {"driver": "openai-compatible", "model": "test-model", "baseUrl": base_url}}
with Engine.open(store=f"sqlite:{database}", providers=providers) as engine:
    turn = engine.start_turn(workspace_id="w1", user_id="u1", message="Grüße 😀", tools=tools)
    for chunk in turn.chunks():
        print(json.dumps(chunk))
    turn.done()
