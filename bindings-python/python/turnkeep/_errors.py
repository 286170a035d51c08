"""The one exception of the engine."""

from __future__ import annotations

from typing import Any


class TurnkeepError(Exception):
    """A failure of turnkeep: a stable code, a sentence, and details that are safe to show."""

    # No __init__: the native module makes these without running Python code, which would not be safe at exit.

    args: tuple[str, str, int, dict[str, Any]]

    @property
    def code(self) -> str:
        """What went wrong, such as ``INVALID_INPUT`` or ``A_RUN_ALREADY_ACTIVE``. Codes never change their meaning."""
        return self.args[0]

    @property
    def message(self) -> str:
        """One line for people."""
        return self.args[1]

    @property
    def http_status(self) -> int:
        """The HTTP status that suits the code, as a hint."""
        return self.args[2]

    @property
    def details(self) -> dict[str, Any]:
        """What else is known: ``field`` of a wrong input, ``activeRunId`` of a busy chat."""
        return self.args[3]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @classmethod
    def _invalid(cls, field: str, problem: str) -> TurnkeepError:
        from turnkeep.errors import InvalidInputError

        return InvalidInputError("INVALID_INPUT", f"{field}: {problem}", 400, {"field": field})
