/*
 * turnkeep: durable, server-side runs for AI-agent chats.
 *
 * ffi/README.md in turnkeep's repository holds the rules that all of these functions follow: what NULL does, who
 * frees what, which threads may call what, and what the status codes mean.
 */

#ifndef TURNKEEP_H
#define TURNKEEP_H

/* Generated from ffi/src by cbindgen. Changes made here are overwritten. */

#include <stddef.h>
#include <stdint.h>

/** The version of this header. turnkeep_version() tells that of the library. */
#define TURNKEEP_VERSION "0.1.0"
#define TURNKEEP_VERSION_MAJOR 0
#define TURNKEEP_VERSION_MINOR 1
#define TURNKEEP_VERSION_PATCH 0

/**
 * It worked; the outputs are written.
 */
#define TURNKEEP_OK 0

/**
 * There is nothing more to come, or the result of a pure function is what JavaScript calls undefined. Not an error; no
 * output is written.
 */
#define TURNKEEP_DONE 1

/**
 * The time is up, and the call may be repeated. Not an error; no output is written.
 */
#define TURNKEEP_TIMEOUT 2

/**
 * A pointer is NULL, a text is not UTF-8 or not JSON, or a field is missing or wrong; the message names it.
 */
#define TURNKEEP_INVALID_INPUT 1001

/**
 * The thing belongs to somebody else.
 */
#define TURNKEEP_FORBIDDEN 1002

/**
 * There is no such thing.
 */
#define TURNKEEP_NOT_FOUND 1003

/**
 * The payload is over its documented limit.
 */
#define TURNKEEP_PAYLOAD_TOO_LARGE 1004

/**
 * The media type is not on the list.
 */
#define TURNKEEP_UNSUPPORTED_MEDIA 1005

/**
 * There is no such thing yet, such as generating an answer anew.
 */
#define TURNKEEP_NOT_SUPPORTED 1006

/**
 * Another run is active in the chat; details.activeRunId names it.
 */
#define TURNKEEP_A_RUN_ALREADY_ACTIVE 2001

/**
 * The run could not be written.
 */
#define TURNKEEP_A_RUN_BEGIN_FAILED 2002

/**
 * Another process owns the run now.
 */
#define TURNKEEP_LEASE_LOST 2003

/**
 * A run other than the one to supersede is active.
 */
#define TURNKEEP_SUPERSEDE_TARGET_MISMATCH 2004

/**
 * The run to supersede did not settle in time.
 */
#define TURNKEEP_SUPERSEDE_TIMEOUT 2005

/**
 * The run to supersede is not a run of this chat.
 */
#define TURNKEEP_SUPERSEDE_INVALID 2006

/**
 * A message of this id is in the chat already.
 */
#define TURNKEEP_MESSAGE_EXISTS 2007

/**
 * The store cannot be reached or written.
 */
#define TURNKEEP_STORE_UNAVAILABLE 3001

/**
 * The engine is shutting down or closed.
 */
#define TURNKEEP_ENGINE_CLOSED 3002

/**
 * A stored secret cannot be read with the application secret in use.
 */
#define TURNKEEP_SECRET_UNREADABLE 3003

/**
 * No usable chat provider is configured.
 */
#define TURNKEEP_AI_NOT_CONFIGURED 4001

/**
 * No usable embedding provider is configured.
 */
#define TURNKEEP_EMBEDDING_NOT_CONFIGURED 4002

/**
 * No usable speech-to-text provider is configured.
 */
#define TURNKEEP_STT_NOT_CONFIGURED 4003

/**
 * The provider refused or failed.
 */
#define TURNKEEP_PROVIDER_ERROR 4004

/**
 * Too many requests in a window.
 */
#define TURNKEEP_RATE_LIMITED 4005

/**
 * The budget of the window is spent.
 */
#define TURNKEEP_BUDGET_EXHAUSTED 4006

/**
 * A bug in turnkeep.
 */
#define TURNKEEP_INTERNAL 9001

/**
 * The version of the binary interface. It is the number at the end of the shared library's name and rises with every
 * change that a compiled program could notice, other than additions.
 */
#define TURNKEEP_ABI_VERSION 0

/**
 * An engine on a store, with threads of its own.
 *
 * Any number of threads may use it at once. turnkeep_engine_free() must be the last call with it, and no other call
 * with it may be in progress; turns and tool calls of the engine may be in use meanwhile and remain valid afterwards.
 */
typedef struct turnkeep_engine turnkeep_engine;

/**
 * What went wrong. A function that fails writes one to its last parameter, unless that is NULL; turnkeep_error_free()
 * gives it back. It does not change, so any number of threads may read it.
 */
typedef struct turnkeep_error turnkeep_error;

/**
 * An export that is read in pieces, so that memory does not grow with the chat.
 *
 * Any number of threads may use it at once; each piece goes to one of them. turnkeep_export_free() must be the last call
 * with it, and no other call with it may be in progress. Its engine must still be open while it is read.
 */
typedef struct turnkeep_export turnkeep_export;

