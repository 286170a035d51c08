"""An exception for each error code.

Written by tools/surface from the description of the surface. Changes made here are overwritten.
"""

from __future__ import annotations

from turnkeep._errors import TurnkeepError


class InvalidInputError(TurnkeepError):
    """A field is missing or wrong; the message and ``details.field`` name it. ``INVALID_INPUT``, 400."""


class ForbiddenError(TurnkeepError):
    """The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off.
    ``FORBIDDEN``, 403.
    """


class NotFoundError(TurnkeepError):
    """There is no such thing. ``NOT_FOUND``, 404."""


class PayloadTooLargeError(TurnkeepError):
    """The payload is over its documented limit. ``PAYLOAD_TOO_LARGE``, 413."""


class UnsupportedMediaError(TurnkeepError):
    """The media type is not on the list. ``UNSUPPORTED_MEDIA``, 415."""


class NotSupportedError(TurnkeepError):
    """There is no such thing yet, such as generating an answer anew. ``NOT_SUPPORTED``, 501."""


class RunAlreadyActiveError(TurnkeepError):
    """Another run is active in the chat; ``details.activeRunId`` names it. ``A_RUN_ALREADY_ACTIVE``, 409."""


class RunBeginFailedError(TurnkeepError):
    """The run could not be written. ``A_RUN_BEGIN_FAILED``, 503."""


class LeaseLostError(TurnkeepError):
    """Another process owns the run now. ``LEASE_LOST``, 409."""


class SupersedeTargetMismatchError(TurnkeepError):
    """A run other than the one to supersede is active. ``SUPERSEDE_TARGET_MISMATCH``, 409."""


class SupersedeTimeoutError(TurnkeepError):
    """The run to supersede did not settle in time. ``SUPERSEDE_TIMEOUT``, 409."""


class SupersedeInvalidError(TurnkeepError):
    """The run to supersede is not a run of this chat. ``SUPERSEDE_INVALID``, 400."""


class MessageExistsError(TurnkeepError):
    """A message of this id is in the chat already. ``MESSAGE_EXISTS``, 409."""


class RoleNameTakenError(TurnkeepError):
    """Another role of the workspace has this name; the message says which. ``ROLE_NAME_TAKEN``, 409."""


class NotWaitingError(TurnkeepError):
    """The run, the call that is answered, or the message that is taken back does not wait, or not any more.
    ``NOT_WAITING``, 409.
    """


class AnswerMismatchError(TurnkeepError):
    """The answer is for another call, or for other arguments, than those that wait. ``ANSWER_MISMATCH``, 409."""


class AnswerExpiredError(TurnkeepError):
    """The time in which the call could be answered is over. ``ANSWER_EXPIRED``, 410."""


class RunNotActiveError(TurnkeepError):
    """The run has ended, or has not begun: no message can join it. ``RUN_NOT_ACTIVE``, 409."""


class StoreUnavailableError(TurnkeepError):
    """The store cannot be reached or written. ``STORE_UNAVAILABLE``, 503."""


class EngineClosedError(TurnkeepError):
    """The engine is shutting down or closed. ``ENGINE_CLOSED``, 503."""


class SecretUnreadableError(TurnkeepError):
    """A stored secret cannot be read with the application secret in use. ``SECRET_UNREADABLE``, 500."""


class AiNotConfiguredError(TurnkeepError):
    """No usable chat provider is configured. ``AI_NOT_CONFIGURED``, 503."""


class EmbeddingNotConfiguredError(TurnkeepError):
    """No usable embedding provider is configured. ``EMBEDDING_NOT_CONFIGURED``, 503."""


class SttNotConfiguredError(TurnkeepError):
    """No usable speech-to-text provider is configured. ``STT_NOT_CONFIGURED``, 503."""


class ProviderError(TurnkeepError):
    """The provider refused or failed. ``PROVIDER_ERROR``, 502."""


class RateLimitedError(TurnkeepError):
    """Too many requests in a window. ``RATE_LIMITED``, 429."""


class BudgetExhaustedError(TurnkeepError):
    """The budget of the window is spent. ``BUDGET_EXHAUSTED``, 429."""


class InternalError(TurnkeepError):
    """A bug of ours. ``INTERNAL``, 500."""


BY_CODE: dict[str, type[TurnkeepError]] = {
    "INVALID_INPUT": InvalidInputError,
    "FORBIDDEN": ForbiddenError,
    "NOT_FOUND": NotFoundError,
    "PAYLOAD_TOO_LARGE": PayloadTooLargeError,
    "UNSUPPORTED_MEDIA": UnsupportedMediaError,
    "NOT_SUPPORTED": NotSupportedError,
    "A_RUN_ALREADY_ACTIVE": RunAlreadyActiveError,
    "A_RUN_BEGIN_FAILED": RunBeginFailedError,
    "LEASE_LOST": LeaseLostError,
    "SUPERSEDE_TARGET_MISMATCH": SupersedeTargetMismatchError,
    "SUPERSEDE_TIMEOUT": SupersedeTimeoutError,
    "SUPERSEDE_INVALID": SupersedeInvalidError,
    "MESSAGE_EXISTS": MessageExistsError,
    "ROLE_NAME_TAKEN": RoleNameTakenError,
    "NOT_WAITING": NotWaitingError,
    "ANSWER_MISMATCH": AnswerMismatchError,
    "ANSWER_EXPIRED": AnswerExpiredError,
    "RUN_NOT_ACTIVE": RunNotActiveError,
    "STORE_UNAVAILABLE": StoreUnavailableError,
    "ENGINE_CLOSED": EngineClosedError,
    "SECRET_UNREADABLE": SecretUnreadableError,
    "AI_NOT_CONFIGURED": AiNotConfiguredError,
    "EMBEDDING_NOT_CONFIGURED": EmbeddingNotConfiguredError,
    "STT_NOT_CONFIGURED": SttNotConfiguredError,
    "PROVIDER_ERROR": ProviderError,
    "RATE_LIMITED": RateLimitedError,
    "BUDGET_EXHAUSTED": BudgetExhaustedError,
    "INTERNAL": InternalError,
}
