"""Methods that only ask the engine, and what it is opened and turns are begun with.

Written by tools/surface from the description of the surface. Changes made here are overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import builtins
    import os
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

    from turnkeep import types
    from turnkeep._runs import HostedRun
    from turnkeep._tools import Tool
    from turnkeep._turn import Turn

_Collected = dict[str, Any]


class _Asking:
    """Asks an engine by name."""

    def _ask(self, operation: str, params: _Collected) -> Any:
        raise NotImplementedError


class RunsOperations(_Asking):
    """Methods of ``runs``."""

    def get(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
    ) -> types.Run:
        """One run.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Run = self._ask("runs.get", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id})
        return answer

    def latest_for_chat(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
    ) -> types.Run | None:
        """The newest run of a chat; ``None`` in a chat that never had one, or that is not there (yet).

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: types.Run | None = self._ask("runs.latestForChat", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id})
        return answer

    def active_for_chat(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
    ) -> types.Run | None:
        """The run that holds a chat; ``None`` when the chat is free, or not there (yet).

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: types.Run | None = self._ask("runs.activeForChat", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id})
        return answer

    def list(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        limit: int | None = None,
        before: str | None = None,
    ) -> builtins.list[types.Run]:
        """The newest runs of a chat, newest first; those that wait come before all others.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param limit: At most so many; 50 unless given.
        :param before: A run's id: those that come after it in the list.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: builtins.list[types.Run] = self._ask("runs.list", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "limit": limit, "before": before})
        return answer

    def get_stateless(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
    ) -> types.StatelessRun:
        """What is kept of a turn that is not stored: whose it was, and how it ended.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``
        """
        answer: types.StatelessRun = self._ask("runs.getStateless", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id})
        return answer

    def stop(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str | None = None,
        chat_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> bool:
        """Stops a run, of whichever process: named by its id, by its chat (the active one), or by the idempotency
        key of its turn. By its key a run may also be stopped that has not begun: it ends as stopped when it
        begins (within an hour), before a provider is asked for anything. False when there is nothing left to
        stop.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :param chat_id: The chat whose active run is meant; with a key, the chat of its turn.
        :param idempotency_key: The key of the run's turn.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: bool = self._ask("runs.stop", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "chatId": chat_id, "idempotencyKey": idempotency_key})
        return answer

    def answer(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        call_id: str,
        approved: bool | None = None,
        output: Any | None = None,
        input: Any | None = None,
        reason: str | None = None,
        token: str | None = None,
    ) -> types.Answered:
        """Answers a call that a run waits for, once and for good, from any process: a call that needs an approval
        with ``approved``, a question or a tool of the client's with ``output`` (or ``approved: false``, which
        says that there will be none). The run goes on when all of its calls are answered, in an engine that
        offers its tools. ``waiting`` says how many are left.

        :param workspace_id: The workspace.
        :param user_id: Who answers: the chat's owner, or one of the tool's ``answerers`` where it names
            some.
        :param run_id: The run.
        :param call_id: The call.
        :param approved: Whether the call may be made.
        :param output: The call's output; it has to fit the question's schema.
        :param input: Arguments that the call is made with instead of its own, where its tool allows that.
        :param reason: Why; the model is told.
        :param token: The call's ``token``, as it was listed: the answer is then for exactly this call with
            these arguments.
        :raises TurnkeepError: ``NOT_WAITING``, ``ANSWER_MISMATCH``, ``ANSWER_EXPIRED``, ``INVALID_INPUT``,
        ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Answered = self._ask("runs.answer", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "callId": call_id, "approved": approved, "output": output, "input": input, "reason": reason, "token": token})
        return answer

    def waiting(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        user_id: str | None = None,
        chat_id: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> types.WaitingPage:
        """Runs that wait for an answer, with what they wait for (``waitingFor``), in the order of their ids.
        Whoever is no administrator sees those that they have begun.

        :param workspace_id: The workspace.
        :param actor: Who asks.
        :param user_id: The runs of one user: an administrator may name any, others themselves.
        :param chat_id: The runs of one chat, among those.
        :param cursor: What comes behind this cursor of an earlier part.
        :param limit: At most so many; 50 unless given.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.WaitingPage = self._ask("runs.waiting", {"workspaceId": workspace_id, "actor": actor, "userId": user_id, "chatId": chat_id, "cursor": cursor, "limit": limit})
        return answer

    def steer(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        message: types.MessageInput,
        idempotency_key: str | None = None,
    ) -> types.SteerAnswer:
        """Lets a user's message join a run that has not ended, of whichever process. It is on disk when this
        answers. It enters before the answer of the run's next step, and a run that would have succeeded makes
        one more step for it; if the run ends otherwise, or has no step left, the message is the chat's next
        turn's. ``place`` says which of the two is to be expected. A message of an id, or with a key, that was
        accepted before is that one: ``state`` says what has become of it.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :param message: The message, as a turn is begun with.
        :param idempotency_key: What stands for the message where it has no id: a second one of the same key
            is the first.
        :raises TurnkeepError: ``RUN_NOT_ACTIVE``, ``MESSAGE_EXISTS``, ``RATE_LIMITED``, ``INVALID_INPUT``,
        ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.SteerAnswer = self._ask("runs.steer", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "message": message, "idempotencyKey": idempotency_key})
        return answer

    def unsteer(
        self,
        *,
        workspace_id: str,
        user_id: str,
        message_id: str,
    ) -> types.Steering:
        """Takes a message back that waits: for its run, or for the next turn. Taking it back again changes
        nothing.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param message_id: The message's id, as ``runs.steer`` has answered it.
        :raises TurnkeepError: ``NOT_WAITING``, ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Steering = self._ask("runs.unsteer", {"workspaceId": workspace_id, "userId": user_id, "messageId": message_id})
        return answer

    def queue(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str | None = None,
        chat_id: str | None = None,
    ) -> builtins.list[types.Steering]:
        """The messages that wait, in their order: for the next step of a run, or, where that has ended, for the
        chat's next turn.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: Those of one run,
        :param chat_id: or those of a whole chat.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: builtins.list[types.Steering] = self._ask("runs.queue", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "chatId": chat_id})
        return answer

    def steering(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
    ) -> builtins.list[types.Steering]:
        """All messages that were accepted for a run, in their order, with what has become of each.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: builtins.list[types.Steering] = self._ask("runs.steering", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id})
        return answer

    def take_steering(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
    ) -> builtins.list[types.Steering]:
        """For a host with a loop of its own (``runs.begin``): lets the messages that wait for its run enter before
        the step that it records next, and answers them, to be told to the model. They are in the log then.
        Asking again before the step is recorded answers the same ones.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``, ``LEASE_LOST``
        """
        answer: builtins.list[types.Steering] = self._ask("runs.takeSteering", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id})
        return answer

    def sweep(self) -> int:
        """Settles what dead processes have left, as opening an engine does. Answers how many runs that were."""
        answer: int = self._ask("runs.sweep", {})
        return answer

    def record_step(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        step: types.RunStep,
    ) -> int:
        """Puts a finished step of a host's own loop on disk, and answers its number. Recording a step again by its
        number changes nothing. After ``STORE_UNAVAILABLE`` the step may be recorded again.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :param step: The step.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``, ``LEASE_LOST``
        """
        answer: int = self._ask("runs.recordStep", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "step": step})
        return answer

    def finish(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
        status: types.EndStatus,
        reason: types.RunReason | None = None,
        error: str | None = None,
        finish_reason: types.FinishReason | None = None,
        step: types.RunStep | None = None,
    ) -> None:
        """Ends a run that the host drives. Ending it again the same way changes nothing.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :param status: ``succeeded``, ``failed`` or ``aborted``.
        :param reason: Why it did not succeed; ``internal`` for a run that failed and what it was stopped
            for otherwise, unless given.
        :param error: The error in one line, of a run that failed.
        :param finish_reason: Why the model stopped, unless the last step said it.
        :param step: A last step, or what there was of it, written together with the end.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``, ``LEASE_LOST``
        """
        self._ask("runs.finish", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id, "status": status, "reason": reason, "error": error, "finishReason": finish_reason, "step": step})

    def signal(
        self,
        *,
        workspace_id: str,
        user_id: str,
        run_id: str,
    ) -> types.RunSignal:
        """Waits until the host is to end the loop of its run, and says why.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param run_id: The run.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.RunSignal = self._ask("runs.signal", {"workspaceId": workspace_id, "userId": user_id, "runId": run_id})
        return answer

    def _begin(self, params: _Collected) -> HostedRun:
        raise NotImplementedError

    def begin(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str | None = None,
        message: types.MessageInput | None = None,
        role_id: str | None = None,
        open_page: types.PageRef | None = None,
        trigger: types.Trigger | None = None,
        message_id: str | None = None,
        busy: types.Busy | None = None,
        idempotency_key: str | None = None,
    ) -> HostedRun:
        """Begins a run whose loop is the host's own: ``runs.recordStep`` and ``runs.finish`` drive it. The gate,
        the log, the lease and the stops are the engine's. One that is ``repeated`` had been begun before, with
        the same key, and is not to be driven again.

        :param workspace_id: The workspace.
        :param user_id: The user.
        :param chat_id: The chat; it is created when there is none of this id, and when no id is given.
        :param message: What the user wrote; nothing when the host has stored that itself.
        :param role_id: The role of a chat that is created.
        :param open_page: The page that the user has open: what a client says of it where the engine has the
            host's check of pages, else resolved by the host.
        :param trigger: What begins the run. Default ``"api"``.
        :param message_id: The message that is to be answered anew, or in the place of which the user has
            written; see ``TurnRequest``.
        :param busy: What to do when the chat is busy: refuse, or supersede. The engine cannot begin a
            host's loop later. Default ``"reject"``.
        :param idempotency_key: A second begin of the same user with the same key begins nothing.
        :raises TurnkeepError: ``INVALID_INPUT``, ``FORBIDDEN``, ``NOT_FOUND``, ``A_RUN_ALREADY_ACTIVE``,
        ``SUPERSEDE_INVALID``, ``SUPERSEDE_TARGET_MISMATCH``, ``SUPERSEDE_TIMEOUT``, ``A_RUN_BEGIN_FAILED``,
        ``STORE_UNAVAILABLE``, ``ENGINE_CLOSED``
        """
        return self._begin({"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "message": message, "roleId": role_id, "openPage": open_page, "trigger": trigger, "messageId": message_id, "busy": busy, "idempotencyKey": idempotency_key})


class ChatsOperations(_Asking):
    """Methods of ``chats``."""

    def create(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str | None = None,
        title: str | None = None,
        role_id: str | None = None,
        page_id: str | None = None,
    ) -> types.Chat:
        """A new chat, before anybody has written in it. A turn makes the chat that it is begun in by itself; this
        is for hosts that show a chat before that. One that is there already, and the caller's, is returned as
        it is.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: Its id; one is made up unless given.
        :param title: Its title: 1 to 255 characters.
        :param role_id: Its role, for ever.
        :param page_id: The page that it is about.
        :raises TurnkeepError: ``INVALID_INPUT``, ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Chat = self._ask("chats.create", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "title": title, "roleId": role_id, "pageId": page_id})
        return answer

    def list(
        self,
        *,
        workspace_id: str,
        user_id: str,
        limit: int | None = None,
        cursor: str | None = None,
        before_cursor: str | None = None,
    ) -> types.ChatPage:
        """The user's chats, newest first, a page at a time, each with the name and emoji of its role and the title
        of its page.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param limit: At most so many: 1 to 100; 20 unless given.
        :param cursor: What comes after this cursor, the ``nextCursor`` of a page.
        :param before_cursor: What comes before this cursor, the ``prevCursor`` of a page.
        """
        answer: types.ChatPage = self._ask("chats.list", {"workspaceId": workspace_id, "userId": user_id, "limit": limit, "cursor": cursor, "beforeCursor": before_cursor})
        return answer

    def latest_for_page(
        self,
        *,
        workspace_id: str,
        user_id: str,
        page_id: str,
    ) -> types.Chat | None:
        """The user's newest chat that was created on a page; ``None`` when there is none.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param page_id: The page.
        """
        answer: types.Chat | None = self._ask("chats.latestForPage", {"workspaceId": workspace_id, "userId": user_id, "pageId": page_id})
        return answer

    def rename(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        title: str,
    ) -> types.Chat:
        """Gives a chat another title. The chat as it is then.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param title: 1 to 255 characters, without the white space around them.
        :raises TurnkeepError: ``INVALID_INPUT``, ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Chat = self._ask("chats.rename", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "title": title})
        return answer

    def delete(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
    ) -> None:
        """Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        self._ask("chats.delete", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id})

    def purge(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
    ) -> types.Purged:
        """Removes a chat for good, deleted before or not: its runs are stopped, and then nothing of it is left in
        rows, log, search, or files. A SQLite file is written anew for that, which takes as long as copying it.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Purged = self._ask("chats.purge", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id})
        return answer

    def fork(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        message_id: str | None = None,
        step: int | None = None,
        fork_id: str | None = None,
        title: str | None = None,
    ) -> types.Chat:
        """A chat that has what another one has up to a message, or a step of one, and then goes its own way; with
        its title, its role and its page. Both share what they have: a fork costs next to nothing, however long
        the other chat is. In tables that a host had before, whose own statements know of no forks, it has
        copies. Whatever becomes of either chat, edits and purges too, the other one stays as it is. Of a
        message that is being written the fork has the finished steps.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat that is forked.
        :param message_id: The last message that the fork has, or one of its versions; the newest message
            unless given.
        :param step: The last step of that message that the fork has, from 0; all of them unless given.
        :param fork_id: The fork's id; one is made up unless given.
        :param title: The fork's title: 1 to 255 characters; that of the other chat unless given.
        :raises TurnkeepError: ``INVALID_INPUT``, ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Chat = self._ask("chats.fork", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "messageId": message_id, "step": step, "forkId": fork_id, "title": title})
        return answer

    def get(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
    ) -> types.Chat:
        """One chat: its title, its role, the page that was open when it was created.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: types.Chat = self._ask("chats.get", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id})
        return answer

    def messages(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        limit: int | None = None,
        before: str | None = None,
    ) -> builtins.list[types.Message]:
        """The messages of a chat, oldest first; none of a chat that is not there (yet). A message in progress has
        every finished step.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param limit: Only so many, the newest; all of them unless given.
        :param before: A message's id: only those that are older.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: builtins.list[types.Message] = self._ask("chats.messages", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "limit": limit, "before": before})
        return answer

    def message_page(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        newest_first: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        before_cursor: str | None = None,
    ) -> types.MessagePage:
        """The messages of a chat, a page at a time, by cursors; none of a chat that is not there (yet). A message
        in progress has every finished step.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param newest_first: Begin with the newest message; with the oldest unless given. Default ``false``.
        :param limit: At most so many: 1 to 100; 50 unless given.
        :param cursor: What comes after this cursor, the ``nextCursor`` of a page.
        :param before_cursor: What comes before this cursor, the ``prevCursor`` of a page.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: types.MessagePage = self._ask("chats.messagePage", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "newestFirst": newest_first, "limit": limit, "cursor": cursor, "beforeCursor": before_cursor})
        return answer

    def ui_message_page(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        newest_first: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        before_cursor: str | None = None,
        protocol: types.Protocol | None = None,
    ) -> types.UiMessagePage:
        """As ``chats.messagePage``, with messages as clients of the AI SDK have them.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param newest_first: Begin with the newest message; with the oldest unless given. Default ``false``.
        :param limit: At most so many: 1 to 100; 50 unless given.
        :param cursor: What comes after this cursor, the ``nextCursor`` of a page.
        :param before_cursor: What comes before this cursor, the ``prevCursor`` of a page.
        :param protocol: Which clients the messages are for. Default ``"ai-6"``.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: types.UiMessagePage = self._ask("chats.uiMessagePage", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "newestFirst": newest_first, "limit": limit, "cursor": cursor, "beforeCursor": before_cursor, "protocol": protocol})
        return answer

    def versions(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        message_id: str,
    ) -> builtins.list[types.MessageVersion]:
        """All versions of a message, oldest first: it, and what stood in its place before it was edited or
        generated anew.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param message_id: The message, or any version of it.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: builtins.list[types.MessageVersion] = self._ask("chats.versions", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "messageId": message_id})
        return answer

    def search(
        self,
        *,
        workspace_id: str,
        user_id: str,
        query: str,
        chat_id: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> builtins.list[types.FoundMessage]:
        """The messages of the user's chats that have all words of a query, newest first, each with a line of its
        text. English and Russian words are found in their other forms, too. A message in progress is found once
        it has ended.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param query: Words; everything between them is passed over.
        :param chat_id: In this chat alone.
        :param limit: At most so many: 1 to 100; 20 unless given.
        :param before: A message's id, the last of a page: only those that are older.
        :raises TurnkeepError: ``INVALID_INPUT``, ``FORBIDDEN``
        """
        answer: builtins.list[types.FoundMessage] = self._ask("chats.search", {"workspaceId": workspace_id, "userId": user_id, "query": query, "chatId": chat_id, "limit": limit, "before": before})
        return answer

    def open(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        limit: int | None = None,
        in_progress: types.InProgress | None = None,
    ) -> types.OpenChat:
        """What a page needs to show a chat and to go on with it: messages, and the run that brings what they lack.
        The two fit together, also when the run has ended by the time that it is followed.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param limit: Only so many messages, the newest.
        :param in_progress: What becomes of the message that a run is writing: left out (``omit``), and
            following the run brings all of it; or there with its finished steps (``include``), and the cursor
            is behind them. Default ``"omit"``.
        :raises TurnkeepError: ``FORBIDDEN``
        """
        answer: types.OpenChat = self._ask("chats.open", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "limit": limit, "inProgress": in_progress})
        return answer

    def export(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        format: types.DocumentFormat | None = None,  # noqa: A002
        lang: str | None = None,
        labels: types.ExportLabels | None = None,
    ) -> str:
        """A chat as one document: Markdown to be read, or JSON that ``chats.import`` takes.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat.
        :param format: ``markdown`` (the default) or ``json``.
        :param lang: A language tag; Russian for ``ru…``, English otherwise.
        :param labels: Words of the host's own, in place of the language's.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``
        """
        answer: str = self._ask("chats.export", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "format": format, "lang": lang, "labels": labels})
        return answer

    def import_chat(
        self,
        *,
        workspace_id: str,
        user_id: str,
        document: str,
    ) -> types.Chat:
        """A new chat made of a JSON export. Chat and messages get ids of their own.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param document: The document.
        :raises TurnkeepError: ``INVALID_INPUT``
        """
        answer: types.Chat = self._ask("chats.import", {"workspaceId": workspace_id, "userId": user_id, "document": document})
        return answer


class RolesOperations(_Asking):
    """Methods of ``roles``."""

    def create(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        name: str,
        instructions: str,
        emoji: str | None = None,
        description: str | None = None,
        model_config: types.RoleModelConfig | None = None,
        enabled: bool | None = None,
        auto_start: bool | None = None,
        launch_message: str | None = None,
    ) -> types.AgentRole:
        """Creates a role. Its name must differ from those of the workspace's other roles; lengths are counted in
        characters.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator.
        :param name: At most 200 characters.
        :param instructions: The persona of its chats: at most 20,000 characters. It takes the place of the
            administrators' prompt, inside of the safety frame.
        :param emoji: A sign for lists: at most 32 characters.
        :param description: What it is for: at most 2,000 characters.
        :param model_config: The model that its chats get, in place of the workspace's.
        :param enabled: Whether chats may be begun with it; true unless given.
        :param auto_start: Whether a client sends the launch message by itself when a chat is begun with the
            role; true unless given.
        :param launch_message: What a client sends to begin with: at most 2,000 characters.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``, ``ROLE_NAME_TAKEN``
        """
        answer: types.AgentRole = self._ask("roles.create", {"workspaceId": workspace_id, "actor": actor, "name": name, "instructions": instructions, "emoji": emoji, "description": description, "modelConfig": model_config, "enabled": enabled, "autoStart": auto_start, "launchMessage": launch_message})
        return answer

    def update(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        role_id: str,
        name: str | None = None,
        emoji: str | None = None,
        description: str | None = None,
        instructions: str | None = None,
        model_config: types.RoleModelConfig | None = None,
        enabled: bool | None = None,
        auto_start: bool | None = None,
        launch_message: str | None = None,
    ) -> types.AgentRole:
        """Changes a role. What is not given stays; blank text clears what a role may be without, and so does an
        empty model. Chats that have the role follow the change with their next turn.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator.
        :param role_id: The role.
        :param name: At most 200 characters, not blank.
        :param emoji: A sign for lists: at most 32 characters.
        :param description: What it is for: at most 2,000 characters.
        :param instructions: The persona of its chats: at most 20,000 characters, not blank.
        :param model_config: The model that its chats get, in place of the workspace's.
        :param enabled: Whether chats may be begun with it.
        :param auto_start: Whether a client sends the launch message by itself when a chat is begun with the
            role.
        :param launch_message: What a client sends to begin with: at most 2,000 characters.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``, ``INVALID_INPUT``, ``ROLE_NAME_TAKEN``
        """
        answer: types.AgentRole = self._ask("roles.update", {"workspaceId": workspace_id, "actor": actor, "roleId": role_id, "name": name, "emoji": emoji, "description": description, "instructions": instructions, "modelConfig": model_config, "enabled": enabled, "autoStart": auto_start, "launchMessage": launch_message})
        return answer

    def delete(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        role_id: str,
    ) -> None:
        """Deletes a role. Chats that have it keep its id and go on without it; its name may be used again.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator.
        :param role_id: The role.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``
        """
        self._ask("roles.delete", {"workspaceId": workspace_id, "actor": actor, "roleId": role_id})

    def list(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
    ) -> builtins.list[types.ShownRole]:
        """The workspace's roles in the order in which they were created, disabled ones included: whole for
        administrators, and for everybody else what it takes to choose one.

        :param workspace_id: The workspace.
        :param actor: Who asks.
        """
        answer: builtins.list[types.ShownRole] = self._ask("roles.list", {"workspaceId": workspace_id, "actor": actor})
        return answer

    def get(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        role_id: str,
    ) -> types.ShownRole:
        """One role, as ``roles.list`` has it.

        :param workspace_id: The workspace.
        :param actor: Who asks.
        :param role_id: The role.
        :raises TurnkeepError: ``NOT_FOUND``
        """
        answer: types.ShownRole = self._ask("roles.get", {"workspaceId": workspace_id, "actor": actor, "roleId": role_id})
        return answer

    def export_bundle(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        role_ids: Sequence[str] | None = None,
    ) -> str:
        """Roles as one document (YAML) that ``roles.importBundle`` takes, there or in another workspace. It has no
        ids.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator.
        :param role_ids: Only these; all roles of the workspace unless given.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``, ``PAYLOAD_TOO_LARGE``
        """
        answer: str = self._ask("roles.exportBundle", {"workspaceId": workspace_id, "actor": actor, "roleIds": role_ids})
        return answer

    def import_bundle(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        bundle: str,
        existing: types.ExistingRoles | None = None,
    ) -> builtins.list[types.ImportedRole]:
        """Creates the roles of a document (YAML, at most 1 MiB and 1,000 roles), all of them or none. What is
        wrong in it is named by its path, such as ``bundle.roles[2].name``. Anchors, aliases and tags are not
        taken.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator.
        :param bundle: The document.
        :param existing: What becomes of a role whose name another one has. Default ``"fail"``.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``, ``PAYLOAD_TOO_LARGE``, ``ROLE_NAME_TAKEN``
        """
        answer: builtins.list[types.ImportedRole] = self._ask("roles.importBundle", {"workspaceId": workspace_id, "actor": actor, "bundle": bundle, "existing": existing})
        return answer


class ProvenanceOperations(_Asking):
    """Methods of ``provenance``."""

    def sign(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str,
        run_id: str | None = None,
        audience: str | None = None,
        ttl_ms: int | None = None,
    ) -> types.SignedProvenance:
        """Signs a short-lived claim that whoever has it acts for the agent of this chat, for hosts whose other
        endpoints mark what agents do. The engine needs its ``appSecret``.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param chat_id: The chat; it must be the user's.
        :param run_id: A run of the chat.
        :param audience: Who is to take the claim: at most 255 bytes; ``turnkeep`` unless given.
        :param ttl_ms: How long it holds, in milliseconds: 300000 unless given, from 1000 to 86400000.
            Rounded down to whole seconds.
        :raises TurnkeepError: ``NOT_FOUND``, ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.SignedProvenance = self._ask("provenance.sign", {"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "runId": run_id, "audience": audience, "ttlMs": ttl_ms})
        return answer

    def verify(
        self,
        *,
        token: str,
        audience: str | None = None,
    ) -> types.Provenance:
        """What a claim says that was signed with this engine's ``appSecret``, or with a previous one. A claim that
        is not taken is ``FORBIDDEN``, with ``details.reason``: ``malformed``, ``signature``, ``audience`` or
        ``expired``. Nothing is looked up: the chat may have been deleted since.

        :param token: As ``provenance.sign`` has made it.
        :param audience: Whom the claim must have been signed for; ``turnkeep`` unless given.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.Provenance = self._ask("provenance.verify", {"token": token, "audience": audience})
        return answer


class SearchOperations(_Asking):
    """Methods of ``search``."""

    def index(
        self,
        *,
        workspace_id: str,
        page: types.PageToIndex,
        force: bool | None = None,
    ) -> types.IndexedNow:
        """Indexes a page, in the place of what was there of it: its chunks, under the headings that lead to them,
        with vectors by the workspace's embedding model. A page without text, or in the trash, is removed. What
        is there stays, and nothing is asked of the provider, where it was made of the same by the same model.

        :param workspace_id: The workspace.
        :param page: The page.
        :param force: Index it even if it is unchanged. Default ``false``.
        :raises TurnkeepError: ``INVALID_INPUT``, ``PAYLOAD_TOO_LARGE``, ``EMBEDDING_NOT_CONFIGURED``,
        ``PROVIDER_ERROR``
        """
        answer: types.IndexedNow = self._ask("search.index", {"workspaceId": workspace_id, "page": page, "force": force})
        return answer

    def reindex(
        self,
        *,
        workspace_id: str,
        pages: Sequence[types.PageToIndex],
        force: bool | None = None,
    ) -> types.Reindexed:
        """Indexes pages as ``search.index`` does, several to one request of the provider's. A page that fails
        costs the others nothing, and is listed. A host that goes through all of its pages makes one call after
        another: their answers are its progress, and it may stop between any two.

        :param workspace_id: The workspace.
        :param pages: The pages: at most 100, each once.
        :param force: Index them even if they are unchanged. Default ``false``.
        :raises TurnkeepError: ``INVALID_INPUT``, ``EMBEDDING_NOT_CONFIGURED``, ``PROVIDER_ERROR``
        """
        answer: types.Reindexed = self._ask("search.reindex", {"workspaceId": workspace_id, "pages": pages, "force": force})
        return answer

    def remove(
        self,
        *,
        workspace_id: str,
        page_id: str | None = None,
        everything: bool | None = None,
    ) -> types.RemovedChunks:
        """Removes a page from the index, or everything of the workspace.

        :param workspace_id: The workspace.
        :param page_id: The page.
        :param everything: All pages, in the place of ``pageId``. Default ``false``.
        :raises TurnkeepError: ``INVALID_INPUT``
        """
        answer: types.RemovedChunks = self._ask("search.remove", {"workspaceId": workspace_id, "pageId": page_id, "everything": everything})
        return answer

    def status(
        self,
        *,
        workspace_id: str,
    ) -> types.IndexStatus:
        """What there is of a workspace in the index, and by which models. Vectors of another model than the
        workspace has now are not compared: such pages are found by their words until they are indexed anew.

        :param workspace_id: The workspace.
        """
        answer: types.IndexStatus = self._ask("search.status", {"workspaceId": workspace_id})
        return answer

    def query(
        self,
        *,
        workspace_id: str,
        user_id: str,
        query: str,
        page_ids: Sequence[str] | None = None,
        space_ids: Sequence[str] | None = None,
        mode: types.SearchMode | None = None,
        limit: int | None = None,
        candidates: int | None = None,
    ) -> types.SearchAnswer:
        """The chunks that answer a question best, by meaning and by words, of the pages that the user may read.
        The host says which: by ``pageIds``, by ``spaceIds``, or by both, and then a page must be in both. From
        an empty list nothing is found. Without an embedding model the words count alone, and the answer says
        so.

        :param workspace_id: The workspace.
        :param user_id: The user who asks.
        :param query: What is looked for: at most 8,000 characters.
        :param page_ids: Only in these pages: at most 100,000.
        :param space_ids: Only in pages of these spaces: at most 100,000.
        :param mode: ``text``: by words alone, without a request to the provider. ``hybrid``: by both or not
            at all.
        :param limit: At most so many hits: 1 to 100; 10 unless given.
        :param candidates: So many chunks of each of the two rankings count: 1 to 1,000; 50 unless given.
        :raises TurnkeepError: ``INVALID_INPUT``, ``PROVIDER_ERROR``, ``EMBEDDING_NOT_CONFIGURED``
        """
        answer: types.SearchAnswer = self._ask("search.query", {"workspaceId": workspace_id, "userId": user_id, "query": query, "pageIds": page_ids, "spaceIds": space_ids, "mode": mode, "limit": limit, "candidates": candidates})
        return answer


class SettingsOperations(_Asking):
    """Methods of ``settings``."""

    def get(self, workspace_id: str, actor: types.Actor | None = None) -> types.WorkspaceSettings:
        """A workspace's settings, for its administrators; of keys only whether they are set.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.WorkspaceSettings = self._ask("settings.get", {"workspaceId": workspace_id, "actor": actor})
        return answer

    def update(self, workspace_id: str, patch: types.SettingsPatch, actor: types.Actor | None = None) -> types.WorkspaceSettings:
        """Changes a workspace's settings and keys, all or nothing, and answers them as ``settings.get`` does. To
        set keys, the engine needs its ``appSecret``.

        :param workspace_id: The workspace.
        :param patch: The change.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.WorkspaceSettings = self._ask("settings.update", {"workspaceId": workspace_id, "settings": patch, "actor": actor})
        return answer

    def test(self, workspace_id: str, capability: types.Capability | None = None, actor: types.Actor | None = None, provider: types.ProviderChoice | None = None) -> types.SettingsTest:
        """Tries what a workspace has configured, or a provider that it could have, with the cheapest request that
        there is.

        :param workspace_id: The workspace.
        :param capability: What is tried. Default ``"chat"``.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :param provider: What is tried instead of what the workspace has configured; ``model`` is that of
            the capability. It is stored nowhere.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.SettingsTest = self._ask("settings.test", {"workspaceId": workspace_id, "capability": capability, "actor": actor, "provider": provider})
        return answer


class EngineOperations(_Asking):
    """Methods of ``engine``."""

    @classmethod
    def _open(cls, options: _Collected, tools: Sequence[Tool]) -> Self:
        raise NotImplementedError

    def _start_turn(self, request: _Collected, tools: Sequence[Tool] | None) -> Turn:
        raise NotImplementedError

    @classmethod
    def open(
        cls,
        *,
        store: str | os.PathLike[str],
        instance_id: str | None = None,
        app_secret: str | None = None,
        previous_app_secrets: Sequence[str] | None = None,
        secrets: types.SecretOptions | None = None,
        runs: types.RunLimits | None = None,
        providers: types.Providers | None = None,
        prompt: types.PromptOptions | None = None,
        http: types.HttpOptions | None = None,
        mcp: types.McpOptions | None = None,
        docmost: types.DocmostOptions | None = None,
        requests: types.RequestLimits | None = None,
        generate_chat_titles: bool | None = None,
        chats: types.ChatOptions | None = None,
        settings: types.SettingsOptions | None = None,
        features: types.FeatureGates | None = None,
        limits: types.UsageLimits | None = None,
        prices: types.Prices | None = None,
        usage: types.UsageOptions | None = None,
        error_text: types.ErrorText | Callable[[types.RunFailure], str | None] | None = None,
        tools: Sequence[Tool] = (),
    ) -> Self:
        """Opens the store and settles what dead processes left in it.

        :param store: ``sqlite:PATH``, ``sqlite::memory:`` or ``postgres://…``.
        :param instance_id: What this process is called in leases; every opening adds a unique part of its
            own. On PostgreSQL, what the same instance has left when it died is free as soon as it comes back.
        :param app_secret: The secret that stored keys are sealed with. Without it no keys can be stored.
        :param previous_app_secrets: Application secrets of before: what is sealed with them is read, and
            sealed anew with ``appSecret`` in the background.
        :param secrets: How keys are kept.
        :param runs: Limits of runs.
        :param providers: The providers, by name.
        :param prompt: What goes into every system prompt.
        :param http: How providers are reached.
        :param mcp: How the tool servers of workspaces are used.
        :param docmost: How Docmost servers are used, by turns that have them.
        :param requests: Limits of single requests.
        :param generate_chat_titles: Name chats that have no name after their first turn has succeeded,
            whoever drove it, by a second request to the workspace's model. Default ``false``.
        :param chats: How chats are treated.
        :param settings: Who may ask for workspaces' settings.
        :param features: What becomes of what a workspace has switched off: ``enforce``, ``strict`` or
            ``report``. Default ``"enforce"``.
        :param limits: What users and workspaces may use, counted in the store for all processes together.
        :param prices: What models cost, by their ids: for budgets of money, and for reports.
        :param usage: How the ledger of calls to providers is kept.
        :param error_text: In whose words pages are told why a run failed: ``safe``, or ``provider``. The
            outcome, the rows and the log have what the provider said in any case. Default ``"safe"``.
        :param tools: Tools for every turn; a turn's own tool of the same name takes the place of one of
            these.
        :raises TurnkeepError: ``INVALID_INPUT``, ``STORE_UNAVAILABLE``
        """
        return cls._open({"store": store, "instanceId": instance_id, "appSecret": app_secret, "previousAppSecrets": previous_app_secrets, "secrets": secrets, "runs": runs, "providers": providers, "prompt": prompt, "http": http, "mcp": mcp, "docmost": docmost, "requests": requests, "generateChatTitles": generate_chat_titles, "chats": chats, "settings": settings, "features": features, "limits": limits, "prices": prices, "usage": usage, "errorText": error_text}, tools)

    def start_turn(
        self,
        *,
        workspace_id: str,
        user_id: str,
        chat_id: str | None = None,
        message: types.MessageInput | None = None,
        role_id: str | None = None,
        open_page: types.PageRef | None = None,
        page_tool: bool | None = None,
        mcp_tools: bool | None = None,
        docmost: types.DocmostAccess | None = None,
        provider: types.ProviderChoice | None = None,
        detached: bool | None = None,
        trigger: types.Trigger | None = None,
        message_id: str | None = None,
        busy: types.Busy | None = None,
        idempotency_key: str | None = None,
        offered_tools: Sequence[str] | None = None,
        holds_chat: bool | None = None,
        workspace_name: str | None = None,
        mcp_instructions: Sequence[types.McpGuidance] | None = None,
        extra_rules: Sequence[str] | None = None,
        extra_system: str | None = None,
        max_steps: int | None = None,
        model: str | None = None,
        options: types.CallOptions | None = None,
        budget: types.RunBudget | None = None,
        protocol: types.Protocol | None = None,
        format: types.StreamFormat | None = None,  # noqa: A002
        resumable: bool | None = None,
        retries: types.TurnRetries | None = None,
        taint: types.TaintMode | None = None,
        taint_allow: Sequence[types.AllowRule] | None = None,
        fallbacks: Sequence[types.FallbackModel] | None = None,
        history: Sequence[types.GivenMessage] | None = None,
        stateless: types.Stateless | None = None,
        tools: Sequence[Tool] | None = None,
    ) -> Turn:
        """Begins a turn: the user's message is stored, the run holds the chat, the model is called. When it
        raises, nothing was stored and no provider was called.

        :param workspace_id: The workspace.
        :param user_id: The user.
        :param chat_id: The chat; it is created when there is none of this id, and when no id is given.
        :param message: What the user wrote. It is passed over where an answer is generated anew, and needed
            otherwise.
        :param role_id: The role of a chat that is created; a chat keeps the role that it was created with.
        :param open_page: The page that the user has open: what a client says of it where the engine has the
            host's check of pages, else resolved by the host.
        :param page_tool: Give the model the tool ``getCurrentPage``, which answers ``{page: {id, title}}``,
            or ``{page: ``None``}`` where no page is open. A tool of the host's own that is named so takes its
            place. Default ``false``.
        :param mcp_tools: Give the model the tools of the workspace's enabled tool servers (``mcp.create``),
            named after their servers, with what the administrators say about them. Tools of the host's own that
            are named so take their place. A server that cannot be used is missing, and told in the outcome's
            ``warnings``. Default ``false``.
        :param docmost: Give the model tools for a Docmost server, by which it finds, reads and changes
            pages as the user, and ``getCurrentPage``. Tools of the host's own that are named so take their
            place.
        :param provider: The provider; without it the one named ``default``, or the only one.
        :param detached: ``false``: the run stops when its last reader goes away. Default ``true``.
        :param trigger: What begins the turn. Default ``"user"``.
        :param message_id: As the AI SDK's clients send it. With ``regenerate-message``: the answer that is
            to be generated anew, or the user's message that is to be answered anew; the newest answer unless
            given. Otherwise: the user's message that this one is written in the place of, with everything after
            it. What was there before stays as a version.
        :param busy: What to do when the chat is busy. Default ``"reject"``.
        :param idempotency_key: A second turn of the same user with the same key begins nothing and follows
            the first.
        :param offered_tools: Names of tools that engines offer (``offer_tools``), instead of ``tools``.
            Such a run is driven by any engine that offers all of them: this one if it does, else the first that
            takes it, and another one when that engine is closed or its process dies. Its model is the one that
            its workspace and role, or that engine's options, say.
        :param holds_chat: Whether a run that waits for somebody's answer still holds its chat. ``false``:
            other turns may begin there meanwhile, and it goes on when the chat is free. Only with
            ``offeredTools``: other runs cannot wait. Default ``true``.
        :param workspace_name: The workspace's name, instead of ``prompt.workspaceName``.
        :param mcp_instructions: Guidance for tools of connected servers, between the rules that nothing can
            remove.
        :param extra_rules: Rules that join the safety text, after those of ``prompt.extraRules``.
        :param extra_system: What else the host has to say to the model, between the rules that nothing can
            remove.
        :param max_steps: Model calls in this turn, the last of which is text only; ``runs.maxSteps`` unless
            given. 1 to 1000.
        :param model: Another model of the provider that answers.
        :param options: How the model is to answer in this turn; what is not set is as the provider's
            settings say.
        :param budget: What this turn may spend. Once that is spent the run ends between two steps, as
            ``aborted`` with the reason ``budget``; when four fifths of it are, the model is asked for its last
            answer.
        :param protocol: ``ai-6`` (the default) or ``ai-7``: what readers of this turn are told. Clients of
            version 7 of the AI SDK are told of steps that are withdrawn, of messages that join the run, and of
            what else only they know, by chunks of their own. Default ``"ai-6"``.
        :param format: ``ui`` (the default), or ``ag-ui``: events of AG-UI 1.0 instead of chunks of the AI
            SDK. Default ``"ui"``.
        :param resumable: Every event of this turn's streams over HTTP has a place, its ``id``, from the
            first one on: what streams goes to disk as it streams. Otherwise that begins with the step after
            such a stream is first read. Default ``false``.
        :param retries: How often what fails is asked for again.
        :param taint: What becomes of calls that change something once the turn has read content from
            outside, instead of ``runs.taint``: ``off``, ``ask`` or ``refuse``.
        :param taint_allow: Calls that the turn may make all the same.
        :param fallbacks: The models that are asked when the turn's own fails and asking it again is no use,
            in order: at most 10. Which one answers is told in the stream and stays in the message, as a part
            ``data-model``.
        :param history: What was said before, oldest first, where the host keeps that itself: the model is
            told this instead of the chat's stored messages.
        :param stateless: Nothing of the turn is stored but its record (``runs.getStateless``) and what it
            uses: no chat, no message, no log. It is told ``history``, and streams, stops and is limited as any
            other; its ids are those of no chat.
        :param tools: Tools of this turn, besides those of the engine.
        :raises TurnkeepError: ``INVALID_INPUT``, ``AI_NOT_CONFIGURED``, ``FORBIDDEN``, ``NOT_FOUND``,
        ``A_RUN_ALREADY_ACTIVE``, ``SUPERSEDE_INVALID``, ``SUPERSEDE_TARGET_MISMATCH``,
        ``SUPERSEDE_TIMEOUT``, ``A_RUN_BEGIN_FAILED``, ``STORE_UNAVAILABLE``, ``ENGINE_CLOSED``
        """
        return self._start_turn({"workspaceId": workspace_id, "userId": user_id, "chatId": chat_id, "message": message, "roleId": role_id, "openPage": open_page, "pageTool": page_tool, "mcpTools": mcp_tools, "docmost": docmost, "provider": provider, "detached": detached, "trigger": trigger, "messageId": message_id, "busy": busy, "idempotencyKey": idempotency_key, "offeredTools": offered_tools, "holdsChat": holds_chat, "workspaceName": workspace_name, "mcpInstructions": mcp_instructions, "extraRules": extra_rules, "extraSystem": extra_system, "maxSteps": max_steps, "model": model, "options": options, "budget": budget, "protocol": protocol, "format": format, "resumable": resumable, "retries": retries, "taint": taint, "taintAllow": taint_allow, "fallbacks": fallbacks, "history": history, "stateless": stateless}, tools)

    def rotate_secrets(
        self,
        *,
        dry_run: bool | None = None,
    ) -> types.SecretRotation:
        """Seals stored keys anew under the engine's ``appSecret``, in the form of its option ``secrets.write``. On
        a database of turnkeep's own that also happens by itself after opening; on an adopted one nothing is
        rewritten but by this call.

        :param dry_run: Tell how many keys it would touch, and touch none. Default ``false``.
        :raises TurnkeepError: ``INVALID_INPUT``
        """
        answer: types.SecretRotation = self._ask("secrets.rotate", {"dryRun": dry_run})
        return answer

    def embed(
        self,
        *,
        workspace_id: str,
        texts: Sequence[str],
        provider: types.ProviderChoice | None = None,
    ) -> builtins.list[builtins.list[float]]:
        """Vectors for texts, in their order, by the workspace's embedding model.

        :param workspace_id: The workspace.
        :param texts: The texts.
        :param provider: Who makes them instead of whom the workspace's settings name: ``model`` is the
            embedding model. It is stored nowhere.
        :raises TurnkeepError: ``INVALID_INPUT``, ``EMBEDDING_NOT_CONFIGURED``, ``PROVIDER_ERROR``
        """
        answer: builtins.list[builtins.list[float]] = self._ask("embed", {"workspaceId": workspace_id, "texts": texts, "provider": provider})
        return answer

    def transcribe(
        self,
        *,
        workspace_id: str,
        audio: bytes | bytearray | memoryview,
        mime: str,
        provider: types.ProviderChoice | None = None,
    ) -> str:
        """What is said in a recording of at most 25 MiB; empty text when nothing is said.

        :param workspace_id: The workspace.
        :param audio: The recording, in base64.
        :param mime: Its media type, such as ``audio/webm``.
        :param provider: Who transcribes instead of whom the workspace's settings name: an ``openai`` or
            ``openai-compatible`` service, ``model`` being its speech-to-text model. It is stored nowhere.
        :raises TurnkeepError: ``FORBIDDEN``, ``PAYLOAD_TOO_LARGE``, ``UNSUPPORTED_MEDIA``,
        ``STT_NOT_CONFIGURED``, ``PROVIDER_ERROR``
        """
        answer: str = self._ask("transcribe", {"workspaceId": workspace_id, "audio": audio, "mime": mime, "provider": provider})
        return answer

    def generate_title(
        self,
        *,
        workspace_id: str,
        content: str,
        provider: types.ProviderChoice | None = None,
    ) -> str:
        """A title for a page with this content. Nothing is stored.

        :param workspace_id: The workspace.
        :param content: The page's text.
        :param provider: Who answers instead of whom the workspace's settings name. It is stored nowhere.
        :raises TurnkeepError: ``FORBIDDEN``, ``AI_NOT_CONFIGURED``, ``PROVIDER_ERROR``
        """
        answer: str = self._ask("generateTitle", {"workspaceId": workspace_id, "content": content, "provider": provider})
        return answer

    def health(self) -> types.Health:
        """How the engine is; asks the store. A store that does not answer is not an error: ``ok`` is false then."""
        answer: types.Health = self._ask("health", {})
        return answer


class McpOperations(_Asking):
    """Methods of ``mcp``."""

    def create(
        self,
        *,
        workspace_id: str,
        name: str,
        transport: types.McpTransport,
        url: str,
        actor: types.Actor | None = None,
        headers: Mapping[str, str] | None = None,
        tool_allowlist: Sequence[str] | None = None,
        instructions: str | None = None,
        enabled: bool | None = None,
    ) -> types.McpServerView:
        """Adds a tool server whose tools turns of the workspace may have (``mcpTools``). Its address must be a
        public one, or one that the option ``http.allowPrivate`` has; that is looked at here, and again whenever
        a connection is made.

        :param workspace_id: The workspace.
        :param name: What it is called: at most 200 characters. Its tools' names begin with it.
        :param transport: ``http`` (streamable HTTP), ``sse`` (what servers had before that), or ``stdio``:
            a program of the option ``mcp.programs``.
        :param url: Its address: at most 2,048 bytes. With ``stdio`` the name of the program.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :param headers: Headers that go with every request. They are kept sealed, for which the engine needs
            its ``appSecret``, and shown by their names only. Blank ones are none.
        :param tool_allowlist: The tools that may be used, by the server's own names; all when there are
            none.
        :param instructions: Guidance for the model, which is told it when the server contributes a tool: at
            most 4,000 characters.
        :param enabled: Whether its tools are offered; true unless given.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.McpServerView = self._ask("mcp.create", {"workspaceId": workspace_id, "name": name, "transport": transport, "url": url, "actor": actor, "headers": headers, "toolAllowlist": tool_allowlist, "instructions": instructions, "enabled": enabled})
        return answer

    def update(
        self,
        *,
        workspace_id: str,
        server_id: str,
        actor: types.Actor | None = None,
        name: str | None = None,
        transport: types.McpTransport | None = None,
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
        tool_allowlist: Sequence[str] | None = None,
        instructions: str | None = None,
        enabled: bool | None = None,
    ) -> types.McpServerView:
        """Changes a tool server. What is not given stays; an address that is given as it was shown counts as not
        given.

        :param workspace_id: The workspace.
        :param server_id: The server.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :param name: What it is called: at most 200 characters.
        :param transport: ``http``, ``sse`` or ``stdio``.
        :param url: Its address: at most 2,048 bytes. Where it leads to another place, headers must be given
            again, unless the option ``secrets.bindToAddress`` is off.
        :param headers: The headers from now on, all of them; ``{}`` or ``None`` for none.
        :param tool_allowlist: The tools that may be used, by the server's own names; all when there are
            none.
        :param instructions: Guidance for the model: at most 4,000 characters; ``None`` or blank for none.
        :param enabled: Whether its tools are offered.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``, ``INVALID_INPUT``
        """
        answer: types.McpServerView = self._ask("mcp.update", {"workspaceId": workspace_id, "serverId": server_id, "actor": actor, "name": name, "transport": transport, "url": url, "headers": headers, "toolAllowlist": tool_allowlist, "instructions": instructions, "enabled": enabled})
        return answer

    def delete(
        self,
        *,
        workspace_id: str,
        server_id: str,
        actor: types.Actor | None = None,
    ) -> None:
        """Deletes a tool server. Turns that are under way keep its tools until they end.

        :param workspace_id: The workspace.
        :param server_id: The server.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``
        """
        self._ask("mcp.delete", {"workspaceId": workspace_id, "serverId": server_id, "actor": actor})

    def list(
        self,
        *,
        workspace_id: str,
        actor: types.Actor | None = None,
    ) -> builtins.list[types.McpServerView]:
        """The workspace's tool servers in the order in which they were created, disabled ones included. Of headers
        there are the names, and what looks like a secret in an address is masked.

        :param workspace_id: The workspace.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: builtins.list[types.McpServerView] = self._ask("mcp.list", {"workspaceId": workspace_id, "actor": actor})
        return answer

    def test(
        self,
        *,
        workspace_id: str,
        server_id: str,
        actor: types.Actor | None = None,
    ) -> types.McpTested:
        """Tries a tool server: whether it answers, and with which tools. A disabled one may be tried, too.

        :param workspace_id: The workspace.
        :param server_id: The server.
        :param actor: Who acts: an administrator. It may be left out unless the option ``settings.actor`` is
            ``required``.
        :raises TurnkeepError: ``FORBIDDEN``, ``NOT_FOUND``
        """
        answer: types.McpTested = self._ask("mcp.test", {"workspaceId": workspace_id, "serverId": server_id, "actor": actor})
        return answer


class UsageOperations(_Asking):
    """Methods of ``usage``."""

    def report(
        self,
        *,
        workspace_id: str,
        actor: types.Actor,
        user_id: str | None = None,
        chat_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        by: Sequence[types.UsageBy] | None = None,
    ) -> types.UsageReport:
        """What calls to providers have used in a workspace, and what that costs by the option ``prices``: those of
        runs, one for each step, also of stopped ones, and those for titles, vectors and transcripts. Whoever is
        no administrator sees their own.

        :param workspace_id: The workspace.
        :param actor: Who asks.
        :param user_id: The calls of one user: an administrator may name any, others themselves.
        :param chat_id: The calls for one chat.
        :param since: Calls from this moment on, such as ``2026-01-01T00:00:00Z``.
        :param until: Calls before this moment.
        :param by: What is told apart; nothing unless given, and then there is one line at most.
        :raises TurnkeepError: ``FORBIDDEN``, ``INVALID_INPUT``
        """
        answer: types.UsageReport = self._ask("usage.report", {"workspaceId": workspace_id, "actor": actor, "userId": user_id, "chatId": chat_id, "since": since, "until": until, "by": by})
        return answer
