"""Ends while a tool that is offered sleeps for ever, deaf to its being cancelled."""

import threading
from typing import Any

import turnkeep
from common import open_engine, start

engine = open_engine()
asleep = threading.Event()


def sleep(_: Any) -> None:
    asleep.set()
    threading.Event().wait()


engine.offer_tools([turnkeep.Tool("sleep", sleep)])
start(engine, offered_tools=["sleep"])
asleep.wait()