/**
 * A place in the log of a run, which any process may have begun.
 *
 * Any number of threads may use it at once; they share the one place, and each chunk goes to one of them.
 * turnkeep_tail_free() must be the last call with it, and no other call with it may be in progress. Its engine must
 * still be open while it is read.
 */
typedef struct turnkeep_tail turnkeep_tail;

/**
 * A call of a tool that waits for its answer.
 *
 * Any thread may use it, but only one at a time. It remains valid after its turn and its engine have been freed.
 */
typedef struct turnkeep_tool_call turnkeep_tool_call;

/**
 * A turn that was begun, and a place in its chunks.
 *
 * Any number of threads may use it at once; several that call turnkeep_turn_next() share the one place, and each chunk
 * goes to one of them. turnkeep_turn_free() must be the last call with it, and no other call with it may be in
 * progress. It remains valid after its engine has been freed: the chunks so far and the outcome can still be read.
 */
typedef struct turnkeep_turn turnkeep_turn;

/**
 * A text that turnkeep has made and that turnkeep_bytes_free() gives back. It is UTF-8 and may hold NULs when it is not
 * JSON; one more NUL, which `len` does not count, follows it.
 */
typedef struct turnkeep_bytes {
    /**
     * The first byte.
     */
    const char *data;
    /**
     * How many bytes there are.
     */
    size_t len;
} turnkeep_bytes;

/**
 * What a function that can fail returns: TURNKEEP_OK, one of the other outcomes below 1000, or the number of an error.
 * Numbers never change their meaning; new ones may be added.
 */
typedef int32_t turnkeep_status;

/**
 * Takes a tool call over. It must end in exactly one of turnkeep_tool_call_respond(), turnkeep_tool_call_fail() and
 * turnkeep_tool_call_free(), by any thread, during the callback or later.
 *
 * Callbacks come on threads of turnkeep's, at most one at a time for a turn; those of different turns may come at
 * once. The calls of one step come in any order. A callback that takes long delays the turn's other calls and nothing
 * else: work that may take long belongs on a thread of the host's.
 *
 * `user_data` is what turnkeep_turn_start() was given. It must remain valid until turnkeep_turn_done() has told how the
 * turn ended, or turnkeep_engine_free() has returned: no callback is in progress or still to come then, unless they
 * were called inside a callback, which they cannot wait for. What turnkeep_engine_offer_tools() was given must remain
 * valid until turnkeep_engine_free() has returned: other turns may come at any time.
 *
 * A callback may call every function of turnkeep. It must not throw a C++ exception or jump out of itself.
 */
typedef void (*turnkeep_tool_callback)(void *user_data, struct turnkeep_tool_call *call);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The library's TURNKEEP_ABI_VERSION. A program that was compiled with another one must not use the library.
 */
uint32_t turnkeep_abi_version(void);

/**
 * The library's version, such as "0.1.0", ended by a NUL; it is not to be freed.
 */
const char *turnkeep_version(void);

/**
 * Frees the text and sets `bytes` to NULL and 0, so that freeing it again does nothing. NULL does nothing, nor does a
 * `data` of NULL. The struct itself is the caller's.
 *
 * The caller sees to it that:
 * `bytes` is NULL, or was written by turnkeep, or is zeroed.
 */
void turnkeep_bytes_free(struct turnkeep_bytes *bytes);

/**
 * The number that the failing function has returned; TURNKEEP_OK for NULL.
 *
 * The caller sees to it that:
 * `error` is NULL or an error that has not been freed.
 */
turnkeep_status turnkeep_error_code(const struct turnkeep_error *error);

/**
 * The code as every language spells it, such as "A_RUN_ALREADY_ACTIVE", ended by a NUL. It is valid until the error is
 * freed. NULL for NULL.
 *
 * The caller sees to it that:
 * `error` is NULL or an error that has not been freed.
 */
const char *turnkeep_error_name(const struct turnkeep_error *error);

/**
 * One line for people, ended by a NUL. `len`, unless it is NULL, is set to its length, since it may hold NULs itself.
 * It is valid until the error is freed. NULL for NULL, with `len` unchanged.
 *
 * The caller sees to it that:
 * `error` is NULL or an error that has not been freed; `len` is NULL or may be written to.
 */
const char *turnkeep_error_message(const struct turnkeep_error *error, size_t *len);

/**
 * {"code","message","httpStatus","details"} as JSON, ended by a NUL. `len`, unless it is NULL, is set to its length.
 * It is valid until the error is freed. NULL for NULL, with `len` unchanged.
 *
 * The caller sees to it that:
 * `error` is NULL or an error that has not been freed; `len` is NULL or may be written to.
 */
const char *turnkeep_error_json(const struct turnkeep_error *error, size_t *len);

/**
 * Frees the error. NULL does nothing.
 *
 * The caller sees to it that:
 * `error` is NULL or an error that has not been freed, and is not used again.
 */
void turnkeep_error_free(struct turnkeep_error *error);

