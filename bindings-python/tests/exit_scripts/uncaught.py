"""Ends by an exception while the provider hangs."""

from common import open_engine, read_to_text, start

engine = open_engine()
read_to_text(start(engine))
raise SystemExit(7)
