"""One turn with a tool, printed as it comes: python examples/turn.py chats.db http://127.0.0.1:8080/v1 my-model"""

import json
import sys
from pathlib import Path

import turnkeep

database, base_url, model = sys.argv[1:]
weather = turnkeep.Tool(
    "weather",
    lambda asked: {"city": asked["city"], "sky": "clear", "tempC": 21},
    description="Tells the weather in a city",
    input_schema={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    read_only=True,
)
with turnkeep.Engine.open(
    store=Path(database),
    providers={"default": {"driver": "openai-compatible", "model": model, "baseUrl": base_url}},
    tools=[weather],
) as engine:
    turn = engine.start_turn(workspace_id="w1", user_id="u1", message="How is the weather in Oslo?")
    for chunk in turn.chunks():
        if chunk["type"] == "text-delta":
            print(chunk["delta"], end="", flush=True)
        if chunk["type"] == "tool-output-available":
            print(f"[weather: {json.dumps(chunk['output'], separators=(',', ':'))}]")
    outcome = turn.done()
    print(f"\n{outcome['status']} after {outcome['stepCount']} steps")