/**
 * Opens the store that the options name, settles what dead processes left in it, and begins to keep leases.
 *
 * `options` is a JSON object: {"store": "sqlite:PATH", "sqlite::memory:" or "postgres://…", "instanceId"?, "runs"?, "providers"?,
 * "prompt"?, "appSecret"?, "previousAppSecrets"?, "secrets"?, "http"?, "requests"?, "generateChatTitles"?, "chats"?,
 * "errorText"?}; docs/outcomes.md has the limits of "runs". `engine` receives a handle for turnkeep_engine_free().
 *
 * Errors: INVALID_INPUT naming the option, STORE_UNAVAILABLE.
 *
 * The caller sees to it that:
 * `options` is NULL or holds `options_len` bytes; `engine` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_engine_open(const char *options,
                                     size_t options_len,
                                     struct turnkeep_engine **engine,
                                     struct turnkeep_error **error);

/**
 * Offers tools, besides those that the engine offers already: from now on it drives turns that name their tools
 * ("offeredTools" of turnkeep_turn_start()) if it offers all of them. It begins those that are left to it within moments,
 * and goes on with those whose engine was closed or has died, after their last finished step; of a call whose outcome is
 * not known the model is told so. At most "maxOfferedRuns" of the engine's "runs" (64) at a time. A tool takes the place
 * of one of the same name. It ends when the engine is closed.
 *
 * `offer` is a JSON object: {"tools"}, each of which is as for turnkeep_turn_start(). Their calls go to `tool_callback`,
 * which must not be NULL and is passed `user_data`. Both must remain valid until turnkeep_engine_free() has returned. The
 * first callback may come before this function returns.
 *
 * Errors: INVALID_INPUT naming the field ("toolCallback" for one that is missing), ENGINE_CLOSED. Nothing is offered
 * then that was not before.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `offer` is NULL or holds `offer_len` bytes; `tool_callback` and
 * `user_data` may be used on any thread; `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_engine_offer_tools(const struct turnkeep_engine *engine,
                                            const char *offer,
                                            size_t offer_len,
                                            turnkeep_tool_callback tool_callback,
                                            void *user_data,
                                            struct turnkeep_error **error);

/**
 * Refuses new turns, lets those that run go on for `grace_ms` (5 seconds when negative), settles the rest as aborted
 * with the reason "shutdown", and closes the store. Runs that name their tools ("offeredTools") are not settled but left
 * for other engines. Later calls answer ENGINE_CLOSED; closing again does nothing. The
 * handle remains to be freed.
 *
 * Errors: STORE_UNAVAILABLE when the store could not be closed in order; it is closed all the same.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_engine_close(const struct turnkeep_engine *engine,
                                      int64_t grace_ms,
                                      struct turnkeep_error **error);

/**
 * Which migrations opening the PostgreSQL database `store` ("postgres://…") would apply, as JSON: [{"version", "name",
 * "additions"}]. Changes nothing. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT for another kind of store, STORE_UNAVAILABLE.
 *
 * The caller sees to it that:
 * `store` is NULL or holds `store_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_pending_migrations(const char *store,
                                            size_t store_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * How the engine is, as JSON: {"store": {"kind", "ok", "latencyMs"? or "error"?}, "notifications": {"state", "sent",
 * "heard"}, "activeRuns"}. The state is "live" when what happens in other processes is heard at once, "polling" when
 * notifications do not arrive, and "none" where the store has none. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: ENGINE_CLOSED. A store that does not answer is none: "ok" is false then.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_engine_health(const struct turnkeep_engine *engine,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * Closes the engine, without grace unless turnkeep_engine_close() has been called before, ends its threads and frees
 * it. It returns only after the tool callbacks that are in progress; no callback runs afterwards. Turns and tool calls
 * remain valid and are freed on their own. NULL does nothing.
 *
 * Called inside a tool callback it cannot wait for that callback, and returns before the engine's threads have ended.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed, and is not used again.
 */
void turnkeep_engine_free(struct turnkeep_engine *engine);

