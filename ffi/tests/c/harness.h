/* What the C tests share: a runner, texts, the scripted provider, and shorthands for turnkeep's own calls. */

#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "turnkeep.h"

/* ---- the runner -------------------------------------------------------------------------------------------- */

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}

/* Runs the tests, prints a line for each and "N passed, N failed, N skipped", and returns main's result. */
int run_tests(const struct test *tests, size_t count);

/* Ends the test that runs, as failed. Only on the thread that runs the tests. */
_Noreturn void fail_test(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) fail_test(__FILE__, __LINE__, "%s", #condition);                                             \
    } while (0)

/* ---- texts ------------------------------------------------------------------------------------------------- */

struct text {
    char *data;
    size_t len;
    size_t room;
};

void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds `value` as a JSON string. */
void add_json(struct text *text, const char *value);
void text_free(struct text *text);

bool contains(const char *text, const char *part);
#define REQUIRE_CONTAINS(text, part)                                                                                   \
    do {                                                                                                               \
        if (!contains(text, part)) fail_test(__FILE__, __LINE__, "no %s in %s", part, text);                           \
    } while (0)

/* Requires every part, each after the one before; the last part is NULL. */
void require_in_order(const char *file, int line, const char *text, const char *const *parts);
#define REQUIRE_IN_ORDER(text, ...)                                                                                    \
    require_in_order(__FILE__, __LINE__, text, (const char *const[]){__VA_ARGS__, NULL})

/* The first string value of this key, with no escapes in it; to be freed. */
char *string_field(const char *json, const char *key);

/* ---- files ------------------------------------------------------------------------------------------------- */

/* A path of its own in the scratch folder; to be freed. */
char *scratch_path(const char *suffix);
void write_file(const char *path, const char *data);

/* ---- the scripted provider --------------------------------------------------------------------------------- */

struct provider {
    pid_t pid;
    int to_child;
    int from_child;
    int port;
};

/* Answers of a script, in order. The text begins empty and is finished by provider_start(). */
void answer_begin(struct text *script);
void answer_text(struct text *script, const char *text);
void answer_call(struct text *script, int index, const char *id, const char *name, const char *arguments);
void answer_finish(struct text *script, const char *reason);
/* `then`: what happens after the last chunk: "end", "hang" or "reset". */
void answer_end(struct text *script, const char *then);
void answer_body(struct text *script, int status, const char *content_type, const char *body);
/* The answer of one text. */
void answer_with(struct text *script, const char *text);

/* Frees the script. */
struct provider provider_start(struct text *script, bool repeat);
/* Returns the requests that were seen, as a JSON array; to be freed. */
char *provider_stop(struct provider *provider);

/* ---- turnkeep ---------------------------------------------------------------------------------------------- */

/* Opens `store` with the provider, or with none for NULL. */
turnkeep_engine *open_engine(const char *store, const struct provider *provider);

/* {"workspaceId":"w","userId":"u","message":message} with `more` (such as ",\"a\":1") behind it. */
void add_request(struct text *request, const char *message, const char *more);

turnkeep_status start_status(turnkeep_engine *engine, const char *request, turnkeep_tool_callback callback, void *data,
                             turnkeep_turn **turn, turnkeep_error **error);
turnkeep_turn *start(turnkeep_engine *engine, const char *more, turnkeep_tool_callback callback, void *data);

/* Every chunk that is left, a line for each; to be freed. */
char *read_chunks(turnkeep_turn *turn);
/* Reads chunks until one contains `part`. */
void read_until(turnkeep_turn *turn, const char *part);
/* The outcome; to be freed. */
char *outcome_of(turnkeep_turn *turn);
/* One field of turnkeep_turn_ids(); to be freed. */
char *id_of(turnkeep_turn *turn, const char *key);

typedef turnkeep_status (*question)(const turnkeep_engine *, const char *, size_t, turnkeep_bytes *, turnkeep_error **);
/* Asks with {"workspaceId":"w","userId":"u",key:id}; the answer is to be freed. */
char *ask(turnkeep_engine *engine, question question, const char *key, const char *id);

/* Requires the error to be of this code, to contain this part in its JSON, and frees it. */
void require_error(const char *file, int line, turnkeep_status status, turnkeep_error **error, turnkeep_status code,
                   const char *part);
#define REQUIRE_ERROR(status, error, code, part) require_error(__FILE__, __LINE__, status, error, code, part)

/* ---- calls ------------------------------------------------------------------------------------------------- */

/* Takes calls over and keeps them until the test asks for them. */
struct inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    turnkeep_tool_call *calls[16];
    size_t received;
    size_t taken;
};

#define INBOX {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

/* The callback; its data is the inbox. */
void put_into_inbox(void *inbox, turnkeep_tool_call *call);
/* The next call, waited for. */
turnkeep_tool_call *take_from_inbox(struct inbox *inbox);
/* The call's JSON; to be freed. */
char *call_json(turnkeep_tool_call *call);
void respond(turnkeep_tool_call *call, const char *output);

#endif
