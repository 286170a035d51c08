"""Ends after a turn, without closing."""

from common import open_engine, start

engine = open_engine()
start(engine).done()