/**
 * One run, as JSON. `params` is {"workspaceId", "userId", "runId"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_get(const struct turnkeep_engine *engine,
                                 const char *params,
                                 size_t params_len,
                                 struct turnkeep_bytes *result,
                                 struct turnkeep_error **error);

/**
 * The newest run of a chat, as JSON; null in a chat that never had one. `params` is {"workspaceId", "userId",
 * "chatId"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_latest_for_chat(const struct turnkeep_engine *engine,
                                             const char *params,
                                             size_t params_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * Stops a run, of whichever process. `params` is {"workspaceId", "userId"} and "runId", "chatId" or "idempotencyKey" (or
 * the last two). By the idempotency key of its turn, a run may also be stopped that has not begun: it then ends as stopped
 * when it begins (within an hour), before a provider is asked for anything. `result` is true, or false when there is
 * nothing left to stop, and is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_stop(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * The messages of a chat, oldest first, as a JSON array. `params` is {"workspaceId", "userId", "chatId", "limit"?,
 * "before"?}: at most "limit" of them, the newest; only those that are older than the message "before". `result` is freed
 * by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_chat_messages(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * What a page needs to show a chat and to go on with it, as JSON: {"messages", "follow"}. "follow" is null in a chat that
 * is free, else {"runId", "messageId", "cursor"} for turnkeep_tail_open(), which brings exactly what the messages lack,
 * also when the run has ended by then. `params` is {"workspaceId", "userId", "chatId", "limit"?, "inProgress"?}: by "omit"
 * (the default) the message that the run writes is left out, and "cursor" is null; by "include" it is there with its finished
 * steps, and "cursor" is behind them. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_chat_open(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * A chat as Markdown, or as JSON that turnkeep_chat_import() reads, in a JSON string. `params` is {"workspaceId", "userId", "chatId", "format"?, "lang"?, "labels"?}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_chat_export(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Begins a turn: the user's message is stored, the run holds the chat, the model is called.
 *
 * `request` is a JSON object: {"workspaceId", "userId", "chatId"?, "message", "roleId"?, "openPage"?, "tools"?,
 * "offeredTools"?, "provider"?, "detached"?, "trigger"?, "busy"?, "idempotencyKey"?}. Each of "tools" is {"name",
 * "description"?, "inputSchema"?, "readOnly"?, "timeoutMs"?, "unknownMembers"?, "validatesInput"?,
 * "shownOutputBytes"?}; their calls go to
 * `tool_callback`, which may be NULL in a turn without tools. It is passed `user_data`, which is nothing to turnkeep; how long both must remain valid stands at
 * turnkeep_tool_callback. `turn` receives a handle for turnkeep_turn_free(). The first callback may come before this
 * function returns.
 *
 * "offeredTools" are names of tools that engines offer by turnkeep_engine_offer_tools(), in place of "tools" and
 * "provider". The run is driven by any engine on the store that offers all of them: this one if it does, else the first
 * that takes it, and another one when that engine is closed or its process dies; until then it is "pending". Chunks and
 * outcome of a turn that is driven elsewhere are read from the store while this engine is open.
 *
 * "busy" says what to do when the chat has an active run: "reject" (the default), "enqueue" (the turn waits until the
 * chat is free), or {"supersede": runId} (that run is stopped, and the turn takes its place). A second turn of the same
 * user with the same "idempotencyKey" begins nothing and follows the first; see turnkeep_turn_is_repeated().
 *
 * Errors: INVALID_INPUT naming the field ("toolCallback" for one that is missing), AI_NOT_CONFIGURED, FORBIDDEN,
 * NOT_FOUND, A_RUN_ALREADY_ACTIVE with details.activeRunId, SUPERSEDE_INVALID, SUPERSEDE_TARGET_MISMATCH with
 * details.activeRunId, SUPERSEDE_TIMEOUT, A_RUN_BEGIN_FAILED, STORE_UNAVAILABLE, ENGINE_CLOSED. In every case nothing is
 * left behind and no provider has been called.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `request` is NULL or holds `request_len` bytes;
 * `tool_callback` and `user_data` may be used on any thread; `turn` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_start(const struct turnkeep_engine *engine,
                                    const char *request,
                                    size_t request_len,
                                    turnkeep_tool_callback tool_callback,
                                    void *user_data,
                                    struct turnkeep_turn **turn,
                                    struct turnkeep_error **error);

/**
 * The turn's next chunk, from the first one on: a chunk of the AI SDK's UI message stream, as JSON.
 *
 * Waits for up to `timeout_ms`, for ever when it is negative. TURNKEEP_OK: `chunk` is written and freed by
 * turnkeep_bytes_free(). TURNKEEP_TIMEOUT: there was none in that time. TURNKEEP_DONE: the turn has ended and every
 * chunk has been given out.
 *
 * Errors: INVALID_INPUT.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed; `chunk` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_next(const struct turnkeep_turn *turn,
                                   int64_t timeout_ms,
                                   struct turnkeep_bytes *chunk,
                                   struct turnkeep_error **error);

/**
 * {"runId", "chatId", "messageId"}, also of a chat that the turn has created. `ids` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed; `ids` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_ids(const struct turnkeep_turn *turn,
                                  struct turnkeep_bytes *ids,
                                  struct turnkeep_error **error);

/**
 * Whether the run had been begun before, with the same idempotency key. `repeated` receives 1 or 0. The chunks of such a
 * turn are read from the store while the engine is open, finished steps in compact form; its tools are not called.
 *
 * Errors: INVALID_INPUT.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed; `repeated` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_is_repeated(const struct turnkeep_turn *turn,
                                          int32_t *repeated,
                                          struct turnkeep_error **error);

/**
 * Asks the run to stop; turnkeep_turn_done() tells when it has. `stopped` receives 1, or 0 when it has settled already.
 *
 * Errors: INVALID_INPUT; STORE_UNAVAILABLE when the stop could not be noted, though the run is stopped all the same;
 * ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed; `stopped` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_stop(const struct turnkeep_turn *turn, int32_t *stopped, struct turnkeep_error **error);

/**
 * Waits for the end of the turn, and of its tool callbacks, for up to `timeout_ms`, for ever when it is negative.
 *
 * TURNKEEP_OK: `outcome` is {"runId", "chatId", "messageId", "status", "reason", "error", "finishReason", "usage",
 * "stepCount"}, all of it on disk, and freed by turnkeep_bytes_free(). A failed turn is an outcome, not an error.
 * TURNKEEP_TIMEOUT: it goes on. May be called any number of times. Inside a tool callback it waits for the turn only.
 *
 * Errors: INVALID_INPUT; LEASE_LOST when another engine drives the run now; STORE_UNAVAILABLE when the end could not be
 * written; ENGINE_CLOSED when the run is driven elsewhere, or was begun before.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed; `outcome` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_turn_done(const struct turnkeep_turn *turn,
                                   int64_t timeout_ms,
                                   struct turnkeep_bytes *outcome,
                                   struct turnkeep_error **error);

/**
 * Frees the turn, which goes on without it; only one that was begun with "detached": false stops, when its chunks have
 * not been read to the end. NULL does nothing.
 *
 * The caller sees to it that:
 * `turn` is NULL or a turn that has not been freed, and is not used again.
 */
