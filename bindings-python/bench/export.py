"""The export of `bindings-node/bench/export.mjs` through Python: its time and the process's peak memory, as JSON."""

import json
import resource
import sys
import time

import turnkeep

database, workspace_id, user_id, chat_id = sys.argv[1:]
with turnkeep.Engine.open(store=f"sqlite:{database}") as engine:
    size, first = 0, None
    begun = time.perf_counter()
    for piece in engine.chats.export_stream(workspace_id=workspace_id, user_id=user_id, chat_id=chat_id):
        first = first or time.perf_counter() - begun
        size += len(piece)
    took = time.perf_counter() - begun
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
sys.stdout.write(json.dumps({"millis": took * 1000, "first": (first or 0) * 1000, "bytes": size, "rss": rss}))
