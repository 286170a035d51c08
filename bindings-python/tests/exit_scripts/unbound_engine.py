"""Ends while the provider hangs, and the interpreter holds nothing but the turn."""

from common import open_engine, read_to_text, start

turn = start(open_engine())
read_to_text(turn)