void turnkeep_turn_free(struct turnkeep_turn *turn);

/**
 * The call as JSON: {"toolCallId", "toolName", "input", "chatId", "runId", "messageId"}, with the input checked against
 * the tool's schema. `json` is freed by turnkeep_bytes_free(). The call remains to be answered.
 *
 * Errors: INVALID_INPUT.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed; `json` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tool_call_json(const struct turnkeep_tool_call *call,
                                        struct turnkeep_bytes *json,
                                        struct turnkeep_error **error);

/**
 * 1 when nobody waits for the answer any more, because the run was stopped, the call's time is up or the engine has
 * been closed; else 0. 1 for NULL. The call remains to be answered or freed; an answer is ignored.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed.
 */
int32_t turnkeep_tool_call_cancelled(const struct turnkeep_tool_call *call);

/**
 * Answers the call with any JSON value, and frees it. On INVALID_INPUT, when `output` is not JSON, the call remains to
 * be answered. The answer to a cancelled call is accepted and ignored.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed, and is not used again after TURNKEEP_OK; `output`
 * is NULL or holds `output_len` bytes; `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_tool_call_respond(struct turnkeep_tool_call *call,
                                           const char *output,
                                           size_t output_len,
                                           struct turnkeep_error **error);

/**
 * Shows readers what the output of the call is so far, any JSON value, as a preliminary result. The call remains to be
 * answered, and its answer is what is stored. What comes faster than it can be shown is left out, and so is what is shown
 * for a cancelled call. INVALID_INPUT when `output` is not JSON.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed; `output` is NULL or holds `output_len` bytes; `error`
 * is NULL or may be written to.
 */
turnkeep_status turnkeep_tool_call_show(const struct turnkeep_tool_call *call,
                                        const char *output,
                                        size_t output_len,
                                        struct turnkeep_error **error);

/**
 * Answers the call with a failure, of which the model and the reader are told this text, and frees it. On
 * INVALID_INPUT the call remains to be answered. The answer to a cancelled call is accepted and ignored.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed, and is not used again after TURNKEEP_OK; `reason`
 * is NULL or holds `reason_len` bytes; `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_tool_call_fail(struct turnkeep_tool_call *call,
                                        const char *reason,
                                        size_t reason_len,
                                        struct turnkeep_error **error);

/**
 * Frees the call. The model is told that the tool did not answer. NULL does nothing.
 *
 * The caller sees to it that:
 * `call` is NULL or a call that has been neither answered nor freed, and is not used again.
 */
void turnkeep_tool_call_free(struct turnkeep_tool_call *call);

