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
 * A field is missing or wrong; the message and details.field name it.
 */
#define TURNKEEP_INVALID_INPUT 1001

/**
 * The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off.
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
 * Another role of the workspace has this name; the message says which.
 */
#define TURNKEEP_ROLE_NAME_TAKEN 2008

/**
 * The run, the call that is answered, or the message that is taken back does not wait, or not any more.
 */
#define TURNKEEP_NOT_WAITING 2010

/**
 * The answer is for another call, or for other arguments, than those that wait.
 */
#define TURNKEEP_ANSWER_MISMATCH 2011

/**
 * The time in which the call could be answered is over.
 */
#define TURNKEEP_ANSWER_EXPIRED 2012

/**
 * The run has ended, or has not begun: no message can join it.
 */
#define TURNKEEP_RUN_NOT_ACTIVE 2013

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
 * A bug of ours.
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
 * were called inside a callback, which they cannot wait for. What turnkeep_engine_offer_tools(),
 * turnkeep_engine_check_pages() and turnkeep_engine_docmost_tokens() were given must remain valid until turnkeep_engine_free() has returned: other turns may
 * come at any time.
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
 * `options` is an EngineOptions, as JSON: every option stands at the end of this header. `engine` receives a handle for
 * turnkeep_engine_free().
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
 * `offer` is a JSON object: {"tools": array of ToolDefinition}. Their calls go to `tool_callback`,
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
 * Has every page that a turn, or a run of the host's own, is said to be begun on ("openPage") checked by the host: from now
 * on only what the check answers is used, for the prompt, for the tool getCurrentPage and for the page of a chat that is
 * created. Without it the engine takes the page for one that the host has resolved.
 *
 * The checks come to `tool_callback` as calls of a tool named "checkOpenPage", whose input is {"workspaceId", "userId",
 * "page": {"id", "title"}}. They are answered as calls are, with {"id", "title"}, the title being the page's own, or with null
 * where there is no such page or the user may not see it. When a check fails, answers anything else, or takes longer than
 * "pageCheckTimeoutMs" of the engine's "requests", there is no page. `tool_callback` must not be NULL and is passed
 * `user_data`; both must remain valid until turnkeep_engine_free() has returned. It takes the place of one that was given
 * before, and ends when the engine is closed.
 *
 * The check comes while turnkeep_turn_start() waits: it must not wait for that call's thread.
 *
 * Errors: INVALID_INPUT ("toolCallback" for one that is missing), ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `tool_callback` and `user_data` may be used on any thread;
 * `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_engine_check_pages(const struct turnkeep_engine *engine,
                                            turnkeep_tool_callback tool_callback,
                                            void *user_data,
                                            struct turnkeep_error **error);

/**
 * Has the host asked for the access tokens of users, by which turns with "docmost" act on a Docmost server: when a turn first
 * needs one, and once more when the server does not take it.
 *
 * The questions come to `tool_callback` as calls of a tool named "docmostToken", whose input is {"workspaceId", "userId",
 * "baseUrl", "refused"}; "refused" says that the token before was not taken. They are answered as calls are, with the token as
 * a JSON string. What a question fails with is told to nobody. `tool_callback` must not be NULL and is passed `user_data`; both
 * must remain valid until turnkeep_engine_free() has returned. It takes the place of one that was given before, and ends when the
 * engine is closed.
 *
 * Errors: INVALID_INPUT ("toolCallback" for one that is missing), ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `tool_callback` and `user_data` may be used on any thread;
 * `error` is NULL or may be written to.
 */
turnkeep_status turnkeep_engine_docmost_tokens(const struct turnkeep_engine *engine,
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
 * Begins a turn: the user's message is stored, the run holds the chat, the model is called.
 *
 * `request` is a TurnRequest, as JSON: every member of it, and of its tools, stands at the end of this header. Calls of
 * the tools go to `tool_callback`, which may be NULL in a turn without tools. It is passed `user_data`, which is nothing to
 * turnkeep; how long both must remain valid stands at turnkeep_tool_callback. `turn` receives a handle for turnkeep_turn_free(). The first callback may come before this
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
 * the tool's schema; with "effect" of a tool with effects, for turnkeep_effect_statement(), and "idempotencyKey" of one that
 * is idempotent. `json` is freed by turnkeep_bytes_free(). The call remains to be answered.
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
 * One run.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives Run, as JSON, and is freed by turnkeep_bytes_free().
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
 * The newest run of a chat; null in a chat that never had one, or that is not there (yet).
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 *
 * `result` receives Run or null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_latest_for_chat(const struct turnkeep_engine *engine,
                                             const char *params,
                                             size_t params_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * The run that holds a chat; null when the chat is free, or not there (yet).
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 *
 * `result` receives Run or null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_active_for_chat(const struct turnkeep_engine *engine,
                                             const char *params,
                                             size_t params_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * The newest runs of a chat, newest first; those that wait come before all others.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "limit"?: integer. At most so many; 50 unless given.
 * - "before"?: string. A run's id: those that come after it in the list.
 *
 * `result` receives array of Run, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_list(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * What is kept of a turn that is not stored: whose it was, and how it ended.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives StatelessRun, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_get_stateless(const struct turnkeep_engine *engine,
                                           const char *params,
                                           size_t params_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * Stops a run, of whichever process: named by its id, by its chat (the active one), or by the idempotency key of its
 * turn. By its key a run may also be stopped that has not begun: it ends as stopped when it begins (within an hour),
 * before a provider is asked for anything. False when there is nothing left to stop.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId"?: string. The run.
 * - "chatId"?: string. The chat whose active run is meant; with a key, the chat of its turn.
 * - "idempotencyKey"?: string. The key of the run's turn.
 *
 * `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_stop(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * Answers a call that a run waits for, once and for good, from any process: a call that needs an approval with
 * `approved`, a question or a tool of the client's with `output` (or `approved: false`, which says that there will
 * be none). The run goes on when all of its calls are answered, in an engine that offers its tools. `waiting` says
 * how many are left.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. Who answers: the chat's owner, or one of the tool's `answerers` where it names some.
 * - "runId": string. The run.
 * - "callId": string. The call.
 * - "approved"?: boolean. Whether the call may be made.
 * - "output"?: any JSON. The call's output; it has to fit the question's schema.
 * - "input"?: any JSON. Arguments that the call is made with instead of its own, where its tool allows that.
 * - "reason"?: string. Why; the model is told.
 * - "token"?: string. The call's `token`, as it was listed: the answer is then for exactly this call with these
 *   arguments.
 *
 * `result` receives Answered, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_WAITING, ANSWER_MISMATCH, ANSWER_EXPIRED, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE,
 * ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_answer(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Runs that wait for an answer, with what they wait for (`waitingFor`), in the order of their ids. Whoever is no
 * administrator sees those that they have begun.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who asks.
 * - "userId"?: string. The runs of one user: an administrator may name any, others themselves.
 * - "chatId"?: string. The runs of one chat, among those.
 * - "cursor"?: string. What comes behind this cursor of an earlier part.
 * - "limit"?: integer. At most so many; 50 unless given.
 *
 * `result` receives WaitingPage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_waiting(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Lets a user's message join a run that has not ended, of whichever process. It is on disk when this answers. It
 * enters before the answer of the run's next step, and a run that would have succeeded makes one more step for it;
 * if the run ends otherwise, or has no step left, the message is the chat's next turn's. `place` says which of the
 * two is to be expected. A message of an id, or with a key, that was accepted before is that one: `state` says what
 * has become of it.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 * - "message": MessageInput. The message, as a turn is begun with.
 * - "idempotencyKey"?: string. What stands for the message where it has no id: a second one of the same key is the
 *   first.
 *
 * `result` receives SteerAnswer, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, RUN_NOT_ACTIVE, MESSAGE_EXISTS, RATE_LIMITED, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE,
 * ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_steer(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * Takes a message back that waits: for its run, or for the next turn. Taking it back again changes nothing.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "messageId": string. The message's id, as `runs.steer` has answered it.
 *
 * `result` receives Steering, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_WAITING, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_unsteer(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * The messages that wait, in their order: for the next step of a run, or, where that has ended, for the chat's next
 * turn.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId"?: string. Those of one run,
 * - "chatId"?: string. or those of a whole chat.
 *
 * `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_queue(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * All messages that were accepted for a run, in their order, with what has become of each.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_steering(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * For a host with a loop of its own (`runs.begin`): lets the messages that wait for its run enter before the step
 * that it records next, and answers them, to be told to the model. They are in the log then. Asking again before the
 * step is recorded answers the same ones.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives array of Steering, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_take_steering(const struct turnkeep_engine *engine,
                                           const char *params,
                                           size_t params_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * Begins a run whose loop is the host's own: `runs.recordStep` and `runs.finish` drive it. The gate, the log, the
 * lease and the stops are the engine's. One that is `repeated` had been begun before, with the same key, and is not
 * to be driven again.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user.
 * - "chatId"?: string. The chat; it is created when there is none of this id, and when no id is given.
 * - "message"?: MessageInput. What the user wrote; nothing when the host has stored that itself.
 * - "roleId"?: string. The role of a chat that is created.
 * - "openPage"?: PageRef. The page that the user has open: what a client says of it where the engine has the host's
 *   check of pages, else resolved by the host.
 * - "trigger"?: Trigger. What begins the run. Default "api".
 * - "messageId"?: string. The message that is to be answered anew, or in the place of which the user has written;
 *   see `TurnRequest`.
 * - "busy"?: Busy. What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop
 *   later. Default "reject".
 * - "idempotencyKey"?: string. A second begin of the same user with the same key begins nothing.
 *
 * `result` receives BegunRun, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, A_RUN_ALREADY_ACTIVE, SUPERSEDE_INVALID, SUPERSEDE_TARGET_MISMATCH,
 * SUPERSEDE_TIMEOUT, MESSAGE_EXISTS, A_RUN_BEGIN_FAILED, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_begin(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * Puts a finished step of a host's own loop on disk, and answers its number. Recording a step again by its number
 * changes nothing. After `STORE_UNAVAILABLE` the step may be recorded again.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 * - "step": RunStep. The step.
 *
 * `result` receives integer, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_record_step(const struct turnkeep_engine *engine,
                                         const char *params,
                                         size_t params_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * Ends a run that the host drives. Ending it again the same way changes nothing.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 * - "status": EndStatus. `succeeded`, `failed` or `aborted`.
 * - "reason"?: RunReason. Why it did not succeed; `internal` for a run that failed and what it was stopped for
 *   otherwise, unless given.
 * - "error"?: string. The error in one line, of a run that failed.
 * - "finishReason"?: FinishReason. Why the model stopped, unless the last step said it.
 * - "step"?: RunStep. A last step, or what there was of it, written together with the end.
 *
 * `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, LEASE_LOST, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_finish(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Waits until the host is to end the loop of its run, and says why.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives RunSignal, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_signal(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Gives up a run that the host drives: it is aborted as `worker_lost`. One that has ended stays as it is.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "runId": string. The run.
 *
 * `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_run_abandon(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * A new chat, before anybody has written in it. A turn makes the chat that it is begun in by itself; this is for
 * hosts that show a chat before that. One that is there already, and the caller's, is returned as it is.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId"?: string. Its id; one is made up unless given.
 * - "title"?: string. Its title: 1 to 255 characters.
 * - "roleId"?: string. Its role, for ever.
 * - "pageId"?: string. The page that it is about.
 *
 * `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_create(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * The user's chats, newest first, a page at a time, each with the name and emoji of its role and the title of its
 * page.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "limit"?: integer. At most so many: 1 to 100; 20 unless given.
 * - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
 * - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
 *
 * `result` receives ChatPage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_list(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * The user's newest chat that was created on a page; null when there is none.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "pageId": string. The page.
 *
 * `result` receives Chat or null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_latest_for_page(const struct turnkeep_engine *engine,
                                              const char *params,
                                              size_t params_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * Gives a chat another title. The chat as it is then.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "title": string. 1 to 255 characters, without the white space around them.
 *
 * `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_rename(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Deletes a chat: nobody sees it any more, and its runs are stopped. Its rows stay until it is purged.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 *
 * `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_delete(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Removes a chat for good, deleted before or not: its runs are stopped, and then nothing of it is left in rows, log,
 * search, or files. A SQLite file is written anew for that, which takes as long as copying it.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 *
 * `result` receives Purged, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_purge(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * A chat that has what another one has up to a message, or a step of one, and then goes its own way; with its title,
 * its role and its page. Both share what they have: a fork costs next to nothing, however long the other chat is. In
 * tables that a host had before, whose own statements know of no forks, it has copies. Whatever becomes of either
 * chat, edits and purges too, the other one stays as it is. Of a message that is being written the fork has the
 * finished steps.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat that is forked.
 * - "messageId"?: string. The last message that the fork has, or one of its versions; the newest message unless
 *   given.
 * - "step"?: integer. The last step of that message that the fork has, from 0; all of them unless given.
 * - "forkId"?: string. The fork's id; one is made up unless given.
 * - "title"?: string. The fork's title: 1 to 255 characters; that of the other chat unless given.
 *
 * `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_fork(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * One chat: its title, its role, the page that was open when it was created.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 *
 * `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_get(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * The messages of a chat, oldest first; none of a chat that is not there (yet). A message in progress has every
 * finished step.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "limit"?: integer. Only so many, the newest; all of them unless given.
 * - "before"?: string. A message's id: only those that are older.
 *
 * `result` receives array of Message, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_messages(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * The messages of a chat, a page at a time, by cursors; none of a chat that is not there (yet). A message in
 * progress has every finished step.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "newestFirst"?: boolean. Begin with the newest message; with the oldest unless given. Default false.
 * - "limit"?: integer. At most so many: 1 to 100; 50 unless given.
 * - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
 * - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
 *
 * `result` receives MessagePage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_message_page(const struct turnkeep_engine *engine,
                                           const char *params,
                                           size_t params_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * As `chats.messagePage`, with messages as clients of the AI SDK have them.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "newestFirst"?: boolean. Begin with the newest message; with the oldest unless given. Default false.
 * - "limit"?: integer. At most so many: 1 to 100; 50 unless given.
 * - "cursor"?: string. What comes after this cursor, the `nextCursor` of a page.
 * - "beforeCursor"?: string. What comes before this cursor, the `prevCursor` of a page.
 * - "protocol"?: Protocol. Which clients the messages are for. Default "ai-6".
 *
 * `result` receives UiMessagePage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_ui_message_page(const struct turnkeep_engine *engine,
                                              const char *params,
                                              size_t params_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * All versions of a message, oldest first: it, and what stood in its place before it was edited or generated anew.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "messageId": string. The message, or any version of it.
 *
 * `result` receives array of MessageVersion, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_versions(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * The messages of the user's chats that have all words of a query, newest first, each with a line of its text.
 * English and Russian words are found in their other forms, too. A message in progress is found once it has ended.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "query": string. Words; everything between them is passed over.
 * - "chatId"?: string. In this chat alone.
 * - "limit"?: integer. At most so many: 1 to 100; 20 unless given.
 * - "before"?: string. A message's id, the last of a page: only those that are older.
 *
 * `result` receives array of FoundMessage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_search(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * What a page needs to show a chat and to go on with it: messages, and the run that brings what they lack. The two
 * fit together, also when the run has ended by the time that it is followed.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "limit"?: integer. Only so many messages, the newest.
 * - "inProgress"?: InProgress. What becomes of the message that a run is writing: left out (`omit`), and following
 *   the run brings all of it; or there with its finished steps (`include`), and the cursor is behind them. Default
 *   "omit".
 *
 * `result` receives OpenChat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_open(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * A chat as one document: Markdown to be read, or JSON that `chats.import` takes.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat.
 * - "format"?: DocumentFormat. `markdown` (the default) or `json`.
 * - "lang"?: string. A language tag; Russian for `ru…`, English otherwise.
 * - "labels"?: ExportLabels. Words of the host's own, in place of the language's.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_export(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * A new chat made of a JSON export. Chat and messages get ids of their own.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "document": string. The document.
 *
 * `result` receives Chat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_import(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Creates a role. Its name must differ from those of the workspace's other roles; lengths are counted in characters.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who acts: an administrator.
 * - "name": string. At most 200 characters.
 * - "instructions": string. The persona of its chats: at most 20,000 characters. It takes the place of the
 *   administrators' prompt, inside of the safety frame.
 * - "emoji"?: string. A sign for lists: at most 32 characters.
 * - "description"?: string. What it is for: at most 2,000 characters.
 * - "modelConfig"?: RoleModelConfig. The model that its chats get, in place of the workspace's.
 * - "enabled"?: boolean. Whether chats may be begun with it; true unless given.
 * - "autoStart"?: boolean. Whether a client sends the launch message by itself when a chat is begun with the role;
 *   true unless given.
 * - "launchMessage"?: string. What a client sends to begin with: at most 2,000 characters.
 *
 * `result` receives AgentRole, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_create(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Changes a role. What is not given stays; blank text clears what a role may be without, and so does an empty model.
 * Chats that have the role follow the change with their next turn.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who acts: an administrator.
 * - "roleId": string. The role.
 * - "name"?: string. At most 200 characters, not blank.
 * - "emoji"?: string. A sign for lists: at most 32 characters.
 * - "description"?: string. What it is for: at most 2,000 characters.
 * - "instructions"?: string. The persona of its chats: at most 20,000 characters, not blank.
 * - "modelConfig"?: RoleModelConfig. The model that its chats get, in place of the workspace's.
 * - "enabled"?: boolean. Whether chats may be begun with it.
 * - "autoStart"?: boolean. Whether a client sends the launch message by itself when a chat is begun with the role.
 * - "launchMessage"?: string. What a client sends to begin with: at most 2,000 characters.
 *
 * `result` receives AgentRole, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_update(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * Deletes a role. Chats that have it keep its id and go on without it; its name may be used again.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who acts: an administrator.
 * - "roleId": string. The role.
 *
 * `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_delete(const struct turnkeep_engine *engine,
                                     const char *params,
                                     size_t params_len,
                                     struct turnkeep_bytes *result,
                                     struct turnkeep_error **error);

/**
 * The workspace's roles in the order in which they were created, disabled ones included: whole for administrators,
 * and for everybody else what it takes to choose one.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who asks.
 *
 * `result` receives array of ShownRole, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_list(const struct turnkeep_engine *engine,
                                   const char *params,
                                   size_t params_len,
                                   struct turnkeep_bytes *result,
                                   struct turnkeep_error **error);

/**
 * One role, as `roles.list` has it.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who asks.
 * - "roleId": string. The role.
 *
 * `result` receives ShownRole, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_get(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * Roles as one document (YAML) that `roles.importBundle` takes, there or in another workspace. It has no ids.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who acts: an administrator.
 * - "roleIds"?: array of string. Only these; all roles of the workspace unless given.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_export_bundle(const struct turnkeep_engine *engine,
                                            const char *params,
                                            size_t params_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * Creates the roles of a document (YAML, at most 1 MiB and 1,000 roles), all of them or none. What is wrong in it is
 * named by its path, such as `bundle.roles[2].name`. Anchors, aliases and tags are not taken.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who acts: an administrator.
 * - "bundle": string. The document.
 * - "existing"?: ExistingRoles. What becomes of a role whose name another one has. Default "fail".
 *
 * `result` receives array of ImportedRole, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, PAYLOAD_TOO_LARGE, ROLE_NAME_TAKEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_import_bundle(const struct turnkeep_engine *engine,
                                            const char *params,
                                            size_t params_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * Signs a short-lived claim that whoever has it acts for the agent of this chat, for hosts whose other endpoints
 * mark what agents do. The engine needs its `appSecret`.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "chatId": string. The chat; it must be the user's.
 * - "runId"?: string. A run of the chat.
 * - "audience"?: string. Who is to take the claim: at most 255 bytes; `turnkeep` unless given.
 * - "ttlMs"?: integer. How long it holds, in milliseconds: 300000 unless given, from 1000 to 86400000. Rounded down
 *   to whole seconds.
 *
 * `result` receives SignedProvenance, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, NOT_FOUND, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_provenance_sign(const struct turnkeep_engine *engine,
                                         const char *params,
                                         size_t params_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * What a claim says that was signed with this engine's `appSecret`, or with a previous one. A claim that is not
 * taken is `FORBIDDEN`, with `details.reason`: `malformed`, `signature`, `audience` or `expired`. Nothing is looked
 * up: the chat may have been deleted since.
 *
 * `params` is a JSON object:
 *
 * - "token": string. As `provenance.sign` has made it.
 * - "audience"?: string. Whom the claim must have been signed for; `turnkeep` unless given.
 *
 * `result` receives Provenance, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_provenance_verify(const struct turnkeep_engine *engine,
                                           const char *params,
                                           size_t params_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * Indexes a page, in the place of what was there of it: its chunks, under the headings that lead to them, with
 * vectors by the workspace's embedding model. A page without text, or in the trash, is removed. What is there stays,
 * and nothing is asked of the provider, where it was made of the same by the same model.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "page": PageToIndex. The page.
 * - "force"?: boolean. Index it even if it is unchanged. Default false.
 *
 * `result` receives IndexedNow, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, PAYLOAD_TOO_LARGE, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE,
 * ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_search_index(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * Indexes pages as `search.index` does, several to one request of the provider's. A page that fails costs the others
 * nothing, and is listed. A host that goes through all of its pages makes one call after another: their answers are
 * its progress, and it may stop between any two.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "pages": array of PageToIndex. The pages: at most 100, each once.
 * - "force"?: boolean. Index them even if they are unchanged. Default false.
 *
 * `result` receives Reindexed, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_search_reindex(const struct turnkeep_engine *engine,
                                        const char *params,
                                        size_t params_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * Removes a page from the index, or everything of the workspace.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "pageId"?: string. The page.
 * - "everything"?: boolean. All pages, in the place of `pageId`. Default false.
 *
 * `result` receives RemovedChunks, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_search_remove(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * What there is of a workspace in the index, and by which models. Vectors of another model than the workspace has
 * now are not compared: such pages are found by their words until they are indexed anew.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 *
 * `result` receives IndexStatus, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_search_status(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * The chunks that answer a question best, by meaning and by words, of the pages that the user may read. The host
 * says which: by `pageIds`, by `spaceIds`, or by both, and then a page must be in both. From an empty list nothing
 * is found. Without an embedding model the words count alone, and the answer says so.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "userId": string. The user who asks.
 * - "query": string. What is looked for: at most 8,000 characters.
 * - "pageIds"?: array of string. Only in these pages: at most 100,000.
 * - "spaceIds"?: array of string. Only in pages of these spaces: at most 100,000.
 * - "mode"?: SearchMode. `text`: by words alone, without a request to the provider. `hybrid`: by both or not at all.
 * - "limit"?: integer. At most so many hits: 1 to 100; 10 unless given.
 * - "candidates"?: integer. So many chunks of each of the two rankings count: 1 to 1,000; 50 unless given.
 *
 * `result` receives SearchAnswer, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, PROVIDER_ERROR, EMBEDDING_NOT_CONFIGURED, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_search_query(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * A workspace's settings, for its administrators; of keys only whether they are set.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 *
 * `result` receives WorkspaceSettings, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_settings_get(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * Changes a workspace's settings and keys, all or nothing, and answers them as `settings.get` does. To set keys, the
 * engine needs its `appSecret`.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "settings": SettingsPatch. The change.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 *
 * `result` receives WorkspaceSettings, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_settings_update(const struct turnkeep_engine *engine,
                                         const char *params,
                                         size_t params_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * Tries what a workspace has configured, or a provider that it could have, with the cheapest request that there is.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "capability"?: Capability. What is tried. Default "chat".
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 * - "provider"?: ProviderChoice. What is tried instead of what the workspace has configured; `model` is that of the
 *   capability. It is stored nowhere.
 *
 * `result` receives SettingsTest, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_settings_test(const struct turnkeep_engine *engine,
                                       const char *params,
                                       size_t params_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * Seals stored keys anew under the engine's `appSecret`, in the form of its option `secrets.write`. On a database of
 * turnkeep's own that also happens by itself after opening; on an adopted one nothing is rewritten but by this call.
 *
 * `params` is a JSON object:
 *
 * - "dryRun"?: boolean. Tell how many keys it would touch, and touch none. Default false.
 *
 * `result` receives SecretRotation, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_secrets_rotate(const struct turnkeep_engine *engine,
                                        const char *params,
                                        size_t params_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * Adds a tool server whose tools turns of the workspace may have (`mcpTools`). Its address must be a public one, or
 * one that the option `http.allowPrivate` has; that is looked at here, and again whenever a connection is made.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "name": string. What it is called: at most 200 characters. Its tools' names begin with it.
 * - "transport": McpTransport. `http` (streamable HTTP), `sse` (what servers had before that), or `stdio`: a program
 *   of the option `mcp.programs`.
 * - "url": string. Its address: at most 2,048 bytes. With `stdio` the name of the program.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 * - "headers"?: object of string. Headers that go with every request. They are kept sealed, for which the engine
 *   needs its `appSecret`, and shown by their names only. Blank ones are none.
 * - "toolAllowlist"?: array of string. The tools that may be used, by the server's own names; all when there are
 *   none.
 * - "instructions"?: string. Guidance for the model, which is told it when the server contributes a tool: at most
 *   4,000 characters.
 * - "enabled"?: boolean. Whether its tools are offered; true unless given.
 *
 * `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_mcp_create(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Changes a tool server. What is not given stays; an address that is given as it was shown counts as not given.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "serverId": string. The server.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 * - "name"?: string. What it is called: at most 200 characters.
 * - "transport"?: McpTransport. `http`, `sse` or `stdio`.
 * - "url"?: string. Its address: at most 2,048 bytes. Where it leads to another place, headers must be given again,
 *   unless the option `secrets.bindToAddress` is off.
 * - "headers"?: object of string. The headers from now on, all of them; `{}` or null for none.
 * - "toolAllowlist"?: array of string. The tools that may be used, by the server's own names; all when there are
 *   none.
 * - "instructions"?: string. Guidance for the model: at most 4,000 characters; null or blank for none.
 * - "enabled"?: boolean. Whether its tools are offered.
 *
 * `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_mcp_update(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Deletes a tool server. Turns that are under way keep its tools until they end.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "serverId": string. The server.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 *
 * `result` receives null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_mcp_delete(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * The workspace's tool servers in the order in which they were created, disabled ones included. Of headers there are
 * the names, and what looks like a secret in an address is masked.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 *
 * `result` receives array of McpServerView, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_mcp_list(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * Tries a tool server: whether it answers, and with which tools. A disabled one may be tried, too.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "serverId": string. The server.
 * - "actor"?: Actor. Who acts: an administrator. It may be left out unless the option `settings.actor` is
 *   `required`.
 *
 * `result` receives McpTested, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, NOT_FOUND, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_mcp_test(const struct turnkeep_engine *engine,
                                  const char *params,
                                  size_t params_len,
                                  struct turnkeep_bytes *result,
                                  struct turnkeep_error **error);

/**
 * What calls to providers have used in a workspace, and what that costs by the option `prices`: those of runs, one
 * for each step, also of stopped ones, and those for titles, vectors and transcripts. Whoever is no administrator
 * sees their own.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "actor": Actor. Who asks.
 * - "userId"?: string. The calls of one user: an administrator may name any, others themselves.
 * - "chatId"?: string. The calls for one chat.
 * - "since"?: string. Calls from this moment on, such as `2026-01-01T00:00:00Z`.
 * - "until"?: string. Calls before this moment.
 * - "by"?: array of UsageBy. What is told apart; nothing unless given, and then there is one line at most.
 *
 * `result` receives UsageReport, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_usage_report(const struct turnkeep_engine *engine,
                                      const char *params,
                                      size_t params_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * Vectors for texts, in their order, by the workspace's embedding model.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "texts": array of string. The texts.
 * - "provider"?: ProviderChoice. Who makes them instead of whom the workspace's settings name: `model` is the
 *   embedding model. It is stored nowhere.
 *
 * `result` receives array of array of number, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, EMBEDDING_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_embed(const struct turnkeep_engine *engine,
                               const char *params,
                               size_t params_len,
                               struct turnkeep_bytes *result,
                               struct turnkeep_error **error);

/**
 * What is said in a recording of at most 25 MiB; empty text when nothing is said.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "audio": string (base64). The recording, in base64.
 * - "mime": string. Its media type, such as `audio/webm`.
 * - "provider"?: ProviderChoice. Who transcribes instead of whom the workspace's settings name: an `openai` or
 *   `openai-compatible` service, `model` being its speech-to-text model. It is stored nowhere.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA, STT_NOT_CONFIGURED, PROVIDER_ERROR,
 * STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_transcribe(const struct turnkeep_engine *engine,
                                    const char *params,
                                    size_t params_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * A title for a page with this content. Nothing is stored.
 *
 * `params` is a JSON object:
 *
 * - "workspaceId": string. The workspace.
 * - "content": string. The page's text.
 * - "provider"?: ProviderChoice. Who answers instead of whom the workspace's settings name. It is stored nowhere.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT, FORBIDDEN, AI_NOT_CONFIGURED, PROVIDER_ERROR, STORE_UNAVAILABLE, ENGINE_CLOSED.
 *
 * The caller sees to it that:
 * `engine` is NULL or an engine that has not been freed; `params` is NULL or holds `params_len` bytes; `result` and
 * `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_generate_title(const struct turnkeep_engine *engine,
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
 * The row of an assistant message after these steps: the first one, one in between, or the last.
 *
 * `arguments` is a JSON object:
 *
 * - "steps": array of Step
 * - "inProgressText": string. The text of the step that has not finished.
 * - "status": MessageStatus
 * - "extra"?: FlushExtra
 *
 * `result` receives AssistantFlush, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_flush_assistant(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The parts of an assistant message. The fallback is its text when no step has one.
 *
 * `arguments` is a JSON object:
 *
 * - "steps"?: array of Step
 * - "fallbackText": string
 *
 * `result` receives array of AssistantPart, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_assistant_parts(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The trace of calls and results; null when there is none.
 *
 * `arguments` is a JSON object:
 *
 * - "steps"?: array of Step
 *
 * `result` receives array of TraceEntry or null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_serialize_steps(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The value itself when its JSON has at most 4000 bytes, or when it has none; else a copy with long strings, long
 * arrays and deep objects cut short.
 *
 * `arguments` is a JSON object:
 *
 * - "value": any JSON
 *
 * `result` receives any JSON, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_compact_tool_output(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * A stored row as a message for pages. Of a row that the engine wrote also how it ended, as the stream tells it; of
 * a user's its client's own metadata.
 *
 * `arguments` is a JSON object:
 *
 * - "row": ChatRow
 * - "protocol"?: Protocol. Which clients it is for: its parts are in the form that they take, and that their
 *   `convertToModelMessages` sends back. As they are stored unless given.
 *
 * `result` receives ShownMessage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_row_to_ui_message(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * How the end of a turn is to be written: an update of the row of this id, or a new row.
 *
 * `arguments` is a JSON object:
 *
 * - "assistantId"?: string
 *
 * `result` receives FinalizePlan, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_plan_finalize_assistant(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * The sum of two usages; nothing when there is neither.
 *
 * `arguments` is a JSON object:
 *
 * - "acc"?: Usage
 * - "step"?: Usage
 *
 * `result` receives Usage, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when there is
 * nothing.
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_accumulate_step_usage(const char *arguments,
                                               size_t arguments_len,
                                               struct turnkeep_bytes *result,
                                               struct turnkeep_error **error);

/**
 * The four figures of a usage that are kept; nothing when there is no usage.
 *
 * `arguments` is a JSON object:
 *
 * - "usage"?: StreamUsage
 *
 * `result` receives Usage, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when there is
 * nothing.
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_normalize_usage(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The message metadata that goes with a part of a stream: the chat's id at the start, usage at the end of a step or
 * of all; nothing for other parts.
 *
 * `arguments` is a JSON object:
 *
 * - "part": StreamedPart
 * - "chatId": string
 * - "cumulativeUsage"?: Usage
 *
 * `result` receives StreamMetadata, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
 * there is nothing.
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_stream_metadata(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * A chat as Markdown.
 *
 * `arguments` is a JSON object:
 *
 * - "title"?: string
 * - "chatId": string
 * - "rows": array of ChatRow
 * - "lang"?: string. A language tag; Russian for `ru…`, English otherwise.
 * - "labels"?: ExportLabels. Words of the host's own, in place of the language's.
 * - "exportedAt"?: string (ISO time). Now, unless given.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_build_chat_markdown(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * A chat as a JSON document, which `parseChatJson` reads.
 *
 * `arguments` is a JSON object:
 *
 * - "title"?: string
 * - "chatId": string
 * - "rows": array of ChatRow
 * - "exportedAt"?: string (ISO time). Now, unless given.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_build_chat_json(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * What a document of `buildChatJson` holds.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives ChatDocument, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_parse_chat_json(const char *arguments,
                                         size_t arguments_len,
                                         struct turnkeep_bytes *result,
                                         struct turnkeep_error **error);

/**
 * The language of exports for a language tag.
 *
 * `arguments` is a JSON object:
 *
 * - "tag"?: string
 *
 * `result` receives Lang, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_normalize_lang(const char *arguments,
                                        size_t arguments_len,
                                        struct turnkeep_bytes *result,
                                        struct turnkeep_error **error);

/**
 * The system prompt: the persona and what goes with it, between two copies of the safety text.
 *
 * `arguments` is a JSON object:
 *
 * - "workspaceName"?: string
 * - "adminPrompt"?: string. The persona for chats without a role.
 * - "roleInstructions"?: string
 * - "openedPage"?: PageRef. The page that the person has open.
 * - "mcpInstructions"?: array of McpGuidance. Guidance for the tools of connected servers.
 * - "productName"?: string. What the product is called, for the default persona.
 * - "extraRules"?: array of string. Rules that join the safety text. Nothing replaces it.
 * - "extraSystem"?: string. What else the host has to say, between the two copies of the safety text.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_build_system_prompt(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * What the tool `getCurrentPage` tells a model of the page that the person has open; null where there is no id.
 *
 * `arguments` is a JSON object:
 *
 * - "openedPage"?: PageRef
 *
 * `result` receives CurrentPage, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_resolve_current_page_result(const char *arguments,
                                                     size_t arguments_len,
                                                     struct turnkeep_bytes *result,
                                                     struct turnkeep_error **error);

/**
 * A chat title made of what a model wrote; null when nothing is left of it.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives string or null, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_clean_chat_title(const char *arguments,
                                          size_t arguments_len,
                                          struct turnkeep_bytes *result,
                                          struct turnkeep_error **error);

/**
 * What a model is asked for the title of a chat that begins with this text.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives TitlePrompt, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_chat_title_prompt(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * What a model is asked for the title of a page of this content.
 *
 * `arguments` is a JSON object:
 *
 * - "content": string
 *
 * `result` receives TitlePrompt, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_page_title_prompt(const char *arguments,
                                           size_t arguments_len,
                                           struct turnkeep_bytes *result,
                                           struct turnkeep_error **error);

/**
 * What is different about the last allowed step, which goes without tools; nothing for the others.
 *
 * `arguments` is a JSON object:
 *
 * - "stepNumber": number. From 0.
 * - "system": string
 * - "maxSteps"?: integer. 20 unless given.
 *
 * `result` receives StepOverride, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
 * there is nothing.
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_prepare_agent_step(const char *arguments,
                                            size_t arguments_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * A page title made of what a model wrote.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_clean_generated_title(const char *arguments,
                                               size_t arguments_len,
                                               struct turnkeep_bytes *result,
                                               struct turnkeep_error **error);

/**
 * A failure of a provider on one line.
 *
 * `arguments` is a JSON object:
 *
 * - "err"?: any JSON. Text, or an error or object of which `message`, `statusCode`, `responseBody` and `text` are
 *   read.
 * - "fallback"?: string. What is said where there is no message.
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_describe_provider_error(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * Whether asking the provider again is of no use.
 *
 * `arguments` is a JSON object:
 *
 * - "err"?: any JSON. As for `describeProviderError`.
 *
 * `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_is_fatal_provider_error(const char *arguments,
                                                 size_t arguments_len,
                                                 struct turnkeep_bytes *result,
                                                 struct turnkeep_error **error);

/**
 * The model that a role asks for; nothing when it asks for none.
 *
 * `arguments` is a JSON object:
 *
 * - "role"?: RoleRow
 *
 * `result` receives ModelOverride, as JSON, and is freed by turnkeep_bytes_free(). The status is TURNKEEP_DONE when
 * there is nothing.
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_role_model_override(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * How a recording of this media type is sent; not `ok` for audio that is not on the list.
 *
 * `arguments` is a JSON object:
 *
 * - "mime": string
 *
 * `result` receives AudioFormat, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_resolve_audio_format(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * Whether a tool server may have this address.
 *
 * `arguments` is a JSON object:
 *
 * - "ip": string
 *
 * `result` receives AddressVerdict, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_is_ip_allowed(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * Whether a tool server may have all of these addresses. The reason names none of them.
 *
 * `arguments` is a JSON object:
 *
 * - "addresses": array of ResolvedAddress
 *
 * `result` receives AddressVerdict, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_validate_resolved_addresses(const char *arguments,
                                                     size_t arguments_len,
                                                     struct turnkeep_bytes *result,
                                                     struct turnkeep_error **error);

/**
 * The search hits that the person may see, the best one of each page.
 *
 * `arguments` is a JSON object:
 *
 * - "hits": array of PageHit
 * - "accessiblePageIds": array of string
 * - "cap": number
 *
 * `result` receives array of ShownHit, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_select_accessible_hits(const char *arguments,
                                                size_t arguments_len,
                                                struct turnkeep_bytes *result,
                                                struct turnkeep_error **error);

/**
 * A name made of the characters that tool names may have.
 *
 * `arguments` is a JSON object:
 *
 * - "value": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_sanitize_tool_name(const char *arguments,
                                            size_t arguments_len,
                                            struct turnkeep_bytes *result,
                                            struct turnkeep_error **error);

/**
 * The prefix of the names of a server's tools.
 *
 * `arguments` is a JSON object:
 *
 * - "serverName": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_tool_name_prefix(const char *arguments,
                                          size_t arguments_len,
                                          struct turnkeep_bytes *result,
                                          struct turnkeep_error **error);

/**
 * A tool name, cut to the length that providers accept.
 *
 * `arguments` is a JSON object:
 *
 * - "value": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_cap_tool_name(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * A tool name that is not among those that are taken.
 *
 * `arguments` is a JSON object:
 *
 * - "name": string
 * - "serverId": string
 * - "taken": array of string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_disambiguate_tool_name(const char *arguments,
                                                size_t arguments_len,
                                                struct turnkeep_bytes *result,
                                                struct turnkeep_error **error);

/**
 * The chunks of a text for embedding.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 * - "options"?: SplitOptions
 *
 * `result` receives array of string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_split_text(const char *arguments,
                                    size_t arguments_len,
                                    struct turnkeep_bytes *result,
                                    struct turnkeep_error **error);

/**
 * Whether a model has fallen into repeating itself.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_is_degenerate_output(const char *arguments,
                                              size_t arguments_len,
                                              struct turnkeep_bytes *result,
                                              struct turnkeep_error **error);

/**
 * The text without the repetitions at its end.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_truncate_degenerate_output(const char *arguments,
                                                    size_t arguments_len,
                                                    struct turnkeep_bytes *result,
                                                    struct turnkeep_error **error);

/**
 * The text as databases take it: U+0000 and half a surrogate pair, which JavaScript's strings may hold, become
 * U+FFFD.
 *
 * `arguments` is a JSON object:
 *
 * - "text": string
 *
 * `result` receives string, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_storable_text(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * The newest messages that fit into a budget.
 *
 * `arguments` is a JSON object:
 *
 * - "messages": array of ModelMessage
 * - "options": TrimOptions
 *
 * `result` receives TrimmedHistory, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_trim_history(const char *arguments,
                                      size_t arguments_len,
                                      struct turnkeep_bytes *result,
                                      struct turnkeep_error **error);

/**
 * The source that a write of a page carries: the agent's once the agent has had a part in it.
 *
 * `arguments` is a JSON object:
 *
 * - "gathered"?: EditSource. That of the edits which the write has gathered so far; none for its first.
 * - "edit": EditSource. That of the edit which joins them.
 *
 * `result` receives EditSource, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_resolve_edit_source(const char *arguments,
                                             size_t arguments_len,
                                             struct turnkeep_bytes *result,
                                             struct turnkeep_error **error);

/**
 * Whether a page must be kept as a snapshot of its history before it is written: what is in no snapshot yet is a
 * person's, and the write the agent's, or the other way round.
 *
 * `arguments` is a JSON object:
 *
 * - "lastSource"?: string. The source of the page's last write, as its row has it: `agent`, or any other word for a
 *   person.
 * - "source": EditSource. That of the write.
 * - "pending": boolean. Whether the page has changes that are in no snapshot yet.
 *
 * `result` receives boolean, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_cuts_snapshot(const char *arguments,
                                       size_t arguments_len,
                                       struct turnkeep_bytes *result,
                                       struct turnkeep_error **error);

/**
 * What a tool with effects carries out in the transaction in which it changes something, once and before it commits:
 * it notes there that the call has been done. The statement fails where the call was done before, was given up, or
 * its run has ended; the transaction then has to be rolled back.
 *
 * `arguments` is a JSON object:
 *
 * - "effect": ToolEffect. What the call has come with.
 * - "result"?: any JSON. The call's output, which the model is told if the process ends before it can be told
 *   otherwise.
 * - "placeholders"?: Placeholders. How the client library writes the places of parameters; as the database does
 *   unless given.
 * - "schema"?: string. The schema of PostgreSQL that turnkeep's tables are in; the connection's own unless given.
 *
 * `result` receives EffectStatement, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_effect_statement(const char *arguments,
                                          size_t arguments_len,
                                          struct turnkeep_bytes *result,
                                          struct turnkeep_error **error);

/**
 * A tool server without the values of its headers: their names only.
 *
 * `arguments` is a JSON object:
 *
 * - "server": McpServer
 *
 * `result` receives McpServerView, as JSON, and is freed by turnkeep_bytes_free().
 *
 * Errors: INVALID_INPUT naming the field.
 *
 * The caller sees to it that:
 * `arguments` is NULL or holds `arguments_len` bytes; `result` and `error` are NULL or may be written to.
 */
turnkeep_status turnkeep_to_view(const char *arguments,
                                 size_t arguments_len,
                                 struct turnkeep_bytes *result,
                                 struct turnkeep_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* TURNKEEP_H */

/*
 * The JSON that these functions take and give, type by type. "?" stands behind a member that may be absent.
 *
 * Actor: Who acts where rights matter, as the host says: the engine knows nobody's rights.
 *   "userId": string. The user.
 *   "isAdmin": boolean. Whether they may manage the workspace's settings.
 *
 * ActorRule: Whether operations on settings must say who acts.
 *   "optional": They may: where nobody acts, the host has looked who asks.
 *   "required": They must, so that nothing is open because it was forgotten.
 *
 * AddressVerdict: Whether an address is allowed, and if not, why.
 *   "ok": boolean
 *   "reason"?: string
 *
 * AgentRole: A role as the administrators of its workspace see it.
 *   "id": string. Its id.
 *   "name": string. Its name, which no other role of the workspace has that is not deleted.
 *   "emoji": string or null. A sign for lists.
 *   "description": string or null. What it is for.
 *   "instructions": string. The persona of its chats.
 *   "modelConfig": RoleModelConfig or null. The model that it wants.
 *   "enabled": boolean. Whether chats may be begun with it. A chat that has it goes on without it while it is
 *       disabled.
 *   "autoStart": boolean. Whether a client sends the launch message by itself when a chat is begun with the
 *       role.
 *   "launchMessage": string or null. What a client sends to begin with.
 *   "createdAt": string. When it was created.
 *   "updatedAt": string. When it was last changed.
 *
 * AgentRoleSummary: A role as everybody in its workspace sees it: what it takes to choose one.
 *   "id": string. Its id.
 *   "name": string. Its name.
 *   "emoji": string or null. A sign for lists.
 *   "description": string or null. What it is for.
 *   "enabled": boolean. Whether chats may be begun with it.
 *   "autoStart": boolean. Whether a client sends the launch message by itself when a chat is begun with the
 *       role.
 *   "launchMessage": string or null. What a client sends to begin with.
 *
 * AllowRule: Calls that a tainted turn may make without being asked. All that the rule says has to fit.
 *   "tool": string. The tool's name; or the beginning of names, with "*" behind it ("*" alone: all tools).
 *   "arguments"?: any JSON. A JSON Schema that the call's arguments have to fit, as they have been checked
 *       against the tool's own; all arguments unless given.
 *   "origin"?: array of string. Where everything that the turn has read from outside may be from: "server:NAME",
 *       "tool:NAME", "provider:NAME", "provider:sources", "page". Anything else that it has read, and the rule does
 *       not count. From anywhere unless given.
 *
 * Answered: What has come of an answer.
 *   "runId": string. The run.
 *   "callId": string. The call.
 *   "waiting": integer. How many calls of the run wait still; with none it goes on.
 *
 * ApprovalPolicy: Which calls of a tool somebody has to allow.
 *   - "never"
 *   - "always"
 *   - {"when": any JSON}
 *
 * AssistantFlush: What the row of an assistant's message is to hold.
 *   "content": string
 *   "toolCalls": array of TraceEntry or null
 *   "metadata": AssistantMetadata
 *   "status": MessageStatus
 *
 * AssistantMetadata: The metadata of an assistant's message that such a host stores.
 *   "parts": array of AssistantPart
 *   "finishReason"?: string
 *   "usage"?: Usage
 *   "contextTokens"?: integer
 *   "maxContextTokens"?: integer
 *   "error"?: string
 *
 * AssistantPart: A part of an assistant's message as such hosts store it.
 *   - SaidPart
 *   - ToolOutcomePart
 *   - DynamicOutcomePart
 *   - KeptPart
 *   - DataPart
 *
 * AudioFormat: How a recording is sent.
 *   - TakenAudio
 *   - RefusedAudio
 *
 * BegunRun: A run that the host drives.
 *   "runId": string. The run.
 *   "chatId": string. Its chat.
 *   "messageId": string. The assistant's message, whose row the engine writes.
 *   "repeated": boolean. The run had been begun before, with the same idempotency key; it is not to be driven
 *       again.
 *
 * Busy: What to do when a chat is busy: refuse with "A_RUN_ALREADY_ACTIVE", wait until it is free, or stop the run
 * that is named and take its place.
 *   - "reject"
 *   - "enqueue"
 *   - {"supersede": string}
 *
 * CallKind: What a provider was called for.
 *   "step": A step of a run.
 *   "publicStep": A step of a run for a visitor of public pages.
 *   "title": The title of a chat or of a page.
 *   "test": A try of what a workspace has configured for chats.
 *   "embeddings": Vectors.
 *   "transcription": A transcript.
 *
 * CallOptions: How a model is to answer. What is not set is left to the provider; what a provider does not know is
 * left out. Numbers are sent as they were written.
 *   "maxOutputTokens"?: integer. How many tokens the answer may have.
 *   "temperature"?: number. Randomness, from 0; what the highest is depends on the provider.
 *   "topP"?: number. Nucleus sampling, 0 to 1.
 *   "topK"?: number. Sampling from this many tokens only.
 *   "frequencyPenalty"?: number. Against tokens that were used often.
 *   "presencePenalty"?: number. Against tokens that were used at all.
 *   "stopSequences"?: array of string. Texts that end the answer.
 *   "seed"?: number. For answers that can be repeated, where the provider supports it.
 *   "responseFormat"?: ResponseFormat. What the answer has to look like.
 *   "providerOptions"?: object of any JSON. What only one provider knows, by the provider's name, as the AI
 *       SDK's "providerOptions".
 *
 * Capability: What can be tried out of a workspace's settings.
 *   "chat": A model answers.
 *   "embeddings": Texts get vectors.
 *   "stt": Recordings are transcribed.
 *
 * Chat: A row of "ai_chats".
 *   "id": string. Its id.
 *   "workspaceId": string. The workspace that it belongs to.
 *   "creatorId": string. Its owner.
 *   "title": string or null. Its title, once it has one.
 *   "roleId": string or null. The role that it was created with.
 *   "pageId": string or null. The page that was open when it was created.
 *   "createdAt": string. When it was created.
 *   "updatedAt": string. When it was last changed.
 *
 * ChatApiStyle: "openai-compatible", or the official API.
 *   "openai-compatible"
 *   "openai"
 *
 * ChatDocument: What a JSON export holds.
 *   "chatId": string
 *   "title"?: string
 *   "exportedAt"?: string
 *   "rows": array of ChatRow
 *
 * ChatIds: Which ids chats may be called by.
 *   "uuid": UUIDs.
 *   "any": Whatever a client has made up, too: it stands for one chat of this user in this workspace, always the
 *       same.
 *
 * ChatOptions: How chats are treated.
 *   "ids"?: ChatIds. Which ids they may be called by. Default "uuid".
 *   "unknownRole"?: UnknownRole. What becomes of one that is to be created with a role that is deleted, disabled
 *       or not there. A chat that has such a role goes on without it in any case. Default "refuse".
 *   "retentionMs"?: integer. Chats that have not been changed for so long, in milliseconds, are removed for
 *       good. They are kept by default.
 *   "deletedRetentionMs"?: integer. Chats that were deleted so long ago, in milliseconds, are removed for good.
 *       They are kept by default.
 *
 * ChatPage: A page of the list of chats.
 *   "items": array of ListedChat. The chats, newest first.
 *   "nextCursor": string or null. For "cursor": what comes after these; null at the end of the list.
 *   "prevCursor": string or null. For "beforeCursor": what comes before these; null at the list's beginning.
 *
 * ChatRow: A stored message, as far as it is read.
 *   "id"?: string
 *   "role": string
 *   "content"?: string or null
 *   "metadata"?: any JSON
 *   "status"?: string or null
 *   "createdAt"?: string (ISO time) or null
 *   Other members are passed over.
 *
 * ChunkHit: A chunk that was found.
 *   "pageId": string. Its page.
 *   "spaceId": string or null. The space of its page.
 *   "title": string or null. The title of its page.
 *   "chunkIndex": integer. Its number in the page.
 *   "start": integer. Where it begins in the page's chunks put together, in UTF-16 units.
 *   "length": integer. How long it is, in UTF-16 units.
 *   "content": string. The chunk, with the headings that lead to it.
 *   "snippet": string. Its beginning.
 *   "score": number. "1 / (60 + rank)" for each ranking that it has a place in, added up.
 *   "model": string. The model of its vector.
 *   "dimensions": integer. The dimensions of its vector.
 *
 * ClientRole: Who a client says that wrote a message.
 *   "system"
 *   "user"
 *   "assistant"
 *
 * CurrentPage: What a model is told of the page that the person has open.
 *   "page": CurrentPageRef or null
 *
 * CurrentPageRef: A page with its title.
 *   "id": string
 *   "title": string
 *
 * DataPart: A part for the client, which is kept and which no model is told.
 *   "type": string that begins with "data-"
 *   "id"?: string
 *   "data": any JSON
 *
 * DocmostAccess: A Docmost server, and how a turn uses it.
 *   "baseUrl": string. The server's address, with or without "/api" at its end. It must be a public one, or one
 *       that the option "http.allowPrivate" has.
 *   "token"?: string. The user's access token. Where it is not given it is asked for ("docmostTokens"). It is
 *       sent to "baseUrl", and kept nowhere: not for turns with "offeredTools", which others may drive.
 *   "tools"?: array of string. The names of the tools that the model has; unless given, all but those that
 *       change a part of a page. "getCurrentPage" it has in any case.
 *   "readOnly"?: boolean. Only tools that change nothing. Default false.
 *   "editInPlace"?: boolean. Also the tools that change a part of a page. They read it as the server last saved
 *       it and replace it as a whole: what somebody types there in the same seconds is lost. Default false.
 *
 * DocmostOptions: How Docmost servers are used.
 *   "requestTimeoutMs"?: integer. How long a request may take. Default 30000.
 *   "maxResponseBytes"?: integer. How many bytes an answer may have. A page that is larger cannot be read.
 *       Default 4194304.
 *
 * DocumentFormat: Which document a chat is exported as.
 *   "markdown"
 *   "json"
 *
 * DriverName: Which driver speaks to a provider.
 *   "openai"
 *   "openai-compatible"
 *   "gemini"
 *   "ollama"
 *   "anthropic"
 *
 * DynamicOutcomePart: The same of a tool that pages do not know.
 *   - {"state": "output-available", "type": DynamicToolType, "toolName": string, "toolCallId": string, "input":
 *       any JSON, "output": any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval"?: ToolApproval}
 *   - {"state": "output-error", "type": DynamicToolType, "toolName": string, "toolCallId": string, "input": any
 *       JSON, "errorText": string, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval"?: ToolApproval}
 *   - {"state": "output-denied", "type": DynamicToolType, "toolName": string, "toolCallId": string, "input": any
 *       JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON, "resultProviderMetadata"?:
 *       object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON, "approval": ToolApproval}
 *   - {"state": "approval-requested", "type": DynamicToolType, "toolName": string, "toolCallId": string,
 *       "input": any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval": ToolApproval}
 *   - {"state": "approval-responded", "type": DynamicToolType, "toolName": string, "toolCallId": string,
 *       "input": any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval": ToolApproval}
 *
 * DynamicToolType: The type of such a part.
 *   "dynamic-tool"
 *
 * EditSource: Who has edited.
 *   "user": A person.
 *   "agent": The agent of a chat.
 *
 * EffectDatabase: A database that a store and its tools have in common.
 *   "sqlite"
 *   "postgres"
 *
 * EffectStatement: A statement with its parameters.
 *   "sql": string
 *   "params": array of string or null
 *
 * EndStatus: How a run may end.
 *   "succeeded"
 *   "failed"
 *   "aborted"
 *
 * EndedMessageStatus: How a message may end.
 *   "completed"
 *   "error"
 *   "aborted"
 *
 * EngineOptions: How an engine is opened.
 *   "store": string. "sqlite:PATH", "sqlite::memory:" or "postgres://…".
 *   "instanceId"?: string. What this process is called in leases; every opening adds a unique part of its own.
 *       On PostgreSQL, what the same instance has left when it died is free as soon as it comes back.
 *   "appSecret"?: string. The secret that stored keys are sealed with. Without it no keys can be stored.
 *   "previousAppSecrets"?: array of string. Application secrets of before: what is sealed with them is read, and
 *       sealed anew with "appSecret" in the background.
 *   "secrets"?: SecretOptions. How keys are kept.
 *   "runs"?: RunLimits. Limits of runs.
 *   "providers"?: Providers. The providers, by name.
 *   "prompt"?: PromptOptions. What goes into every system prompt.
 *   "http"?: HttpOptions. How providers are reached.
 *   "mcp"?: McpOptions. How the tool servers of workspaces are used.
 *   "docmost"?: DocmostOptions. How Docmost servers are used, by turns that have them.
 *   "requests"?: RequestLimits. Limits of single requests.
 *   "generateChatTitles"?: boolean. Name chats that have no name after their first turn has succeeded, whoever
 *       drove it, by a second request to the workspace's model. Default false.
 *   "chats"?: ChatOptions. How chats are treated.
 *   "settings"?: SettingsOptions. Who may ask for workspaces' settings.
 *   "features"?: FeatureGates. What becomes of what a workspace has switched off: "enforce", "strict" or
 *       "report". Default "enforce".
 *   "limits"?: UsageLimits. What users and workspaces may use, counted in the store for all processes together.
 *   "prices"?: Prices. What models cost, by their ids: for budgets of money, and for reports.
 *   "usage"?: UsageOptions. How the ledger of calls to providers is kept.
 *   "errorText"?: ErrorText. In whose words pages are told why a run failed: "safe", or "provider". The outcome,
 *       the rows and the log have what the provider said in any case. Default "safe".
 *
 * ErrorText: In whose words pages are told why a run failed. The log, the rows and the outcome have the provider's in
 * any case.
 *   "safe": In a sentence of ours for each kind of failure.
 *   "provider": In those of the provider.
 *
 * ExistingRoles: What becomes of a new role whose name another role of the workspace has.
 *   "fail": Nothing is written: "ROLE_NAME_TAKEN".
 *   "skip": The role that is there stays as it is.
 *   "replace": The role that is there gets the fields of the new one, and keeps its id.
 *
 * ExportLabels: The words that a host may replace; what it leaves out stays in the export's language.
 *   "untitled"?: string. Title of a chat without one.
 *   "aiAgent"?: string. The model's name above its messages.
 *   "you"?: string. The person's name above theirs.
 *   "ranTool"?: string. What a tool without a label of its own is called; "{name}" stands for its name.
 *   "stillGenerating"?: string. The note under a message that is still being written.
 *   "tools"?: object of string. Labels of tools, by name.
 *
 * FailureKind: What kind of failure it is, in terms of what can be done about it.
 *   "authentication": The key is wrong, missing, or has no permission.
 *   "billing": The account has no credits left.
 *   "rate_limit": Too many requests for now.
 *   "context_overflow": The conversation is too long for the model.
 *   "model_not_found": There is no such model, or not for this account.
 *   "overloaded": The provider cannot answer at the moment.
 *   "unreachable": There is no way to the provider.
 *   "connection_lost": The connection broke off.
 *   "silence": The provider sent nothing for too long.
 *   "bad_response": The answer cannot be read, is not whole, or has nothing in it.
 *   "content_filter": The provider withheld the answer.
 *   "refused": The model would not answer.
 *   "invalid_request": The provider takes no such request.
 *   "limit": The answer passed one of the engine's limits.
 *   "internal": A bug of ours, or a store that refused a write for good.
 *
 * FallbackModel: A model that is asked when another one fails.
 *   "model": string. The model.
 *   "provider"?: ProviderChoice. Its provider: the name of a configured one or, in turns that bring their tools,
 *       settings. The turn's own unless given.
 *   "options"?: CallOptions. How it is to answer; what is not set is as its provider's settings say.
 *   "on"?: array of FailureKind. The kinds of failures in which it is asked: "rate_limit", "overloaded",
 *       "unreachable", "connection_lost", "silence", "bad_response", "billing" and "model_not_found" unless given.
 *
 * FeatureGates: What becomes of what a workspace has switched off: "chat", "autonomousRuns" and "dictation".
 *   "enforce": It is refused. What was never switched is on.
 *   "strict": It is refused. What was never switched is off, as in Docmost.
 *   "report": It is told to hosts, which look after it themselves. What was never switched is on.
 *
 * FinalizePlan: How the end of a turn is to be written.
 *   - {"kind": "update", "id": string}
 *   - {"kind": "insert"}
 *
 * FinishReason: Why the model stopped, in the AI SDK's words.
 *   "stop": It was done.
 *   "length": It ran into the output limit.
 *   "content-filter": Its output was withheld.
 *   "tool-calls": It wants its tool calls answered.
 *   "error": The stream broke or carried an error.
 *   "interrupted": It was cut short by whoever drives the loop; a word of the AI SDK 7, which clients of version
 *       6 are told as "other".
 *   "withdrawn": The answer broke off and was asked for again: the step is in the log and in no message. A word
 *       of ours.
 *   "other": Something else, or nothing was said; "unknown" in the words of earlier versions.
 *
 * FlushExtra: What is said of a message besides its steps.
 *   "finishReason"?: string
 *   "usage"?: StreamUsage or null
 *   "contextTokens"?: integer
 *   "maxContextTokens"?: integer
 *   "error"?: string
 *
 * Follow: A run to be followed by "tail", also when it has ended by then.
 *   "runId": string. The run.
 *   "messageId": string or null. The message that it writes.
 *   "cursor": string or null. Where to go on; null: with the first chunk.
 *
 * FoundMessage: A message that was found.
 *   "chatId": string. Its chat.
 *   "chatTitle": string or null. The chat's title, once it has one.
 *   "messageId": string. The message.
 *   "role": MessageRole. Who wrote it.
 *   "snippet": string. One line of its text, around the first word that was found.
 *   "createdAt": string. When it was written.
 *
 * GivenMessage: A message of a history that the host keeps itself, as clients of the AI SDK have it.
 *   "role": MessageRole. Who wrote it: "user" or "assistant".
 *   "parts": array of MessagePart. Its parts.
 *
 * Health: How the engine is.
 *   "store": StoreHealth. Its store.
 *   "notifications": NotificationHealth. Whether other processes are heard at once or by polling.
 *   "activeRuns": integer. Runs of this process, also those that wait for their chat.
 *
 * HttpOptions: How providers and tool servers are reached. Times are in milliseconds.
 *   "proxy"?: string. A proxy's URL, or "environment" for what "HTTP_PROXY", "HTTPS_PROXY" and "NO_PROXY" say.
 *       None otherwise: a proxy that somebody else put into the environment would see the traffic.
 *   "caFile"?: string. A file with certificates in PEM form that are trusted besides the machine's.
 *   "caPem"?: string. Such certificates themselves.
 *   "bundledRoots"?: boolean. Trust the certificate authorities that come with turnkeep, besides the machine's.
 *       Where the machine has none (slim container images), they are trusted in any case. Default false.
 *   "connectTimeoutMs"?: integer. How long a connection may take to open. Default 30000.
 *   "keepAliveMs"?: integer. How long an unused connection is kept. Shorter than what balancers allow, so that
 *       none is used that they have dropped. Default 10000.
 *   "maxTries"?: integer. How often a request is sent at most, when it is refused or lost before the first byte
 *       of an answer. Default 3.
 *   "retryWaitMs"?: integer. The wait before the second try of a request that a provider refused without saying
 *       when to come back; it doubles. After a lost connection it is a tenth of that. Default 1500.
 *   "allowPrivate"?: array of string. Hosts of private networks that workspaces may name in their settings: a
 *       name, an IP address or a network such as "10.0.0.0/8", with or without a port. Without them, settings lead
 *       to public addresses only. What the engine is opened with, and what a turn brings, may name any address.
 *   "userAgent"?: string. What requests say that they come from, in the header "User-Agent": some gateways
 *       account by it. "turnkeep/" and its version unless given.
 *
 * Idempotent: Whether doing something twice is as good as doing it once.
 *   - "No"
 *   - "Yes"
 *   - {"By": string}
 *
 * ImportOutcome: What an import has done with a role of its document.
 *   "created": There was none of its name.
 *   "replaced": The one that was there has its fields now.
 *   "skipped": The one that was there stays as it was.
 *
 * ImportedRole: A role of a document that was imported.
 *   "id": string. The role of this name that is there now.
 *   "name": string. Its name.
 *   "outcome": ImportOutcome. What was done.
 *
 * InProgress: What becomes of the message that the run in progress writes.
 *   "omit": It is left out, and whoever follows the run is told all of it.
 *   "include": It is there with its finished steps, and the cursor is behind these.
 *
 * IndexOutcome: What has become of a page.
 *   "indexed": Its chunks are in the place of those that were there.
 *   "unchanged": What is there was made of the same by the same model.
 *   "removed": It has no text, or lies in the trash: nothing of it is there any more.
 *
 * IndexStatus: What there is of a workspace in the index.
 *   "pages": integer. How many pages.
 *   "chunks": integer. How many chunks.
 *   "models": array of ModelIndex. By which models their vectors are.
 *
 * IndexedNow: A page that was given.
 *   "outcome": IndexOutcome. What was done.
 *   "chunks": integer. How many chunks of it there are now.
 *   "model": string or null. The model of their vectors; "null" where there are none.
 *   "dimensions": integer or null. Their dimensions; "null" where there are none.
 *
 * KeptPart: What else a step holds.
 *   - {"type": "step-start"}
 *   - {"type": "file", "mediaType": string, "url": string, "filename"?: string, "providerMetadata"?: object of
 *       any JSON}
 *   - {"type": "reasoning-file", "mediaType": string, "url": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "source-url", "sourceId": string, "url": string, "title"?: string, "providerMetadata"?: object of
 *       any JSON}
 *   - {"type": "source-document", "sourceId": string, "mediaType": string, "title": string, "filename"?: string,
 *       "providerMetadata"?: object of any JSON}
 *   - {"type": "custom", "kind": string, "providerMetadata"?: object of any JSON}
 *
 * Lang: A language of exports.
 *   "en"
 *   "ru"
 *
 * ListedChat: A chat as a list shows it.
 *   "id": string. Its id.
 *   "workspaceId": string. The workspace that it belongs to.
 *   "creatorId": string. Its owner.
 *   "title": string or null. Its title, once it has one.
 *   "roleId": string or null. The role that it was created with.
 *   "roleName": string or null. The role's name, while the role is in use.
 *   "roleEmoji": string or null. The role's emoji, while the role is in use.
 *   "pageId": string or null. The page that was open when it was created.
 *   "pageTitle": string or null. The page's title, where the database has the host's pages.
 *   "createdAt": string. When it was created.
 *   "updatedAt": string. When it was last changed.
 *
 * McpGuidance: What the administrators wrote about a connected tool server.
 *   "serverName": string
 *   "toolPrefix": string
 *   "instructions"?: string or null
 *
 * McpOptions: How the tool servers of workspaces are used. Times are in milliseconds.
 *   "connectTimeoutMs"?: integer. How long a server may take until its tools are known. A turn that asks for
 *       them begins as late as that, at most. Default 5000.
 *   "callTimeoutMs"?: integer. How long a call may take. Default 900000.
 *   "silenceMs"?: integer. How long a server may say nothing during a call. Default 300000.
 *   "keepMs"?: integer. How long a connection, and the list of tools that came over it, serves a workspace's
 *       next turns. Default 60000.
 *   "deferAbove"?: integer. If a turn's servers have more tools than this, the model is told a line of each
 *       instead of all of them, and asks for those that it needs ("loadTools"). All of them are told unless given.
 *   "maxResultBytes"?: integer. How many bytes of a result are kept; of more, a note says how much is missing.
 *       Default 1048576.
 *   "programs"?: object of McpProgram. Programs that speak the protocol over their input and output, by names
 *       that workspaces may use ("transport" "stdio"). There are none unless they are listed here: what runs on this
 *       machine is for whoever runs it to say.
 *
 * McpProgram: A program that is a tool server.
 *   "command": string. What is started.
 *   "args"?: array of string. Its arguments.
 *   "env"?: object of string. Its environment, besides "PATH". Nothing else of this process's environment is
 *       given to it.
 *
 * McpServer: A tool server's row, as far as it is read.
 *   "id": string
 *   "name": string
 *   "transport": string. "http" or "sse".
 *   "url": string
 *   "enabled"?: boolean or null
 *   "toolAllowlist"?: array of string or null. The tools that may be used; all of them when there is no list.
 *   "instructions"?: string or null
 *   "headers"?: object of string or null. The headers in the clear.
 *   "headersEnc"?: string or null. The headers as they are stored.
 *   Other members are passed over.
 *
 * McpServerView: What clients may see.
 *   "id": string. Its id.
 *   "name": string. Its display name.
 *   "transport": string. "http" or "sse".
 *   "url": string. Where it is, with what looks like a secret masked.
 *   "enabled": boolean. Whether its tools are offered.
 *   "toolAllowlist": array of string or null. The tools that may be used, or all.
 *   "hasHeaders": boolean. Whether requests carry headers of the administrator's.
 *   "instructions": string or null. Guidance for the model.
 *   "headerNames": array of string. The names of these headers, as far as they can be read.
 *
 * McpTested: What came of trying a tool server.
 *   "ok": boolean. Whether it answers.
 *   "error"?: string. Why it does not, in one line.
 *   "tools"?: array of string. Its tools, by its own names: those that a list of allowed tools may have.
 *   "leftOut"?: array of string. Why others of its tools cannot be used.
 *
 * McpTransport: Which wire a tool server speaks.
 *   "http": Streamable HTTP.
 *   "sse": Server-sent events, as servers had them before that.
 *   "stdio": The lines of a program that whoever runs the server allows.
 *
 * Message: A message as it is stored.
 *   "id": string
 *   "chatId": string
 *   "workspaceId": string. The workspace.
 *   "userId": string or null. Who wrote it, for a user's message.
 *   "role": MessageRole
 *   "content": string. Its text.
 *   "toolCalls": array of any JSON or null. The flat trace of its tool calls and results.
 *   "metadata": MessageMetadata or null
 *   "status": MessageStatus or null. How far it has come. Null: written before statuses existed, completed.
 *   "createdAt": string
 *   "updatedAt": string
 *   "errorText"?: string. What pages are told of its failure, where a host's function says it.
 *
 * MessageInput: What a user wrote: text, or a message as clients of the AI SDK have it.
 *   - string
 *   - UserMessage
 *
 * MessageMetadata: What a message's row says besides its text.
 *   "parts": array of MessagePart
 *   "finishReason"?: string
 *   "usage"?: Usage
 *   "contextTokens"?: integer. How full the context was.
 *   "maxContextTokens"?: integer. How much it holds.
 *   "error"?: string
 *   "failure"?: RunFailure
 *   "historyLeftOut"?: boolean. The model was not told of earlier messages of the chat.
 *   "reason"?: RunReason. Why its run did not succeed.
 *   "metadata"?: any JSON. The client's own, of a user's message.
 *   "stepsPersisted"?: integer. How many steps of the log the row shows.
 *   "truncatedOutputs"?: object of integer. The calls of whose outputs less is shown than there is, and how many
 *       bytes of JSON there are.
 *
 * MessagePage: A page of a chat's messages.
 *   "items": array of Message. The messages, in the order that was asked for.
 *   "nextCursor": string or null. For "cursor": what comes after these; null at the end of the list.
 *   "prevCursor": string or null. For "beforeCursor": what comes before these; null at the list's beginning.
 *
 * MessagePart: A part of a stored message, in the AI SDK's shapes.
 *   "type": string
 *   Other members are passed over.
 *
 * MessageRole
 *   "user"
 *   "assistant"
 *
 * MessageStatus
 *   "streaming"
 *   "completed"
 *   "error"
 *   "aborted"
 *
 * MessageVersion: One of the versions of a message.
 *   "current": boolean. Whether it is the one that the chat has now.
 *   "message": Message. The message.
 *
 * ModelIndex: The vectors of one model.
 *   "model": string. The model.
 *   "dimensions": integer. The dimensions of its vectors.
 *   "pages": integer. How many pages have them.
 *   "chunks": integer. How many chunks have them.
 *
 * ModelMessage: A message as models are told it, in any library's form.
 *   "role": string
 *   Other members are passed over.
 *
 * ModelOverride: The model that a role asks for.
 *   "driver"?: string
 *   "chatModel"?: string
 *   "roleName"?: string
 *
 * ModelPrice: What a model costs, in whatever unit of money the host counts.
 *   "input": number. A million tokens of prompts.
 *   "output": number. A million tokens of answers, reasoning included.
 *   "cachedInput"?: number. A million tokens of prompts that the provider had kept; as others unless given.
 *       Budgets count all of them as others.
 *
 * NoTools: No tools.
 *   "none"
 *
 * NotIndexed: Why a page of several could not be indexed. What was there of it is still there.
 *   "pageId": string. The page.
 *   "code": string. The code of its error.
 *   "message": string. What went wrong, in a line.
 *
 * NotificationHealth: What is known of the hints of a store.
 *   "state": NotificationState. Whether they arrive.
 *   "sent": integer. Notifications that this process has sent, each about any number of runs.
 *   "heard": integer. Notifications of other processes that have arrived.
 *
 * NotificationState: Whether hints arrive.
 *   "live": One of our own has arrived a moment ago.
 *   "polling": They do not arrive; everything is found by polling.
 *   "none": This store has none.
 *
 * OpenChat: A chat as it was at one moment.
 *   "messages": array of Message. The messages, oldest first.
 *   "follow": Follow or null. The run that brings what is missing of them; null when the chat is free.
 *
 * OutputTokenDetails
 *   "reasoningTokens"?: integer
 *
 * PageHit: What a search has found.
 *   "pageId": string
 *   "title"?: string or null
 *   "content"?: string or null
 *   Other members are passed over.
 *
 * PageRef: A page that a person has open.
 *   "id"?: string or null
 *   "title"?: string or null
 *   "untrusted"?: boolean. It is somebody else's: its title is content from outside, and taints the turn
 *       ("docs/taint.md").
 *
 * PageToIndex: A page as the host has it.
 *   "id": string. Its id: at most 255 bytes.
 *   "spaceId"?: string. The space that it is in: at most 255 bytes.
 *   "title"?: string. Its title, which stands above each of its chunks that are made of "content".
 *   "text"?: string. Its text, for pages without "content", or whose "content" has nodes that are not known.
 *   "content"?: any JSON. Its document, as ProseMirror and Tiptap write it: "{"type": "doc", "content": […]}".
 *   "trashed"?: boolean. It lies in the trash: nothing of it is to be found. Default false.
 *
 * PartChunk: A chunk that is a part of its message as well, or tells of a step.
 *   - {"type": "data-steering", "id": string, "data": any JSON}
 *   - {"type": "data-withdrawn", "id": string, "data": any JSON}
 *   - {"type": "data-model", "id": string, "data": any JSON}
 *   - {"type": "data-custom", "data": any JSON}
 *   - {"type": "data-reasoning-file", "data": any JSON}
 *   - {"type": "source-url", "sourceId": string, "url": string, "title"?: string, "providerMetadata"?: object of
 *       any JSON}
 *   - {"type": "source-document", "sourceId": string, "mediaType": string, "title": string, "filename"?: string,
 *       "providerMetadata"?: object of any JSON}
 *   - {"type": "file", "url": string, "mediaType": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "custom", "kind": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "reasoning-file", "url": string, "mediaType": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "steering-message", "id": string, "parts": array of MessagePart}
 *   - {"type": "reset-step"}
 *   - {"type": "tool-approval-response", "approvalId": string, "approved": boolean, "reason"?: string}
 *
 * PartState: Whether a part is whole.
 *   "streaming"
 *   "done"
 *
 * PendingMigration: A migration that opening a database would apply.
 *   "version": integer
 *   "name": string
 *   "additions": array of string. What it would add to the database as it is.
 *
 * Placeholders: How a client library writes the places of parameters: "?", "$1" or "%s".
 *   "question"
 *   "dollar"
 *   "format"
 *
 * Prices: What models cost, by their ids.
 *   object of ModelPrice
 *
 * PromptOptions: The host's share of the system prompt.
 *   "workspaceName"?: string. The workspace's name.
 *   "adminPrompt"?: string. The persona for chats without a role.
 *   "productName"?: string. What the product is called, for the default persona.
 *   "extraRules"?: array of string. Rules that join the safety text.
 *
 * Protocol: Which version of the AI SDK a client is of.
 *   "ai-6": "ai" 6, and whoever reads what "ai" 6 reads.
 *   "ai-7": "ai" 7, which takes back steps that are withdrawn, and knows of more that a step may hold.
 *
 * Provenance: What a claim says: an access is by the agent of this chat, on behalf of this user.
 *   "workspaceId": string. The workspace of the chat.
 *   "userId": string. The user whose chat it is.
 *   "chatId": string. The chat.
 *   "runId": string or null. The run, where the claim was signed for one.
 *   "expiresAt": string. From when on the claim is refused.
 *
 * ProviderChoice: The name of a configured provider, or settings of its own.
 *   - string
 *   - ProviderConfig
 *
 * ProviderConfig: Settings of one provider, given by the host at open or with a turn.
 *   "driver": DriverName. The driver: "openai", "openai-compatible", "gemini", "ollama" or "anthropic".
 *   "model"?: string. The model's id.
 *   "baseUrl"?: string. Where the API is, such as "https://api.example.com/v1"; the provider's own place when it
 *       is empty. User and password in it are sent as basic authentication, in the place of a key that would go in
 *       the same header.
 *   "apiKey"?: string. The key. It is sent to "baseUrl" and appears nowhere else.
 *   "contextWindow"?: integer. How many tokens the model's context holds.
 *   "options"?: CallOptions. How the model is to answer.
 *
 * Providers: The providers that a host configured, by name.
 *   object of ProviderConfig
 *
 * PublicTurn: A turn for a visitor of public pages. What the host says of the page decides first, in the order of
 * these members, and always with the same "NOT_FOUND"; then whether somebody can answer ("AI_NOT_CONFIGURED"),
 * whether there are tokens and requests left ("BUDGET_EXHAUSTED", "RATE_LIMITED"), and last what the visitor has
 * written.
 *   "enabled": boolean. Whether the workspace has an assistant on its public pages.
 *   "shareId": string. The share that the visitor has named.
 *   "pageId": string. The page that the visitor has named.
 *   "page"?: PageRef. The page as the host has found it, if visitors may read it in that share.
 *   "sharingAllowed": boolean. Whether workspace and space allow sharing.
 *   "shareTitle"?: string. What the shared pages are called.
 *   "messages": array of MessagePart. The conversation as the visitor's client has sent it: at most 30 messages
 *       of texts, each of at most 8,000 characters. The last one that counts must be the visitor's.
 *
 * Purged: What became of a chat that was removed for good.
 *   "scrubbed": boolean. Whether what it had left in the SQLite file has been overwritten, too. It is not while
 *       somebody reads an older state of the file, or where there is no room to write it anew; a later purge, of any
 *       chat, does it. On PostgreSQL, where the server reuses the space by itself, always true.
 *
 * RefusedAudio
 *   "ok": false
 *
 * Reindexed: What has become of several pages.
 *   "indexed": integer. How many were indexed.
 *   "unchanged": integer. How many were unchanged.
 *   "removed": integer. How many have no text or lie in the trash.
 *   "chunks": integer. How many chunks were written.
 *   "failed": array of NotIndexed. Those that could not be indexed.
 *
 * RemovedChunks: What was removed from the index.
 *   "chunks": integer. How many chunks.
 *
 * RequestLimits: How long requests outside of runs may take, in milliseconds.
 *   "embeddingTimeoutMs"?: integer. All requests of one call for embeddings together. Default 120000.
 *   "transcriptionTimeoutMs"?: integer. A transcript. Default 300000.
 *   "titleTimeoutMs"?: integer. A title. Default 60000.
 *   "testTimeoutMs"?: integer. A test of the chat settings. Default 30000.
 *   "pageCheckTimeoutMs"?: integer. The host's check of a page that a user has open; when it takes longer there
 *       is no page. Default 10000.
 *
 * ResolvedAddress: An address as resolvers give it.
 *   "address": string
 *   "family"?: integer
 *
 * ResponseFormat: What an answer has to look like. Without a schema it is any JSON.
 *   "schema"?: any JSON. Its JSON Schema.
 *   "name"?: string. What it is called.
 *   "description"?: string. What it is for.
 *
 * RoleDriver: The drivers that a role may name.
 *   "openai": OpenAI, or whatever speaks its protocol.
 *   "gemini": Gemini.
 *   "ollama": Ollama.
 *
 * RoleModelConfig: The model that a role's chats get, in place of the workspace's.
 *   "driver"?: RoleDriver
 *   "chatModel"?: string. At most 200 characters.
 *
 * RoleRow: A role's row, as far as it is read.
 *   "name"?: string or null
 *   "modelConfig"?: any JSON
 *   Other members are passed over.
 *
 * Run: A row of "ai_chat_runs", without what only the engine needs (owner, epoch, lease).
 *   "id": string. Its id.
 *   "chatId": string. The chat that it belongs to.
 *   "workspaceId": string. The workspace that it belongs to.
 *   "createdBy": string. Who began it.
 *   "trigger": Trigger. What began it.
 *   "status": RunStatus. Where it is.
 *   "reason": RunReason or null. Why it did not succeed.
 *   "error": string or null. The error in one line, when it failed.
 *   "failure": RunFailure or null. What kind of failure it was, when that is known.
 *   "waitingFor"?: array of WaitingCall. What a run waits for whose status is "waiting".
 *   "stepCount": integer. Steps in the log. The last one of a run that failed or was aborted may have been cut
 *       off.
 *   "stopRequestedAt": string or null. When a stop was asked for.
 *   "assistantMessageId": string or null. The message that shows it.
 *   "createdAt": string. When it was begun.
 *   "startedAt": string or null. When a process took it up.
 *   "finishedAt": string or null. When it settled.
 *   "updatedAt": string. When it was last written.
 *
 * RunBudget: What a turn may spend; what is not set is not limited. The last call may go beyond it.
 *   "tokens"?: integer. Tokens of all its calls, prompts included. Where a provider does not count, answers are
 *       estimated.
 *   "calls"?: integer. Calls of the model, the last of which is text only.
 *   "timeMs"?: integer. How long it may take, in milliseconds.
 *   "cost"?: number. How much money, in the unit of the option "prices", which must have the model that answers.
 *
 * RunFailure: A failure as outcomes, messages and streams carry it.
 *   "kind": FailureKind. What kind it is. A row may have one of another version's.
 *   "statusCode"?: integer. The HTTP status, or the one that an error inside of an answer stands for.
 *   "retryable": boolean. Whether the same turn may well succeed a little later.
 *   "message": string. One line for people.
 *
 * RunLimits: Limits of runs. Times are in milliseconds.
 *   "maxSteps"?: integer. Model calls in a turn, the last of which is text only. Default 20.
 *   "leaseMs"?: integer. How long a run stays its owner's without a sign of life; renewed at a third of it.
 *       Default 15000.
 *   "providerSilenceMs"?: integer. How long a provider may send nothing of its answer. Frames that carry none of
 *       it do not count. Default 900000.
 *   "firstChunkMs"?: integer. The same until the first piece of an answer, where that is to be different.
 *   "stepTimeoutMs"?: integer. How long a step may take, with its tools; a run that takes longer is aborted with
 *       what it has.
 *   "stepRetries"?: integer. How often a step is asked for again whose answer broke off: the connection was
 *       lost, the provider had too much to do or fell silent. What had streamed of it is withdrawn. At most 10.
 *       Default 1.
 *   "runTimeoutMs"?: integer. How long a run may take.
 *   "degenerationGuard"?: boolean. Abort a run whose model's output goes round in circles. Default true.
 *   "toolTimeoutMs"?: integer. How long a tool may take that does not say so itself. Default 900000.
 *   "maxAnswerBytes"?: integer. How many bytes one answer may have: its text, reasoning, files and the inputs of
 *       its calls. Default 33554432.
 *   "maxCallsPerStep"?: integer. How many tool calls one answer may have. Default 256.
 *   "maxParallelCalls"?: integer. How many of a step's calls run at once. Default 32.
 *   "inputCheckMs"?: integer. How long the input of a call may be checked against its schema. Default 2000.
 *   "historyMessages"?: integer. How many of a chat's newest messages a model is told, at most; at least 1.
 *       Default 100.
 *   "unknownMembers"?: UnknownMembers. What becomes of members of a tool's input that its schema does not allow,
 *       where the tool does not say. Default "strip".
 *   "shownOutputBytes"?: integer. How many bytes of a tool's output pages are shown, where the tool does not
 *       say. Default 262144.
 *   "stopPollMs"?: integer. How often stops from other processes are looked for. Default 250.
 *   "tailPollMs"?: integer. How often the log of a run of another process is looked at while somebody follows
 *       it. Default 100.
 *   "chunkRetentionMs"?: integer. How long the streamed chunks of a settled run are kept for readers that come
 *       back. Its steps stay. Default 600000.
 *   "supersedeTimeoutMs"?: integer. How long a run that is to be superseded may take to settle. Default 30000.
 *   "refreshEveryStep"?: boolean. Bring the message row up to date at every step, for hosts that read the table
 *       by themselves while a run goes on. Otherwise that is done about once a second while the row is small, and
 *       then at the end. Default false.
 *   "maxOfferedRuns"?: integer. How many runs of others an engine that offers tools drives at a time. Default
 *       64.
 *   "storePatienceMs"?: integer. For how long a write is attempted again while the store cannot be reached; then
 *       the run ends here. What can never succeed ends it at once. Default 600000.
 *   "stopDeadlineMs"?: integer. How long a host's own loop may take to finish a run that was asked to stop; then
 *       the engine settles it. Defaults to two leases.
 *   "hostedSilenceMs"?: integer. How long a host's own loop may record nothing; then its run is aborted as
 *       "timeout". Unlimited by default.
 *   "maxWaitingPerChat"?: integer. How many turns of one chat may wait for it. Default 20.
 *   "maxWaitingPerUser"?: integer. How many turns of one user may wait, in all chats. Default 200.
 *   "maxSteering"?: integer. How many messages may wait for a run that they are to join. Default 20.
 *   "taint"?: TaintMode. What becomes of calls that change something once their turn has read content from
 *       outside (results of tools that are "untrusted", of tool servers, and of tools that a provider runs): "off",
 *       "ask" (recommended) or "refuse". Default "off".
 *
 * RunOutcome: How a turn ended. It is given out only after it is on disk.
 *   "runId": string. The run.
 *   "chatId": string. Its chat.
 *   "messageId": string. The assistant's message.
 *   "status": EndStatus. "succeeded", "failed" or "aborted".
 *   "reason": RunReason or null. Why it did not succeed.
 *   "error": string or null. The error in one line, when it failed.
 *   "failure": RunFailure or null. What kind of failure it was, when it failed.
 *   "finishReason": FinishReason or null. The last step's finish reason.
 *   "usage": Usage or null. Tokens of all steps.
 *   "stepCount": integer. Steps in the log. The last one of a run that failed or was aborted may have been cut
 *       off.
 *   "warnings"?: array of RunWarning. What went wrong beside it, where that is known: only whoever drives a run
 *       knows it.
 *
 * RunReason: Why a run did not succeed.
 *   "stopped": Somebody asked it to stop.
 *   "superseded": Another run took its place.
 *   "disconnected": Its client went away and it was not detached.
 *   "worker_lost": The process that ran it died or lost its lease.
 *   "shutdown": The engine was closed.
 *   "timeout": A time limit ran out.
 *   "budget": A budget was spent.
 *   "degenerate": The model's output had fallen into a loop.
 *   "provider_error": The provider refused or failed.
 *   "internal": A bug of ours, or a store that refused a write for good.
 *
 * RunRequest: What a run of a host is begun with.
 *   "workspaceId": string. The workspace.
 *   "userId": string. The user.
 *   "chatId"?: string. The chat; it is created when there is none of this id, and when no id is given.
 *   "message"?: MessageInput. What the user wrote; nothing when the host has stored that itself.
 *   "roleId"?: string. The role of a chat that is created.
 *   "openPage"?: PageRef. The page that the user has open: what a client says of it where the engine has the
 *       host's check of pages, else resolved by the host.
 *   "trigger"?: Trigger. What begins the run. Default "api".
 *   "messageId"?: string. The message that is to be answered anew, or in the place of which the user has
 *       written; see "TurnRequest".
 *   "busy"?: Busy. What to do when the chat is busy: refuse, or supersede. The engine cannot begin a host's loop
 *       later. Default "reject".
 *   "idempotencyKey"?: string. A second begin of the same user with the same key begins nothing.
 *
 * RunSignal: Why a host is to end its loop.
 *   "stopped": Somebody asked the run to stop: cancel what is under way and finish it as "aborted".
 *   "superseded": Another run is to take its place: as "Stopped".
 *   "shutdown": The engine is closing. The run is settled without the host.
 *   "lease_lost": The run is another process's; nothing more can be written.
 *   "settled": The run has ended.
 *
 * RunStatus: Where a run is in its life. Only the last three are final.
 *   "pending": Waiting for its turn or for a worker.
 *   "running": Owned by a process.
 *   "waiting": Waiting for somebody's answer, as nobody's: there is no process, task or lease.
 *   "succeeded": Ended as it should.
 *   "failed": Ended by an error.
 *   "aborted": Ended from outside.
 *
 * RunStep: A finished step of a host's loop: the AI SDK's step result. Its "content" is taken where there is one;
 * otherwise reasoning, text, calls, files and sources. What of it cannot be kept is refused, with its place.
 *   "number"?: integer. Its place in the run, from 0; the next one unless given. Recording a step again changes
 *       nothing.
 *   "content"?: array of RunStepContent. Everything in its order.
 *   "reasoningText"?: string. What the model thought.
 *   "text"?: string. What it wrote.
 *   "toolCalls"?: array of RunStepCall. What it called.
 *   "toolResults"?: array of RunStepResult. What came back. An outcome of a call of another step has to name its
 *       tool, and is kept with this one.
 *   "toolErrors"?: array of RunStepError. What failed.
 *   "files"?: array of RunStepFile. Files that the model made.
 *   "sources"?: array of RunStepContent. What the answer rests on, each as an entry of "content" would be.
 *   "experimental_steeringMessages"?: array of RunStepMessage. Messages of the user that the step's model call
 *       was given besides, as the AI SDK 7 lists them.
 *   "finishReason"?: FinishReason. Why the model stopped.
 *   "usage"?: Usage. The provider's count for this call.
 *
 * RunStepCall: A tool call of a step.
 *   "toolCallId": string. Pairs the call with its outcome.
 *   "toolName": string. The tool.
 *   "input"?: any JSON. The arguments.
 *   "providerExecuted"?: boolean. The provider runs the tool itself.
 *   "dynamic"?: boolean. The tool is not one of those that pages know.
 *   "title"?: string. How pages are to call the tool.
 *   "toolMetadata"?: any JSON. What the host has noted of the tool.
 *   "providerMetadata"?: any JSON. What the provider wants to see again.
 *
 * RunStepContent: One entry of a step's content.
 *   "type": RunStepContentType
 *   "text"?: string. Of text and reasoning.
 *   "citations"?: any JSON. What a text rests on.
 *   "toolCallId"?: string. Of calls and their outcomes.
 *   "toolName"?: string. The tool.
 *   "input"?: any JSON. The arguments.
 *   "output"?: any JSON. What the tool returned.
 *   "error"?: any JSON. Why the tool failed: a text, or an object with a "message".
 *   "preliminary"?: boolean. Another output of the call follows.
 *   "providerExecuted"?: boolean. The provider runs the tool itself.
 *   "dynamic"?: boolean. The tool is not one of those that pages know.
 *   "title"?: string. How pages are to call the tool; of a source, its title.
 *   "toolMetadata"?: any JSON. What the host has noted of the tool.
 *   "approvalId"?: string. Of a question whether a call may be made, and of its answer.
 *   "toolCall"?: RunStepCall. The call that is asked for, or was.
 *   "approved"?: boolean. The answer.
 *   "reason"?: string. Why it is asked, or why it was answered so.
 *   "isAutomatic"?: boolean. The loop's own rules answer.
 *   "signature"?: string. What binds the question to its call.
 *   "inputSchemaInput"?: any JSON. The input before the loop has refined it.
 *   "sourceType"?: string. Of a source: "url" or "document".
 *   "id"?: string. Of a source.
 *   "url"?: string. Where a source is, or a file.
 *   "mediaType"?: string. Of a document or a file.
 *   "filename"?: string. Of a document or a file.
 *   "file"?: RunStepFile. Of a file that the model made.
 *   "kind"?: string. What a custom entry is: its provider, a dot, and the provider's word.
 *   "providerMetadata"?: any JSON. What the provider wants to see again.
 *
 * RunStepContentType: What an entry of a step's content is.
 *   "text": What the model wrote.
 *   "reasoning": What it thought.
 *   "source": What the answer rests on.
 *   "source-url": The same as pages have it.
 *   "source-document": The same as pages have it.
 *   "file": A file that the model made.
 *   "reasoning-file": A file that it made while it was thinking. This and what follows, but for calls, is of the
 *       AI SDK 7.
 *   "custom": What only its provider knows.
 *   "tool-call": A call.
 *   "tool-result": What a call returned.
 *   "tool-error": Why it failed.
 *   "tool-output-denied": It was denied.
 *   "tool-approval-request": Somebody is asked whether a call may be made.
 *   "tool-approval-response": What they said.
 *
 * RunStepError: A tool's failure: a text, or an object with a "message".
 *   "toolCallId": string. The call that failed.
 *   "toolName"?: string. The tool; needed when the call is not of this step.
 *   "input"?: any JSON. The arguments of a call that is not of this step.
 *   "error"?: any JSON. Why, as the tool said it.
 *   "errorText"?: string. Why, as the model was told.
 *
 * RunStepFile: A file that the model made.
 *   "mediaType"?: string. Its media type.
 *   "base64"?: string. What is in it, unless "url" says where it is.
 *   "url"?: string. Its URL or data URL.
 *   "filename"?: string. Its name.
 *   "providerMetadata"?: any JSON. What the provider wants to see again.
 *
 * RunStepMessage: A user's message.
 *   "content": RunStepMessageContent. What the user says: a text, or texts, images and files.
 *
 * RunStepMessageContent: A text, or texts, images and files.
 *   - string
 *   - array of RunStepMessagePart
 *
 * RunStepMessagePart: Text, an image or a file.
 *   "type": RunStepMessagePartType
 *   "text"?: string. Of text.
 *   "image"?: any JSON. An image: a URL, or what is in it as base64.
 *   "data"?: any JSON. A file: a URL, what is in it as base64, or either as the AI SDK 7 tags it.
 *   "mediaType"?: string. What kind of file it is.
 *   "filename"?: string. Its name.
 *   "providerOptions"?: any JSON. What providers are to be told with it.
 *
 * RunStepMessagePartType: What a part of a message is.
 *   "text": Text.
 *   "image": An image.
 *   "file": Any other file, or an image as well.
 *
 * RunStepResult: A tool's result.
 *   "toolCallId": string. The call that it answers.
 *   "toolName"?: string. The tool; needed when the call is not of this step.
 *   "input"?: any JSON. The arguments of a call that is not of this step.
 *   "output"?: any JSON. What the tool returned.
 *   "providerExecuted"?: boolean. The provider runs the tool itself.
 *   "dynamic"?: boolean. The tool is not one of those that pages know.
 *   "providerMetadata"?: any JSON. What the provider wants to see again.
 *
 * RunWarning: Something that went wrong beside a turn, which went on without it.
 *   "code": WarningCode. What.
 *   "server": string. The tool server, as its administrators call it.
 *   "message": string. In one line, what is known of it.
 *
 * SaidPart: What a model wrote or thought.
 *   - {"type": "text", "text": string, "state"?: PartState, "providerMetadata"?: object of any JSON,
 *       "citations"?: array of any JSON}
 *   - {"type": "reasoning", "text": string, "state"?: PartState, "providerMetadata"?: object of any JSON}
 *
 * SearchAnswer: What was found.
 *   "mode": SearchMode. By what.
 *   "hits": array of ChunkHit. The chunks, best first.
 *
 * SearchMode: By what pages are found.
 *   "hybrid": By meaning and by words.
 *   "text": By words alone.
 *
 * SecretForm: In which form secrets are sealed.
 *   "legacy": That of the system before, which it can read, and which is bound to no record.
 *   "current": Ours: bound to its record, and to the application secret by name.
 *
 * SecretOptions: How keys are kept.
 *   "write"?: SecretForm. The form in which keys are written: "legacy", which the system before reads, or
 *       "current". Defaults to "legacy" on a database of that system, and to "current" elsewhere. Both are read; on
 *       a database of turnkeep's own the old form, which is bound to no record, only with "legacy".
 *   "bindToAddress"?: boolean. Send a stored key nowhere but to the address that was set when it was entered:
 *       whoever changes the address enters the key anew. "false" is for hosts whose workspaces' administrators are
 *       trusted with the keys themselves. Default true.
 *
 * SecretRotation: What a rotation came to.
 *   "resealed": integer. Secrets that were sealed anew, or would be in a dry run.
 *   "unreadable": integer. Secrets that none of the application secrets opens. They stay as they are; people
 *       have to enter them again.
 *
 * SettingsOptions: Who may ask for workspaces' settings.
 *   "actor"?: ActorRule. Whether "settings.get", ".update" and ".test" must say who acts. Whoever is said to act
 *       must be an administrator in any case. Default "optional".
 *
 * SettingsPatch: A change of settings. What is absent stays; null takes a setting away. Keys are those of the driver
 * that is set: """" clears one, null leaves it.
 *   "driver"?: DriverName or null
 *   "chatModel"?: string or null
 *   "chatContextWindow"?: integer or null. Tokens that the model's context holds.
 *   "chatApiStyle"?: ChatApiStyle or null. "openai-compatible" where there is a base URL, unless set.
 *   "baseUrl"?: string or null
 *   "embeddingModel"?: string or null
 *   "embeddingBaseUrl"?: string or null. "baseUrl" unless set.
 *   "sttModel"?: string or null
 *   "sttBaseUrl"?: string or null. "baseUrl" unless set.
 *   "sttApiStyle"?: SttApiStyle or null
 *   "sttLanguage"?: string or null
 *   "systemPrompt"?: string or null. The persona for chats without a role.
 *   "publicShareChatModel"?: string or null
 *   "publicShareAssistantRoleId"?: string or null
 *   "apiKey"?: string or null
 *   "embeddingApiKey"?: string or null
 *   "sttApiKey"?: string or null
 *   "features"?: WorkspaceFeaturesPatch
 *
 * SettingsTest: What came of trying.
 *   "ok": boolean. Whether it works.
 *   "error"?: string. Why it does not, in one line.
 *
 * ShownHit: A hit that the person may see.
 *   "id": string
 *   "title": string
 *   "snippet": string
 *
 * ShownMessage: A message as pages show it.
 *   "id": string
 *   "role": MessageRole
 *   "metadata"?: ShownMetadata
 *   "parts": array of MessagePart
 *
 * ShownMetadata: How the stream told that a message ended, or a client's own metadata.
 *   "chatId"?: string
 *   "runId"?: string
 *   "usage"?: Usage
 *   "failure"?: RunFailure
 *   "status"?: MessageStatus
 *   "reason"?: RunReason
 *   "error"?: string
 *   "truncatedOutputs"?: object of integer
 *   "finishReason"?: string
 *   Other members are passed over.
 *
 * ShownRole: A role: all of it for administrators, what it takes to choose one for everybody else.
 *   - AgentRole
 *   - AgentRoleSummary
 *
 * SignedProvenance: A signed claim.
 *   "token": string. A JSON Web Token (HS256), to be sent along with what the agent does.
 *   "expiresAt": string. From when on it is refused.
 *
 * SplitOptions: How a text is split.
 *   "chunkSize"?: integer. No chunk is longer. 1000 unless given.
 *   "chunkOverlap"?: integer. How much of a chunk's end the next one may repeat. 200 unless given.
 *
 * Stateless: How a turn is that is not stored.
 *   "persona"?: string. The persona, whatever "roleId" says: that then gives the model only. At most 20,000
 *       characters.
 *   "public"?: PublicTurn. The turn is for a visitor of public pages.
 *
 * StatelessRun: What is kept of a turn that is not stored: whose it was, and how it ended.
 *   "id": string. Its id.
 *   "workspaceId": string. The workspace that it belongs to.
 *   "createdBy": string. Who began it.
 *   "status": RunStatus. Where it is.
 *   "reason": RunReason or null. Why it did not succeed.
 *   "error": string or null. The error in one line, when it failed.
 *   "stepCount": integer. How many steps it had.
 *   "stopRequestedAt": string or null. When a stop was asked for.
 *   "createdAt": string. When it was begun.
 *   "finishedAt": string or null. When it ended.
 *
 * SteerAnswer: That a message was accepted.
 *   "messageId": string. Its id.
 *   "place": SteeringPlace. Where it will be.
 *   "state": SteeringState. What has become of it so far.
 *
 * Steering: A message that was to join a run.
 *   "messageId": string. Its id: the client's own, or one that is made of it.
 *   "runId": string. The run that it was for.
 *   "chatId": string. The chat.
 *   "state": SteeringState. What has become of it.
 *   "step"?: integer. The step before whose answer it has entered.
 *   "message": any JSON. The user's message: "{"parts": [...], "metadata"?}".
 *   "createdAt": string. When it was accepted.
 *
 * SteeringPlace: Where a message that was accepted will be, as far as that is known when it is acknowledged.
 *   "this_run": In its run: before the answer of the next step, unless the run ends before that.
 *   "next_turn": In the chat's next turn: the run has ended, or is to stop.
 *   "nowhere": Nowhere: it was taken back.
 *
 * SteeringState: What has become of a message that was to join a run.
 *   "waiting": It waits: for the next step of its run, or for the chat's next turn once that run has ended.
 *   "entered": It is in the log of its run, before the model's answer of "step".
 *   "next_turn": Its run had ended: it is a message of the chat now, of the turn that came next.
 *   "taken_back": It was taken back before any of that.
 *
 * Step: One finished model call with its tool outcomes, such as an AI SDK StepResult. Only these members are read: of
 * a step with lists these, unless its content holds what they do not say; otherwise its content.
 *   "text"?: string or null
 *   "toolCalls"?: array of StepToolCall or null
 *   "toolResults"?: array of StepToolResult or null
 *   "toolErrors"?: array of StepToolError or null. The real text of failed calls.
 *   "content"?: array of RunStepContent or null. Everything in its order.
 *   "experimental_steeringMessages"?: array of RunStepMessage or null. Messages of the user that the step's
 *       model call was given besides, as the AI SDK 7 lists them.
 *   "usage"?: any JSON
 *
 * StepOverride: What is different about a step.
 *   "toolChoice": NoTools
 *   "system": string
 *
 * StepToolCall: A tool call of a step.
 *   "toolCallId": string
 *   "toolName": string
 *   "input"?: any JSON
 *
 * StepToolError: What came of a call that failed.
 *   "toolCallId": string
 *   "toolName": string
 *   "errorText": string
 *
 * StepToolResult: A tool's result.
 *   "toolCallId": string
 *   "toolName": string
 *   "output"?: any JSON
 *
 * StoreHealth: How the store is.
 *   "kind": StoreKind. "sqlite" or "postgres".
 *   "ok": boolean. Whether it has taken a write just now.
 *   "latencyMs"?: number. How long that took.
 *   "error"?: string. Why it has not answered.
 *
 * StoreKind: Which database a store is.
 *   "sqlite"
 *   "postgres"
 *
 * StreamFormat: What a stream is in.
 *   "ui": Chunks of the AI SDK's UI message stream.
 *   "ag-ui": Events of AG-UI 1.0.
 *
 * StreamMetadata: What "messageMetadata" carries: the ids in the first chunk, the usage so far after each step, how
 * it ended at the end.
 *   "chatId"?: string. The chat, which may have been created by this turn.
 *   "runId"?: string. The run.
 *   "usage"?: Usage. Tokens of all steps so far.
 *   "failure"?: RunFailure. What kind of failure ended the run.
 *   "status"?: EndedMessageStatus. The message's status, once that is final.
 *   "reason"?: RunReason. Why the run did not succeed.
 *   "error"?: string. The error in one line, when it failed.
 *   "waiting"?: true. The run has not ended: it waits for somebody's answer.
 *   "truncatedOutputs"?: object of integer. The calls of the step of whose outputs less is shown than there is,
 *       and how many bytes there are.
 *
 * StreamUsage: A usage as providers' libraries give it; "outputTokenDetails.reasoningTokens" wins over
 * "reasoningTokens".
 *   "inputTokens"?: integer
 *   "outputTokens"?: integer
 *   "totalTokens"?: integer
 *   "reasoningTokens"?: integer
 *   "outputTokenDetails"?: OutputTokenDetails
 *   Other members are passed over.
 *
 * StreamedPart: A part of a stream of the AI SDK, as far as it is read.
 *   "type": string
 *   "totalUsage"?: StreamUsage
 *   Other members are passed over.
 *
 * SttApiStyle: How recordings are sent.
 *   "multipart"
 *   "json"
 *
 * TailCursor: A cursor as it was given out, or its number.
 *   - integer
 *   - string
 *
 * TailEnd: How the run that was followed ended.
 *   "status": EndStatus. A final status.
 *   "reason": RunReason or null. Why it did not succeed.
 *   "error": string or null. The error in one line, when it failed.
 *
 * TailItem: A chunk of a run's log.
 *   "cursor": string. Where to go on after this chunk.
 *   "chunk": UIMessageChunk
 *   "resync"?: boolean. The place that was asked for is not known any more: what follows begins anew and
 *       replaces what was read before.
 *
 * TailStart: Where a tail begins: with finished steps in compact form, or chunk by chunk.
 *   "snapshot"
 *   "start"
 *
 * TaintMode: What becomes of calls that change something, once their turn has read content from outside.
 *   "off": They are made as any other.
 *   "ask": Somebody has to allow them first. In runs that cannot wait they are refused.
 *   "refuse": They are refused: the model is told why.
 *
 * TaintSource: Content from outside that a turn has read: the first of its origin.
 *   "origin": string. Where it is from: "server:NAME" for a tool of a tool server, "tool:NAME" for any other
 *       tool, "provider:NAME" for one that the provider runs itself, "provider:sources" for pages that it says it
 *       has used, "page" for the page that is open.
 *   "toolName"?: string. The tool.
 *   "toolCallId"?: string. Its call.
 *   "earlier"?: true. The call is one of an earlier turn, of which the model is told.
 *
 * TakenAudio
 *   "ok": true
 *   "baseMime": string
 *   "format": string
 *
 * Tier: When a model is told of a tool.
 *   "core": Whole, from the first step on.
 *   "deferred": In a line, until it asks for it.
 *
 * TitlePrompt: What a model is asked for a title.
 *   "system": string. The system prompt.
 *   "prompt": string. The user's message.
 *
 * ToldPart: A part that a model can be told.
 *   - {"type": "text", "text": string, "state"?: PartState}
 *   - {"type": "file", "mediaType": string, "url": string, "filename"?: string}
 *   - {"type": "step-start"}
 *
 * ToolApproval: That somebody is asked for a call, and what was said.
 *   "id": string
 *   "approved"?: boolean
 *   "reason"?: string
 *   "requestReason"?: string
 *   "isAutomatic"?: boolean
 *   "signature"?: string
 *   "inputSchemaInput"?: any JSON
 *
 * ToolDefinition: What the model is told of a tool, and how turnkeep treats it.
 *   "name": string. Letters, digits, "_" and "-", at most 64 of them.
 *   "description"?: string. What it does and when to use it, for the model.
 *   "inputSchema"?: any JSON. The JSON Schema of its arguments; an object without properties unless given.
 *   "validatesInput"?: boolean. The tool checks its input itself, and may clean it: the schema is only what the
 *       model is told. Default false.
 *   "readOnly"?: boolean. It changes nothing. The calls of other tools are put on disk before they run. Default
 *       false.
 *   "untrusted"?: boolean. What it returns, and what its errors say, is content from outside: pages of others,
 *       mails, the web. With "taint", a turn that was told of it may not change anything any more by itself. A tool
 *       that only sometimes returns such content says so in its output instead, an object with "untrusted: true".
 *       Default false.
 *   "timeoutMs"?: integer. How long a call may take, in milliseconds; the engine's "runs.toolTimeoutMs" unless
 *       given.
 *   "unknownMembers"?: UnknownMembers. What becomes of members that the schema does not allow; the engine's
 *       "runs.unknownMembers" unless given.
 *   "shownOutputBytes"?: integer. How many bytes of an output's JSON pages are shown, while it streams and ever
 *       after; beyond that it is shown in a shorter form of the same shape. The engine's "runs.shownOutputBytes"
 *       unless given.
 *   "approval"?: ApprovalPolicy. Which of its calls somebody has to allow first: "never", "always", or "{when:
 *       SCHEMA}" for those whose input fits this JSON Schema. The run waits meanwhile, for as long as it takes.
 *       Default "never".
 *   "editableInput"?: boolean. Whoever allows a call may change its input, within the input's schema. Default
 *       false.
 *   "answerSchema"?: any JSON. The tool is a question to a person, and this is the JSON Schema of the answer,
 *       which is the call's output. Nothing is run.
 *   "clientSide"?: boolean. The tool is the client's: the call's output is what the client says. Nothing is run
 *       here. Default false.
 *   "answerers"?: array of string. Users who may allow or answer its calls, instead of the chat's owner.
 *   "expiresAfterMs"?: integer. After how many milliseconds a call that waits has expired, and counts as not
 *       allowed or not answered; never unless given.
 *   "effects"?: boolean. Everything that a call changes it changes in one transaction in the store's own
 *       database, in which it also carries out the statement that it is given for that. Whoever goes on after a
 *       death knows then whether it was done; if not, it is made again. Default false.
 *   "idempotent"?: Idempotent. A call that is made twice does no more than one that is made once: "true", or
 *       "{key: NAME}" where a member of the input is what tells such calls apart. Whoever goes on after a death
 *       makes it again, with the same key. Default "No".
 *   "tier"?: Tier. "core" tools are told to the model whole, from the first step on. Of a "deferred" one it is
 *       told a line, in the tool "loadTools", by which it makes those callable that it needs, for the rest of the
 *       turn. Default "core".
 *   "catalogLine"?: string. That line; the beginning of the description unless given.
 *
 * ToolEffect: What a call of a tool with effects is noted by.
 *   "key": string. The call's name over all runs; the same whenever the call is made.
 *   "database"?: EffectDatabase. The store's database; none where nothing is stored of the turn.
 *
 * ToolOutcomePart: A tool call with its outcome, or one that somebody is asked for.
 *   - {"state": "output-available", "type": string that begins with "tool-", "toolCallId": string, "input": any
 *       JSON, "output": any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval"?: ToolApproval}
 *   - {"state": "output-error", "type": string that begins with "tool-", "toolCallId": string, "input": any
 *       JSON, "errorText": string, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval"?: ToolApproval}
 *   - {"state": "output-denied", "type": string that begins with "tool-", "toolCallId": string, "input": any
 *       JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON, "resultProviderMetadata"?:
 *       object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON, "approval": ToolApproval}
 *   - {"state": "approval-requested", "type": string that begins with "tool-", "toolCallId": string, "input":
 *       any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval": ToolApproval}
 *   - {"state": "approval-responded", "type": string that begins with "tool-", "toolCallId": string, "input":
 *       any JSON, "providerExecuted"?: boolean, "callProviderMetadata"?: object of any JSON,
 *       "resultProviderMetadata"?: object of any JSON, "title"?: string, "toolMetadata"?: object of any JSON,
 *       "approval": ToolApproval}
 *
 * TraceCall: A call in the trace.
 *   "toolName": string
 *   "input": any JSON
 *
 * TraceEntry: An entry of a message's trace. Calls as they come, then results; those of one step before those of the
 * next.
 *   - TraceCall
 *   - TraceResult
 *
 * TraceResult: A result in the trace.
 *   "toolName": string
 *   "output": any JSON
 *
 * Trigger: What began a run.
 *   "user": A person wrote.
 *   "autostart": A role that begins by itself.
 *   "schedule": A schedule.
 *   "api": A program.
 *   "regenerate": A person wants an answer anew.
 *   "continue": Going on where a run had ended.
 *
 * TrimOptions: How a history is trimmed.
 *   "budgetTokens": integer. How many tokens, as estimated here. At least one.
 *   "contextTokens"?: integer. What the provider counted for the last call. When that is more than the estimate,
 *       estimates are raised.
 *   "keepTurns"?: integer. How many of the newest turns are kept whatever they cost. At least one, and one
 *       unless given.
 *
 * TrimmedHistory: What of a history is kept.
 *   "messages": array of ModelMessage. As they were given.
 *   "trimmed": boolean. Whether something was left out.
 *   "estimatedTokens": integer
 *
 * TurnRequest: What a turn is begun with.
 *   "workspaceId": string. The workspace.
 *   "userId": string. The user.
 *   "chatId"?: string. The chat; it is created when there is none of this id, and when no id is given.
 *   "message"?: MessageInput. What the user wrote. It is passed over where an answer is generated anew, and
 *       needed otherwise.
 *   "roleId"?: string. The role of a chat that is created; a chat keeps the role that it was created with.
 *   "openPage"?: PageRef. The page that the user has open: what a client says of it where the engine has the
 *       host's check of pages, else resolved by the host.
 *   "pageTool"?: boolean. Give the model the tool "getCurrentPage", which answers "{page: {id, title}}", or
 *       "{page: null}" where no page is open. A tool of the host's own that is named so takes its place. Default
 *       false.
 *   "mcpTools"?: boolean. Give the model the tools of the workspace's enabled tool servers ("mcp.create"), named
 *       after their servers, with what the administrators say about them. Tools of the host's own that are named so
 *       take their place. A server that cannot be used is missing, and told in the outcome's "warnings". Default
 *       false.
 *   "docmost"?: DocmostAccess. Give the model tools for a Docmost server, by which it finds, reads and changes
 *       pages as the user, and "getCurrentPage". Tools of the host's own that are named so take their place.
 *   "tools"?: array of ToolDefinition. The tools of this turn, for hosts that answer calls through a mailbox.
 *   "provider"?: ProviderChoice. The provider; without it the one named "default", or the only one.
 *   "detached"?: boolean. "false": the run stops when its last reader goes away. Default true.
 *   "trigger"?: Trigger. What begins the turn. Default "user".
 *   "messageId"?: string. As the AI SDK's clients send it. With "regenerate-message": the answer that is to be
 *       generated anew, or the user's message that is to be answered anew; the newest answer unless given.
 *       Otherwise: the user's message that this one is written in the place of, with everything after it. What was
 *       there before stays as a version.
 *   "busy"?: Busy. What to do when the chat is busy. Default "reject".
 *   "idempotencyKey"?: string. A second turn of the same user with the same key begins nothing and follows the
 *       first.
 *   "offeredTools"?: array of string. Names of tools that engines offer ("offer_tools"), instead of "tools".
 *       Such a run is driven by any engine that offers all of them: this one if it does, else the first that takes
 *       it, and another one when that engine is closed or its process dies. Its model is the one that its workspace
 *       and role, or that engine's options, say.
 *   "holdsChat"?: boolean. Whether a run that waits for somebody's answer still holds its chat. "false": other
 *       turns may begin there meanwhile, and it goes on when the chat is free. Only with "offeredTools": other runs
 *       cannot wait. Default true.
 *   "workspaceName"?: string. The workspace's name, instead of "prompt.workspaceName".
 *   "mcpInstructions"?: array of McpGuidance. Guidance for tools of connected servers, between the rules that
 *       nothing can remove.
 *   "extraRules"?: array of string. Rules that join the safety text, after those of "prompt.extraRules".
 *   "extraSystem"?: string. What else the host has to say to the model, between the rules that nothing can
 *       remove.
 *   "maxSteps"?: integer. Model calls in this turn, the last of which is text only; "runs.maxSteps" unless
 *       given. 1 to 1000.
 *   "model"?: string. Another model of the provider that answers.
 *   "options"?: CallOptions. How the model is to answer in this turn; what is not set is as the provider's
 *       settings say.
 *   "budget"?: RunBudget. What this turn may spend. Once that is spent the run ends between two steps, as
 *       "aborted" with the reason "budget"; when four fifths of it are, the model is asked for its last answer.
 *   "protocol"?: Protocol. "ai-6" (the default) or "ai-7": what readers of this turn are told. Clients of
 *       version 7 of the AI SDK are told of steps that are withdrawn, of messages that join the run, and of what
 *       else only they know, by chunks of their own. Default "ai-6".
 *   "format"?: StreamFormat. "ui" (the default), or "ag-ui": events of AG-UI 1.0 instead of chunks of the AI
 *       SDK. Default "ui".
 *   "resumable"?: boolean. Every event of this turn's streams over HTTP has a place, its "id", from the first
 *       one on: what streams goes to disk as it streams. Otherwise that begins with the step after such a stream is
 *       first read. Default false.
 *   "retries"?: TurnRetries. How often what fails is asked for again.
 *   "taint"?: TaintMode. What becomes of calls that change something once the turn has read content from
 *       outside, instead of "runs.taint": "off", "ask" or "refuse".
 *   "taintAllow"?: array of AllowRule. Calls that the turn may make all the same.
 *   "fallbacks"?: array of FallbackModel. The models that are asked when the turn's own fails and asking it
 *       again is no use, in order: at most 10. Which one answers is told in the stream and stays in the message, as
 *       a part "data-model".
 *   "history"?: array of GivenMessage. What was said before, oldest first, where the host keeps that itself: the
 *       model is told this instead of the chat's stored messages.
 *   "stateless"?: Stateless. Nothing of the turn is stored but its record ("runs.getStateless") and what it
 *       uses: no chat, no message, no log. It is told "history", and streams, stops and is limited as any other; its
 *       ids are those of no chat.
 *
 * TurnRetries: How often a turn asks again.
 *   "step"?: integer. How often a step whose answer broke off is asked for again of the same model;
 *       "runs.stepRetries" unless given. 0 to 10.
 *
 * UIMessageChunk: One chunk of the stream. Serialized, it is the JSON that the AI SDK's client reads.
 *   - {"type": "start", "messageId": string, "messageMetadata": StreamMetadata}
 *   - {"type": "start-step"}
 *   - {"type": "text-start", "id": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "text-delta", "id": string, "delta": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "text-end", "id": string, "providerMetadata"?: object of any JSON, "citations"?: any JSON}
 *   - {"type": "reasoning-start", "id": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "reasoning-delta", "id": string, "delta": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "reasoning-end", "id": string, "providerMetadata"?: object of any JSON}
 *   - {"type": "tool-input-start", "toolCallId": string, "toolName": string, "providerExecuted"?: true,
 *       "providerMetadata"?: object of any JSON, "dynamic"?: true, "title"?: string, "toolMetadata"?: any JSON}
 *   - {"type": "tool-input-delta", "toolCallId": string, "inputTextDelta": string}
 *   - {"type": "tool-input-available", "toolCallId": string, "toolName": string, "input": any JSON,
 *       "providerExecuted"?: true, "providerMetadata"?: object of any JSON, "dynamic"?: true, "title"?: string,
 *       "toolMetadata"?: any JSON}
 *   - {"type": "tool-input-error", "toolCallId": string, "toolName": string, "input": any JSON,
 *       "providerExecuted"?: true, "providerMetadata"?: object of any JSON, "dynamic"?: true, "title"?: string,
 *       "toolMetadata"?: any JSON, "errorText": string}
 *   - {"type": "tool-output-available", "toolCallId": string, "output": any JSON, "providerExecuted"?: true,
 *       "providerMetadata"?: object of any JSON, "dynamic"?: true, "title"?: string, "toolMetadata"?: any JSON}
 *   - {"type": "tool-output-available", "toolCallId": string, "output": any JSON, "preliminary": true}
 *   - {"type": "tool-output-error", "toolCallId": string, "errorText": string, "providerExecuted"?: true,
 *       "providerMetadata"?: object of any JSON, "dynamic"?: true, "title"?: string, "toolMetadata"?: any JSON}
 *   - {"type": "tool-approval-request", "approvalId": string, "toolCallId": string, "reason"?: string,
 *       "isAutomatic"?: true, "signature"?: string, "inputSchemaInput"?: any JSON, "approvalDescriptor"?: any JSON,
 *       "answerReason"?: string}
 *   - {"type": "tool-output-denied", "toolCallId": string, "reason"?: RunReason}
 *   - {"type": "finish-step"}
 *   - {"type": "message-metadata", "messageMetadata": StreamMetadata}
 *   - {"type": "finish", "finishReason": FinishReason, "messageMetadata"?: StreamMetadata}
 *   - {"type": "abort", "reason": RunReason}
 *   - {"type": "error", "errorText": string}
 *   - PartChunk
 *
 * UiMessagePage: A page of a chat's messages as clients of the AI SDK have them.
 *   "items": array of ShownMessage. The messages, in the order that was asked for.
 *   "nextCursor": string or null. For "cursor": what comes after these; null at the end of the list.
 *   "prevCursor": string or null. For "beforeCursor": what comes before these; null at the list's beginning.
 *
 * UnknownMembers: What becomes of members of an input that its schema forbids by "additionalProperties: false".
 *   "strip": They are taken out before the tool sees the input.
 *   "refuse": The call is refused, and the model is told.
 *
 * UnknownRole: What becomes of a chat that is to be created with a role that is deleted, disabled or not there.
 *   "refuse": It is not created: "NOT_FOUND".
 *   "fallback": It is created without a role.
 *
 * Usage: Tokens of a step or of a turn. A field that the provider did not report is absent, not zero.
 *   "inputTokens"?: integer. Tokens of the prompt.
 *   "outputTokens"?: integer. Tokens of the answer, reasoning included.
 *   "totalTokens"?: integer. Both together.
 *   "reasoningTokens"?: integer. Of the answer's tokens, those spent on reasoning.
 *   "cachedInputTokens"?: integer. Of the prompt's tokens, those that the provider had kept from an earlier
 *       call.
 *
 * UsageBy: What a report is grouped by.
 *   "day": Days of UTC.
 *   "user": Users.
 *   "chat": Chats.
 *   "kind": What providers were called for.
 *   "model": Models.
 *
 * UsageLimits: What users and workspaces may use, over windows that slide with time. What is not set is not limited.
 *   "userRequests"?: Window. Turns that a user of a workspace may begin: "RATE_LIMITED" beyond that. What is
 *       refused is not counted.
 *   "workspaceRequests"?: Window. Turns that may be begun in a workspace: "RATE_LIMITED" beyond that.
 *   "workspaceTokens"?: Window. Tokens that the calls of a workspace may use: "BUDGET_EXHAUSTED" beyond that for
 *       turns, vectors, transcripts and titles, and a run that is in progress by then ends between two steps,
 *       aborted with the reason "budget". Before a call, its prompt and 1,000 tokens of answer, or
 *       "maxOutputTokens", are set aside; what it has really used counts in their place when it is done.
 *   "publicRequests"?: Window. Turns that visitors of a workspace's public pages may begin: 100 in an hour
 *       unless given.
 *   "publicTokens"?: Window. Tokens that the calls of these turns may use: a million in a day unless given.
 *
 * UsageLine: What calls that have something in common have used.
 *   "day"?: string. The day of UTC, as "2026-01-31", where days are told apart.
 *   "userId"?: string. The user, where users are told apart; null for calls of which that is not known.
 *   "chatId"?: string. The chat, where chats are told apart; null for calls for none.
 *   "kind"?: CallKind. What providers were called for, where that is told apart.
 *   "model"?: string. The model, where models are told apart; null for calls of which that is not known.
 *   "calls": integer. How many calls there were.
 *   "estimatedCalls": integer. Of these, those whose tokens are estimated, all or some: they were stopped, or
 *       the provider does not count.
 *   "inputTokens": integer. Tokens of prompts.
 *   "cachedInputTokens": integer. Of these, those that providers had kept from earlier calls.
 *   "outputTokens": integer. Tokens of answers.
 *   "reasoningTokens": integer. Of these, those spent on reasoning.
 *   "totalTokens": integer. Prompts and answers together.
 *   "cost": number. What all of it costs, by the option "prices" as it is now.
 *   "unpricedCalls": integer. Calls whose model has no price, and which are not in the cost.
 *
 * UsageOptions: How the ledger of calls to providers is kept.
 *   "retentionMs"?: integer. For how many milliseconds calls are kept in it, and at least as long as tokens are
 *       limited; for ever unless given.
 *
 * UsageReport: What was used.
 *   "lines": array of UsageLine. The lines: the newest day first, then by user, chat, kind and model.
 *   "total": UsageLine. All of them together, also those that were left out.
 *   "truncated": boolean. Whether lines were left out, because there are more than 10,000.
 *
 * UserMessage: A user's message as clients of the AI SDK have it.
 *   "id"?: string. The client's own id for it: kept where it is a UUID, else the message gets one that is made
 *       of it. A message that is in the chat already is "MESSAGE_EXISTS".
 *   "role"?: ClientRole. Only a user's message begins a turn; a client's type may allow others.
 *   "metadata"?: any JSON. Kept, and given back by "rowToUiMessage".
 *   "parts": array of UserMessagePart. At least one that says something.
 *
 * UserMessagePart: A part of a user's message.
 *   - ToldPart
 *   - DataPart
 *
 * WaitKind: What a call waits for.
 *   "approval": That somebody allows it.
 *   "question": What a person answers: that is its output.
 *   "client_tool": What a client has come to: that is its output.
 *
 * WaitingCall: A call that waits, as it is shown to those who may answer.
 *   "callId": string. The call.
 *   "kind": WaitKind. What it waits for.
 *   "toolName": string. Its tool.
 *   "input": any JSON. Its arguments.
 *   "schema"?: any JSON. The JSON Schema of the answer, or of an input that may be changed.
 *   "editable"?: true. Whether whoever allows it may change its input.
 *   "expiresAt"?: string. From when on nobody may answer.
 *   "token"?: string. Stands for exactly this call: an answer that names it is for nothing else. Engines without
 *       an application secret give none.
 *   "taintedBy"?: array of TaintSource. What the turn had read from outside when it made the call, the first of
 *       each origin; left out where it had read nothing, or "taint" is off.
 *
 * WaitingPage: A part of a list of runs that wait.
 *   "items": array of Run. The runs, with what they wait for.
 *   "nextCursor"?: string. Where the next part begins, if there may be one.
 *
 * WarningCode: What can go wrong beside a turn.
 *   "mcp_unavailable": A tool server could not be used: its tools are missing.
 *   "mcp_tool_left_out": A tool of a server cannot be used, and is missing.
 *   "mcp_tools_changed": A tool server has other tools than when the turn began.
 *   "mcp_call_failed": A call did not reach a tool server, or nothing came back.
 *
 * Window: So much in so long.
 *   "max": integer. How much.
 *   "windowMs": integer. In how many milliseconds, up to now.
 *
 * WorkspaceFeatures: What is on in a workspace.
 *   "chat": boolean. Chats, and titles of pages.
 *   "autonomousRuns": boolean. Turns that go on without a reader ("detached"), and runs that no person has begun
 *       ("trigger").
 *   "dictation": boolean. Speech to text.
 *
 * WorkspaceFeaturesPatch: Features to be switched on or off; null sets one back, and one that is absent stays.
 *   "chat"?: boolean or null
 *   "autonomousRuns"?: boolean or null
 *   "dictation"?: boolean or null
 *
 * WorkspaceSettings: A workspace's settings as they are stored and shown. Of keys only whether they are set.
 *   "driver"?: DriverName or null
 *   "chatModel"?: string or null
 *   "chatContextWindow"?: integer. Tokens that the model's context holds.
 *   "chatApiStyle"?: ChatApiStyle or null. "openai-compatible" where there is a base URL, unless set.
 *   "baseUrl"?: string or null
 *   "embeddingModel"?: string or null
 *   "embeddingBaseUrl"?: string or null. "baseUrl" unless set.
 *   "sttModel"?: string or null
 *   "sttBaseUrl"?: string or null. "baseUrl" unless set.
 *   "sttApiStyle"?: SttApiStyle or null
 *   "sttLanguage"?: string or null
 *   "systemPrompt"?: string or null. The persona for chats without a role.
 *   "publicShareChatModel"?: string or null
 *   "publicShareAssistantRoleId"?: string or null
 *   "hasApiKey": boolean
 *   "hasEmbeddingApiKey": boolean
 *   "hasSttApiKey": boolean
 *   "hasBaseUrlLogin"?: boolean. A user and a password were in the address; they are kept as a secret. Absent
 *       where there are none.
 *   "hasEmbeddingBaseUrlLogin"?: boolean
 *   "hasSttBaseUrlLogin"?: boolean
 *   "features": WorkspaceFeatures. What is on in the workspace; the engine's option "features" says what becomes
 *       of the rest.
 */