/**
 * The run that holds a chat, as JSON; null when the chat is free. `params` is {"workspaceId", "userId", "chatId"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_active_for_chat(const struct turnkeep_engine *engine,
                                             const char *params,
                                             size_t params_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * The newest runs of a chat, newest first, as a JSON array; those that wait come before all others. `params` is
 * {"workspaceId", "userId", "chatId", "limit"?, "before"?}, the limit being 50 unless given; with the id of a run in
 * "before", only those that come after it. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_list(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * Settles what dead processes have left in the store, which is also done when an engine is opened and now and then after
 * that. `settled` receives how many runs that were.
 *
 * Errors: STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `settled` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_sweep(const struct turnkeep_engine *engine,
                                   size_t *settled,
                                   struct turnkeep_error **error);

/**
 * Begins a run that the host drives itself: it calls the model and the tools, records every finished step by
 * turnkeep_run_record_step() and ends the run by turnkeep_run_finish(). The gate, the log, the lease and the stops are the
 * engine's. Another thread may hear by turnkeep_run_signal() that the loop is to end.
 *
 * `params` is {"workspaceId", "userId", "chatId"?, "message"?, "roleId"?, "openPage"?, "trigger"?, "busy"?,
 * "idempotencyKey"?}; "busy" is "reject" or {"supersede": runId}. `result` is {"runId", "chatId", "messageId",
 * "repeated"}, as JSON, and freed by turnkeep_bytes_free(). With "repeated", which is true when the same user has begun
 * this run before with the same key, the run is not to be driven again.
 *
 * Errors: as turnkeep_turn_start(), without AI_NOT_CONFIGURED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_begin(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * Puts a finished step on disk. `params` is {"workspaceId", "userId", "runId", "step"}, the step being the AI SDK's step
 * result: {"content"?} with its entries in order, or {"reasoningText"?, "text"?, "toolCalls"?, "toolResults"?,
 * "toolErrors"?}, and {"finishReason"?, "usage"?, "number"?}. `result` is the step's number in the run, from 0, and freed
 * by turnkeep_bytes_free(). Recording a step again by its number changes nothing.
 *
 * Errors: as turnkeep_run_get(); INVALID_INPUT with the path of the field, such as "step.finishReason"; LEASE_LOST
 * when the run has ended or is another process's; STORE_UNAVAILABLE, after which the step may be recorded again.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_record_step(const struct turnkeep_engine *engine,
                                         const char *params,
                                         size_t params_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * Ends a run that the host drives. `params` is {"workspaceId", "userId", "runId", "status", "reason"?, "error"?,
 * "finishReason"?, "step"?}: "status" is "succeeded", "failed" or "aborted", and "step" is a last one, or what there was
 * of it. `result` is null, and freed by turnkeep_bytes_free(). Ending a run again the same way changes nothing.
 *
 * Errors: as turnkeep_run_record_step().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_finish(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Waits, for as long as it takes, until a run that the host drives is to end, and says why: "stopped", "superseded",
 * "shutdown", "lease_lost" or "settled", as JSON. That has an end of its own: finishing the run ends the wait, and so does
 * closing the engine. A host without a thread to spare looks at "stopRequestedAt" of turnkeep_run_get() between its steps
 * instead. `params` is {"workspaceId", "userId", "runId"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_signal(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Gives up a run that the host drives, because whoever drove it is gone: it is aborted as "worker_lost". For
 * destructors; nothing waits for the end. A run that has ended, or that this engine has not begun, stays as it is.
 * `params` is {"workspaceId", "userId", "runId"}. `result` is null, and freed by turnkeep_bytes_free(). Runs that are not
 * finished when the engine is closed or freed are settled as "shutdown".
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_run_abandon(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Begins to follow a run's log, while it goes on and after it has ended, from any process. Nothing is stopped by going
 * away.
 *
 * `params` is {"workspaceId", "userId", "runId", "after"?, "from"?}. "from" is "snapshot" (the default: finished steps in
 * compact form, then chunk by chunk) or "start" (chunk by chunk from the first one). "after" goes on behind a cursor that
 * a tail has given out, in place of "from". `tail` receives a handle for turnkeep_tail_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `tail` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tail_open(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_tail **tail,
                                   struct turnkeep_error **error);

/**
 * The log's next chunk, as {"cursor", "chunk", "resync"?}: the cursor is where to go on after it; with "resync", which is
 * true, the place that was asked for is not known any more, and what follows replaces what was read before.
 *
 * Waits for up to `timeout_ms`, for ever when it is negative. TURNKEEP_OK: `item` is written and freed by
 * turnkeep_bytes_free(). TURNKEEP_TIMEOUT: there was none in that time. TURNKEEP_DONE: the run has ended and every chunk
 * has been given out, or the tail was closed.
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE (reading may be tried again), ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `tail` is NULL or a tail that has not been freed; `item` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tail_next(const struct turnkeep_tail *tail,
                                   int64_t timeout_ms,
                                   struct turnkeep_bytes *item,
                                   struct turnkeep_error **error);

/**
 * As turnkeep_tail_next(), but all chunks that are there, as server-sent events whose ids are the cursors; after the last
 * chunk comes the terminator, and then TURNKEEP_DONE. An event with "resync" is named so.
 *
 * Errors: as turnkeep_tail_next().
 *
 * The caller sees to it that:
 * `tail` is NULL or a tail that has not been freed; `events` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tail_next_sse(const struct turnkeep_tail *tail,
                                       int64_t timeout_ms,
                                       struct turnkeep_bytes *events,
                                       struct turnkeep_error **error);

/**
 * How the run that was followed ended: {"status", "reason", "error"}. TURNKEEP_OK: `end` is written and freed by
 * turnkeep_bytes_free(). TURNKEEP_DONE: not every chunk has been given out yet.
 *
 * Errors: INVALID_INPUT.
 *
 * The caller sees to it that:
 * `tail` is NULL or a tail that has not been freed; `end` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tail_end(const struct turnkeep_tail *tail,
                                  struct turnkeep_bytes *end,
                                  struct turnkeep_error **error);

/**
 * Ends the tail for all threads: those that wait for chunks, and those that come later, find it at its end. The handle
 * remains to be freed. NULL does nothing.
 *
 * The caller sees to it that:
 * `tail` is NULL or a tail that has not been freed.
 */
void turnkeep_tail_close(const struct turnkeep_tail *tail);

/**
 * Frees the tail, read to its end or not. The run goes on. NULL does nothing.
 *
 * The caller sees to it that:
 * `tail` is NULL or a tail that has not been freed, and is not used again.
 */
void turnkeep_tail_free(struct turnkeep_tail *tail);

/**
 * Begins an export. `params` are those of turnkeep_chat_export(). `export` receives a handle for turnkeep_export_free().
 *
 * Errors: as turnkeep_run_get().
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `export` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_export_open(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_export **export_,
                                     struct turnkeep_error **error);

/**
 * The export's next piece: UTF-8 that is never empty. TURNKEEP_OK: `piece` is written and freed by
 * turnkeep_bytes_free(). TURNKEEP_DONE: the document is complete.
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED. An error ends the export.
 *
 * The caller sees to it that:
 * `export` is NULL or an export that has not been freed; `piece` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_export_next(const struct turnkeep_export *export_,
                                     struct turnkeep_bytes *piece,
                                     struct turnkeep_error **error);

/**
 * Frees the export, read to its end or not. NULL does nothing.
 *
 * The caller sees to it that:
 * `export` is NULL or an export that has not been freed, and is not used again.
 */
void turnkeep_export_free(struct turnkeep_export *export_);

/**
 * A new chat made of a JSON export, as JSON. Chat and messages get ids of their own. `params` is {"workspaceId",
 * "userId", "document"}, the document being a string. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT with the path of the field, such as "document.chat.id"; STORE_UNAVAILABLE,
 * ENGINE_CLOSED. In every case nothing is left behind.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_chat_import(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * The settings of a workspace as a JSON object; of keys only whether they are set. `params` is {"workspaceId"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_settings_get(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * Changes settings and keys of a workspace, all or nothing, and gives them as turnkeep_settings_get() does. `params` is
 * {"workspaceId", "settings"}; in "settings" what is absent stays, and the keys "apiKey", "embeddingApiKey" and
 * "sttApiKey" are cleared by "".
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_settings_update(const struct turnkeep_engine *engine,
                                         const char *params,
                                         size_t params_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * Tries what a workspace has configured with the cheapest request that there is. `params` is {"workspaceId",
 * "capability"?}, which is "chat" (the default), "embeddings" or "stt". The result is {"ok", "error"?}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_settings_test(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * Seals stored secrets anew with "appSecret", which the engine also does by itself after it is opened. `params` is {}.
 * The result is {"resealed", "unreadable"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT without "appSecret", STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_secrets_rotate(const struct turnkeep_engine *engine,
                                        const char *params,
                                        size_t params_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * Vectors for texts, in their order, as a JSON array of arrays. `params` is {"workspaceId", "texts"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, SECRET_UNREADABLE, INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_embed(const struct turnkeep_engine *engine,
                               const char *params,
                               size_t params_len,
                               struct turnkeep_bytes *result,
                               struct turnkeep_error **error);

/**
 * What is said in a recording, as JSON text. `params` is {"workspaceId", "audio", "mime"}, the audio in base64 and 25 MiB
 * at most.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: STT_NOT_CONFIGURED, PROVIDER_ERROR, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA, SECRET_UNREADABLE, INVALID_INPUT,
 * STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_transcribe(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * A title for a page, as JSON text. `params` is {"workspaceId", "content"}. Nothing is stored.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: AI_NOT_CONFIGURED, PROVIDER_ERROR, SECRET_UNREADABLE, INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * As for turnkeep_run_get().
 */
turnkeep_status turnkeep_generate_title(const struct turnkeep_engine *engine,
                                        const char *params,
                                        size_t params_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * The row of an assistant message after these steps, an object with content, toolCalls, metadata and status.
 * `arguments` is {"steps", "inProgressText", "status", "extra"?}. "extra" may have "finishReason", "usage",
 * "contextTokens", "maxContextTokens" and "error". `result` is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field. What JavaScript calls undefined is TURNKEEP_DONE, here and in all the
 * functions below.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_flush_assistant(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The parts of an assistant message, as an array. The fallback is used when no step has a text. `arguments` is
 * {"steps", "fallbackText"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_assistant_parts(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The trace of calls and results, as an array; null when there is none. `arguments` is {"steps"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_serialize_steps(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The value, shrunk when its JSON is over 4000 bytes. `arguments` is {"value"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_compact_tool_output(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * A stored row as {"id", "role", "parts"}. `arguments` is {"row"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_row_to_ui_message(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * How the end of a turn is to be written: {"kind": "update", "id"} or {"kind": "insert"}. `arguments` is
 * {"assistantId"?}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_plan_finalize_assistant(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * The sum of two usages. TURNKEEP_DONE when there is neither. `arguments` is {"acc"?, "step"?}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_accumulate_step_usage(const char *arguments,
                                               size_t arguments_len,
                                               struct turnkeep_bytes *result,
                                               struct turnkeep_error **error);

/**
 * A usage with the four fields that are kept. TURNKEEP_DONE when there is none. `arguments` is {"usage"?}. `result` is
 * freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_normalize_usage(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The message metadata that goes with a part of a stream. TURNKEEP_DONE for parts that have none. `arguments` is
 * {"part", "chatId", "cumulativeUsage"?}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_chat_stream_metadata(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * A chat as Markdown, in a JSON string. `arguments` is {"title", "chatId", "rows", "lang"?, "labels"?, "exportedAt"?}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_build_chat_markdown(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * A chat as a JSON document, in a JSON string. `arguments` is {"title", "chatId", "rows", "exportedAt"?}. `result` is
 * freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_build_chat_json(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * What a document of turnkeep_build_chat_json() holds. `arguments` is {"text"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_parse_chat_json(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The language of exports for a language tag: "en" or "ru". `arguments` is {"tag"?}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_normalize_lang(const char *arguments,
                                        size_t arguments_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * The system prompt, in a JSON string. `arguments` is {"workspaceName"?, "adminPrompt"?, "roleInstructions"?,
 * "openedPage"?, "mcpInstructions"?, "productName"?, "extraRules"?}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_build_system_prompt(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * A chat title made of what a model wrote; null when nothing is left of it. `arguments` is {"text"}. `result` is freed
 * by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_clean_chat_title(const char *arguments,
                                          size_t arguments_len,
                                          struct turnkeep_bytes *result,
                                          struct turnkeep_error **error);

/**
 * {"system", "prompt"}: what a model is asked for the title of a chat that begins with this text. `arguments` is {"text"}. `result` is freed
 * by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_chat_title_prompt(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * {"system", "prompt"}: what a model is asked for the title of a page of this content. `arguments` is {"content"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_page_title_prompt(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * {"toolChoice": "none", "system"} for the last allowed step, counted from 0. TURNKEEP_DONE for every other.
 * `arguments` is {"stepNumber", "system", "maxSteps"?}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_prepare_agent_step(const char *arguments,
                                            size_t arguments_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * A page title made of what a model wrote. `arguments` is {"text"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_clean_generated_title(const char *arguments,
                                               size_t arguments_len,
                                               struct turnkeep_bytes *result,
                                               struct turnkeep_error **error);

/**
 * A failure of a provider on one line, in a JSON string. `arguments` is {"err", "fallback"?}. "err" is a string, or an
 * object with "name", "message", "statusCode" and "responseBody" or "text". `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_describe_provider_error(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * Whether asking the provider again is of no use: true or false. `arguments` is {"err"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_is_fatal_provider_error(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * The model that a role asks for: {"driver"?, "chatModel"?, "roleName"?}. TURNKEEP_DONE when it asks for none.
 * `arguments` is {"role"?}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_role_model_override(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * {"ok": true, "baseMime", "format"}, or {"ok": false} for audio that is not on the list. `arguments` is {"mime"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_resolve_audio_format(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * Whether a tool server may have this address: {"ok", "reason"?}. `arguments` is {"ip"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_is_ip_allowed(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * Whether a tool server may have all of these addresses: {"ok", "reason"?}. `arguments` is {"addresses"}.
 * `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_validate_resolved_addresses(const char *arguments,
                                                     size_t arguments_len,
                                                     struct turnkeep_bytes *result,
                                                     struct turnkeep_error **error);

/**
 * The search hits that the person may see, the best one of each page. `arguments` is {"hits", "accessiblePageIds",
 * "cap"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_select_accessible_hits(const char *arguments,
                                                size_t arguments_len,
                                                struct turnkeep_bytes *result,
                                                struct turnkeep_error **error);

/**
 * A name made of the characters that tool names may have. `arguments` is {"value"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_sanitize_tool_name(const char *arguments,
                                            size_t arguments_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * The prefix of the names of a server's tools. `arguments` is {"serverName"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_tool_name_prefix(const char *arguments,
                                          size_t arguments_len,
                                          struct turnkeep_bytes *result,
                                          struct turnkeep_error **error);

/**
 * A tool name, cut to the length that providers accept. `arguments` is {"value"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_cap_tool_name(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * A tool name that is not among those that are taken. `arguments` is {"name", "serverId", "taken"}. `result` is freed
 * by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_disambiguate_tool_name(const char *arguments,
                                                size_t arguments_len,
                                                struct turnkeep_bytes *result,
                                                struct turnkeep_error **error);

/**
 * The chunks of a text for embedding, as an array of strings. `arguments` is {"text", "options"?}. "options" may have
 * "chunkSize" and "chunkOverlap". `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_split_text(const char *arguments,
                                    size_t arguments_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Whether a model has fallen into repeating itself: true or false. `arguments` is {"text"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_is_degenerate_output(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * The text without the repetitions at its end. `arguments` is {"text"}. `result` is freed by turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_truncate_degenerate_output(const char *arguments,
                                                    size_t arguments_len,
                                                    struct turnkeep_bytes *result,
                                                    struct turnkeep_error **error);

/**
 * {"messages", "trimmed", "estimatedTokens"}: the newest messages that fit into a budget; "trimmed" is true when some
 * were left out. `arguments` is {"messages",
 * "options"}. "options" has "budgetTokens" and may have "contextTokens" and "keepTurns". `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_trim_history(const char *arguments,
                                      size_t arguments_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * A tool server without the values of its headers: their names only. `arguments` is {"server"}. `result` is freed by
 * turnkeep_bytes_free().
 *
 * Errors: as turnkeep_flush_assistant().
 *
 * The caller sees to it that:
 * As for turnkeep_flush_assistant().
 */
turnkeep_status turnkeep_to_view(const char *arguments,
                                 size_t arguments_len,
                                 struct turnkeep_bytes *result,
                                 struct turnkeep_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TURNKEEP_H */
