/* Logs that other processes follow, busy chats, keys, and runs that the host drives. A second engine on the same file
 * stands for another process. */

#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define NOBODY "01a2052e-08df-745a-b3b9-43ac3431e4d5"

struct pair {
    struct text store;
    struct provider provider;
    turnkeep_engine *engine, *other;
};

/* Two engines on one file. */
static struct pair pair_open(struct text *script) {
    struct pair pair = {.provider = provider_start(script, false)};
    char *path = scratch_path(".db");
    add(&pair.store, "sqlite:%s", path);
    free(path);
    pair.engine = open_engine(pair.store.data, &pair.provider);
    pair.other = open_engine(pair.store.data, &pair.provider);
    return pair;
}

static void pair_close(struct pair *pair) {
    turnkeep_engine_free(pair->engine);
    turnkeep_engine_free(pair->other);
    free(provider_stop(&pair->provider));
    text_free(&pair->store);
}

static turnkeep_status open_status(turnkeep_engine *engine, const char *run, const char *more, turnkeep_tail **tail,
                                   turnkeep_error **error) {
    struct text params = {0};
    add(&params, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"runId\":\"%s\"%s}", run, more);
    turnkeep_status status = turnkeep_tail_open(engine, params.data, params.len, tail, error);
    text_free(&params);
    return status;
}

static turnkeep_tail *tail_of(turnkeep_engine *engine, const char *run, const char *more) {
    turnkeep_tail *tail = NULL;
    REQUIRE(open_status(engine, run, more, &tail, NULL) == TURNKEEP_OK);
    return tail;
}

/* Adds the entries that are left, a line for each, up to one that contains `part` (NULL: to the end). `timeout_ms` is
 * that of every look. */
static void read_tail(turnkeep_tail *tail, const char *part, int64_t timeout_ms, struct text *entries) {
    add(entries, "%s", "");
    for (;;) {
        turnkeep_bytes item = {0};
        turnkeep_status status = turnkeep_tail_next(tail, timeout_ms, &item, NULL);
        if (status == TURNKEEP_TIMEOUT) {
            continue;
        }
        if (status == TURNKEEP_DONE) {
            REQUIRE(part == NULL);
            return;
        }
        REQUIRE(status == TURNKEEP_OK);
        add(entries, "%s\n", item.data);
        bool found = part != NULL && contains(item.data, part);
        turnkeep_bytes_free(&item);
        if (found) {
            return;
        }
    }
}

static char *whole_tail(turnkeep_engine *engine, const char *run, const char *more) {
    turnkeep_tail *tail = tail_of(engine, run, more);
    struct text entries = {0};
    read_tail(tail, NULL, -1, &entries);
    turnkeep_tail_free(tail);
    return entries.data;
}

/* The `number`th of the lines, and what follows. */
static const char *from_line(const char *lines, int number) {
    for (; number > 0; number--) {
        lines = strchr(lines, '\n');
        REQUIRE(lines != NULL);
        lines++;
    }
    return lines;
}

static void a_turn_is_followed_from_another_process(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "first ");
    for (int word = 0; word < 30; word++) {
        answer_text(&script, "word ");
    }
    answer_end(&script, "hang");
    struct pair pair = pair_open(&script);
    turnkeep_turn *turn = start(pair.engine, "", NULL, NULL);
    char *run = id_of(turn, "runId");
    /* One that waits, and one that only ever looks. */
    turnkeep_tail *tails[] = {tail_of(pair.other, run, ",\"from\":\"start\""), tail_of(pair.engine, run, "")};
    struct text logs[2] = {{0}, {0}};
    turnkeep_bytes bytes = {0};
    turnkeep_error *error = NULL;
    for (int i = 0; i < 2; i++) {
        read_tail(tails[i], "first ", i == 0 ? -1 : 0, &logs[i]);
        REQUIRE(turnkeep_tail_end(tails[i], &bytes, &error) == TURNKEEP_DONE);
    }
    int32_t stopped = 0;
    REQUIRE(turnkeep_turn_stop(turn, &stopped, NULL) == TURNKEEP_OK && stopped == 1);
    for (int i = 0; i < 2; i++) {
        read_tail(tails[i], NULL, i == 0 ? -1 : 0, &logs[i]);
        REQUIRE(turnkeep_tail_next(tails[i], -1, &bytes, &error) == TURNKEEP_DONE);
        REQUIRE(turnkeep_tail_end(tails[i], &bytes, &error) == TURNKEEP_OK);
        REQUIRE(strcmp(bytes.data, "{\"status\":\"aborted\",\"reason\":\"stopped\",\"error\":null}") == 0);
        turnkeep_bytes_free(&bytes);
        turnkeep_tail_free(tails[i]);
    }
    REQUIRE(!contains(logs[0].data, "resync"));
    REQUIRE_IN_ORDER(logs[0].data, "{\"cursor\":\"0\",\"chunk\":{\"type\":\"start\"", "{\"cursor\":\"1\",\"chunk\"",
                     "{\"cursor\":\"2\",\"chunk\"", "\"type\":\"abort\"");
    REQUIRE_IN_ORDER(logs[1].data, "\"type\":\"start\"", "first ", "\"type\":\"abort\"");
    /* From a place, by its number and as it was given out. */
    char *rest = whole_tail(pair.other, run, ",\"after\":4"), *again = whole_tail(pair.other, run, ",\"after\":\"4\"");
    REQUIRE(strcmp(rest, from_line(logs[0].data, 5)) == 0);
    REQUIRE(strcmp(rest, again) == 0);

    turnkeep_tail *tail = tail_of(pair.other, run, "");
    struct text events = {0};
    turnkeep_status status;
    while ((status = turnkeep_tail_next_sse(tail, -1, &bytes, &error)) == TURNKEEP_OK) {
        add(&events, "%s", bytes.data);
        turnkeep_bytes_free(&bytes);
    }
    REQUIRE(status == TURNKEEP_DONE && turnkeep_tail_next(tail, -1, &bytes, &error) == TURNKEEP_DONE);
    REQUIRE_IN_ORDER(events.data, "id: 0\ndata: {\"type\":\"start\"", "id: 0+1\ndata: ", "data: [DONE]\n\n");
    turnkeep_tail_free(tail);

    char *all[] = {run, rest, again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    text_free(&events);
    text_free(&logs[0]);
    text_free(&logs[1]);
    turnkeep_turn_free(turn);
    pair_close(&pair);
}

static void *read_until_closed(void *tail) {
    turnkeep_bytes item = {0};
    turnkeep_status status;
    while ((status = turnkeep_tail_next(tail, -1, &item, NULL)) == TURNKEEP_OK) {
        turnkeep_bytes_free(&item);
    }
    return (void *)(intptr_t)status;
}

static void a_tail_can_be_closed_and_outlives_its_engine(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "half");
    answer_end(&script, "hang");
    struct pair pair = pair_open(&script);
    turnkeep_turn *turn = start(pair.engine, "", NULL, NULL);
    read_until(turn, "half");
    char *run = id_of(turn, "runId");
    turnkeep_tail *tail = tail_of(pair.other, run, "");
    turnkeep_bytes bytes = {0};
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_tail_next(tail, -1, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "item");
    REQUIRE_ERROR(turnkeep_tail_next_sse(tail, -1, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "events");
    REQUIRE_ERROR(turnkeep_tail_end(tail, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "end");
    REQUIRE_ERROR(turnkeep_tail_next(NULL, -1, &bytes, &error), &error, TURNKEEP_INVALID_INPUT, "tail");
    struct text entries = {0};
    read_tail(tail, "half", -1, &entries);
    REQUIRE_CONTAINS(entries.data, "\"type\":\"start\"");
    REQUIRE(turnkeep_tail_next(tail, 0, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(turnkeep_tail_next_sse(tail, 5, &bytes, &error) == TURNKEEP_TIMEOUT);
    pthread_t readers[2];
    for (int i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&readers[i], NULL, read_until_closed, tail) == 0);
    }
    turnkeep_tail_close(tail);
    turnkeep_tail_close(NULL);
    for (int i = 0; i < 2; i++) {
        void *status = NULL;
        REQUIRE(pthread_join(readers[i], &status) == 0 && (intptr_t)status == TURNKEEP_DONE);
    }
    REQUIRE(turnkeep_tail_next_sse(tail, -1, &bytes, &error) == TURNKEEP_DONE);
    REQUIRE(turnkeep_tail_end(tail, &bytes, &error) == TURNKEEP_DONE);
    turnkeep_tail_free(tail);
    turnkeep_tail_free(NULL);

    /* One that has waited, one that was never read. */
    turnkeep_engine *third = open_engine(pair.store.data, NULL);
    turnkeep_tail *left[] = {tail_of(third, run, ""), tail_of(third, run, "")};
    struct text more = {0};
    read_tail(left[0], "half", -1, &more);
    REQUIRE(turnkeep_tail_next(left[0], 0, &bytes, &error) == TURNKEEP_TIMEOUT);
    turnkeep_engine_free(third);
    for (int i = 0; i < 2; i++) {
        REQUIRE_ERROR(turnkeep_tail_next(left[i], -1, &bytes, &error), &error, TURNKEEP_ENGINE_CLOSED, "closed");
        turnkeep_tail_free(left[i]);
    }

    REQUIRE_ERROR(open_status(pair.other, run, ",\"after\":\"x\"", &tail, &error), &error, TURNKEEP_INVALID_INPUT,
                  "\"field\":\"after\"");
    REQUIRE_ERROR(open_status(pair.other, run, ",\"from\":\"end\"", &tail, &error), &error, TURNKEEP_INVALID_INPUT,
                  "\"field\":\"from\"");
    REQUIRE_ERROR(open_status(pair.other, NOBODY, "", &tail, &error), &error, TURNKEEP_NOT_FOUND, "NOT_FOUND");
    REQUIRE_ERROR(open_status(NULL, run, "", &tail, &error), &error, TURNKEEP_INVALID_INPUT, "engine");
    text_free(&entries);
    text_free(&more);
    free(run);
    turnkeep_turn_free(turn);
    pair_close(&pair);
}

static void a_busy_chat_is_waited_for_or_taken(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "half");
    answer_end(&script, "hang");
    answer_with(&script, "Second.");
    answer_with(&script, "Instead.");
    answer_begin(&script);
    answer_text(&script, "half");
    answer_end(&script, "hang");
    answer_with(&script, "Last.");
    struct pair pair = pair_open(&script);
    turnkeep_turn *first = start(pair.engine, "", NULL, NULL);
    read_until(first, "half");
    char *chat = id_of(first, "chatId"), *run = id_of(first, "runId");
    struct text more = {0};
    add(&more, ",\"chatId\":\"%s\",\"busy\":\"enqueue\"", chat);
    turnkeep_turn *second = start(pair.other, more.data, NULL, NULL);
    text_free(&more);
    char *waiting = id_of(second, "runId");
    char *active = ask(pair.other, turnkeep_run_active_for_chat, "chatId", chat);
    REQUIRE_CONTAINS(active, run);
    char *list = ask(pair.engine, turnkeep_run_list, "chatId", chat);
    REQUIRE_IN_ORDER(list, waiting, "\"status\":\"pending\"", run, "\"status\":\"running\"");
    turnkeep_tail *tail = tail_of(pair.engine, waiting, "");
    turnkeep_bytes bytes = {0};
    REQUIRE(turnkeep_tail_next(tail, 5, &bytes, NULL) == TURNKEEP_TIMEOUT);
    free(ask(pair.other, turnkeep_run_stop, "runId", run));
    struct text followed = {0};
    read_tail(tail, NULL, -1, &followed);
    REQUIRE_IN_ORDER(followed.data, "\"type\":\"start\"", "Second.", "\"type\":\"finish\"");
    char *outcome = outcome_of(second);
    REQUIRE_CONTAINS(outcome, "\"status\":\"succeeded\"");
    char *free_chat = ask(pair.other, turnkeep_run_active_for_chat, "chatId", chat);
    REQUIRE(strcmp(free_chat, "null") == 0);

    turnkeep_turn *turn = NULL;
    turnkeep_error *error = NULL;
    struct text request = {0};
    add(&more, ",\"chatId\":\"%s\",\"busy\":{\"supersede\":\"%s\"}", chat, NOBODY);
    add_request(&request, "\"x\"", more.data);
    REQUIRE_ERROR(start_status(pair.other, request.data, NULL, NULL, &turn, &error), &error,
                  TURNKEEP_SUPERSEDE_INVALID, "busy.supersede");
    text_free(&more);
    text_free(&request);
    /* One that has ended holds nobody up. */
    add(&more, ",\"chatId\":\"%s\",\"busy\":{\"supersede\":\"%s\"}", chat, run);
    turnkeep_turn *instead = start(pair.other, more.data, NULL, NULL);
    char *instead_outcome = outcome_of(instead);
    REQUIRE_CONTAINS(instead_outcome, "succeeded");
    text_free(&more);
    add(&more, ",\"chatId\":\"%s\"", chat);
    turnkeep_turn *fourth = start(pair.engine, more.data, NULL, NULL);
    read_until(fourth, "half");
    text_free(&more);
    char *holder = id_of(fourth, "runId");
    add(&more, ",\"chatId\":\"%s\",\"busy\":{\"supersede\":\"%s\"}", chat, run);
    add_request(&request, "\"x\"", more.data);
    REQUIRE_ERROR(start_status(pair.other, request.data, NULL, NULL, &turn, &error), &error,
                  TURNKEEP_SUPERSEDE_TARGET_MISMATCH, holder);
    text_free(&more);
    add(&more, ",\"chatId\":\"%s\",\"busy\":{\"supersede\":\"%s\"}", chat, holder);
    turnkeep_turn *last = start(pair.other, more.data, NULL, NULL);
    char *superseded = outcome_of(fourth), *last_outcome = outcome_of(last);
    REQUIRE_CONTAINS(superseded, "\"reason\":\"superseded\"");
    REQUIRE_CONTAINS(last_outcome, "succeeded");
    size_t settled = 5;
    REQUIRE(turnkeep_run_sweep(pair.engine, &settled, &error) == TURNKEEP_OK && settled == 0);
    REQUIRE_ERROR(turnkeep_run_sweep(pair.engine, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "settled");
    turnkeep_bytes health = {0};
    REQUIRE(turnkeep_engine_health(pair.engine, &health, &error) == TURNKEEP_OK);
    char *health_text = strndup((const char *)health.data, health.len);
    REQUIRE_CONTAINS(health_text, "{\"store\":{\"kind\":\"sqlite\",\"ok\":true,");
    REQUIRE_CONTAINS(health_text, "\"activeRuns\":0}");
    turnkeep_bytes_free(&health);
    REQUIRE_ERROR(turnkeep_pending_migrations("sqlite:x", 8, &health, &error), &error, TURNKEEP_INVALID_INPUT, "store");
    REQUIRE_ERROR(turnkeep_pending_migrations("postgres://127.0.0.1:1/x", 24, &health, &error), &error,
                  TURNKEEP_STORE_UNAVAILABLE, "the store cannot be opened");
    REQUIRE_ERROR(turnkeep_engine_health(pair.engine, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "result");

    turnkeep_turn *turns[] = {first, second, instead, fourth, last};
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        turnkeep_turn_free(turns[i]);
    }
    char *all[] = {chat,      run,    waiting,         active, list,       outcome,
                   free_chat, holder, instead_outcome, superseded, last_outcome, health_text};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    turnkeep_tail_free(tail);
    text_free(&more);
    text_free(&request);
    text_free(&followed);
    pair_close(&pair);
}

static void a_key_makes_one_turn(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "half");
    answer_end(&script, "hang");
    struct pair pair = pair_open(&script);
    turnkeep_turn *first = start(pair.engine, ",\"idempotencyKey\":\"k\"", NULL, NULL);
    read_until(first, "half");
    turnkeep_turn *again = start(pair.other, ",\"idempotencyKey\":\"k\"", NULL, NULL);
    int32_t repeated = 5;
    turnkeep_error *error = NULL;
    REQUIRE(turnkeep_turn_is_repeated(first, &repeated, NULL) == TURNKEEP_OK && repeated == 0);
    REQUIRE(turnkeep_turn_is_repeated(again, &repeated, NULL) == TURNKEEP_OK && repeated == 1);
    REQUIRE_ERROR(turnkeep_turn_is_repeated(again, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "repeated");
    char *ids[] = {id_of(first, "runId"), id_of(again, "runId")};
    REQUIRE(strcmp(ids[0], ids[1]) == 0);
    read_until(again, "half");
    turnkeep_bytes bytes = {0};
    REQUIRE(turnkeep_turn_next(again, 0, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(turnkeep_turn_done(again, 5, &bytes, &error) == TURNKEEP_TIMEOUT);
    int32_t stopped = 0;
    REQUIRE(turnkeep_turn_stop(again, &stopped, NULL) == TURNKEEP_OK && stopped == 1);
    /* Looking is enough to get on. */
    turnkeep_status status;
    while ((status = turnkeep_turn_done(again, 0, &bytes, &error)) == TURNKEEP_TIMEOUT) {
    }
    REQUIRE(status == TURNKEEP_OK);
    char *outcome = outcome_of(first), *chunks = read_chunks(again);
    REQUIRE(strcmp(outcome, bytes.data) == 0);
    turnkeep_bytes_free(&bytes);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"text-end\"", "{\"type\":\"abort\",\"reason\":\"stopped\"}");
    turnkeep_turn_free(first);
    turnkeep_turn_free(again);
    char *all[] = {ids[0], ids[1], outcome, chunks};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    pair_close(&pair);
}

static turnkeep_status of_run(turnkeep_engine *engine, question question, const char *run, const char *more,
                              turnkeep_bytes *result, turnkeep_error **error) {
    struct text params = {0};
    add(&params, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"runId\":\"%s\"%s}", run, more);
    turnkeep_status status = question(engine, params.data, params.len, result, error);
    text_free(&params);
    return status;
}

/* As `of_run`, of which the result is known. */
static void require_result(turnkeep_engine *engine, question question, const char *run, const char *more,
                           const char *expected) {
    turnkeep_bytes result = {0};
    REQUIRE(of_run(engine, question, run, more, &result, NULL) == TURNKEEP_OK);
    REQUIRE(strcmp(result.data, expected) == 0);
    turnkeep_bytes_free(&result);
}

static char *begin_run(turnkeep_engine *engine, const char *more) {
    struct text request = {0};
    add_request(&request, "\"go\"", more);
    turnkeep_bytes result = {0};
    REQUIRE(turnkeep_run_begin(engine, request.data, request.len, &result, NULL) == TURNKEEP_OK);
    REQUIRE_CONTAINS(result.data, "\"repeated\":false");
    char *run = string_field(result.data, "runId");
    turnkeep_bytes_free(&result);
    text_free(&request);
    return run;
}

struct watch {
    turnkeep_engine *engine;
    const char *run;
};

static void *watch_signal(void *data) {
    struct watch *watch = data;
    turnkeep_bytes result = {0};
    turnkeep_status status = of_run(watch->engine, turnkeep_run_signal, watch->run, "", &result, NULL);
    bool stopped = status == TURNKEEP_OK && strcmp(result.data, "\"stopped\"") == 0;
    turnkeep_bytes_free(&result);
    return (void *)(intptr_t)stopped;
}

static void a_host_keeps_its_own_loop(void) {
    struct text script = {0};
    answer_with(&script, "unused");
    struct pair pair = pair_open(&script);
    char *run = begin_run(pair.engine, "");
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    const char *step = ",\"step\":{\"number\":0,\"text\":\"Looking. \",\"toolCalls\":[{\"toolCallId\":\"a\",\"toolName\":"
                       "\"time\",\"input\":{}}],\"toolErrors\":[{\"toolCallId\":\"a\",\"error\":\"no clock\"}]}";
    require_result(pair.engine, turnkeep_run_record_step, run, step, "0");
    require_result(pair.engine, turnkeep_run_record_step, run, step, "0");
    REQUIRE_ERROR(of_run(pair.engine, turnkeep_run_record_step, run,
                         ",\"step\":{\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"tool-call\","
                         "\"toolCallId\":\"c\"}]}",
                         &result, &error),
                  &error, TURNKEEP_INVALID_INPUT, "\"field\":\"step.content[1].toolName\"");
    REQUIRE_ERROR(of_run(pair.other, turnkeep_run_record_step, run, step, &result, &error), &error,
                  TURNKEEP_LEASE_LOST, "LEASE_LOST");

    struct watch watch = {pair.engine, run};
    pthread_t watcher;
    REQUIRE(pthread_create(&watcher, NULL, watch_signal, &watch) == 0);
    require_result(pair.other, turnkeep_run_stop, run, "", "true");
    void *stopped = NULL;
    REQUIRE(pthread_join(watcher, &stopped) == 0 && stopped != NULL);
    char *row = ask(pair.engine, turnkeep_run_get, "runId", run);
    REQUIRE(!contains(row, "\"stopRequestedAt\":null"));
    const char *end = ",\"status\":\"aborted\",\"step\":{\"text\":\"half\"}";
    require_result(pair.engine, turnkeep_run_finish, run, end, "null");
    require_result(pair.engine, turnkeep_run_finish, run, ",\"status\":\"aborted\"", "null");
    require_result(pair.engine, turnkeep_run_signal, run, "", "\"settled\"");
    REQUIRE_ERROR(of_run(pair.engine, turnkeep_run_finish, run, ",\"status\":\"failed\"", &result, &error), &error,
                  TURNKEEP_LEASE_LOST, "LEASE_LOST");
    char *log = whole_tail(pair.other, run, "");
    REQUIRE_IN_ORDER(log, "\"type\":\"start\"", "Looking. ", "no clock", "half", "\"type\":\"abort\"");
    char *ended = ask(pair.other, turnkeep_run_get, "runId", run);
    REQUIRE_IN_ORDER(ended, "\"status\":\"aborted\"", "\"reason\":\"stopped\"");

    char *left = begin_run(pair.other, ",\"idempotencyKey\":\"h\"");
    REQUIRE(turnkeep_engine_close(pair.other, 0, &error) == TURNKEEP_OK);
    char *shut_down = ask(pair.engine, turnkeep_run_get, "runId", left);
    REQUIRE_CONTAINS(shut_down, "\"reason\":\"shutdown\"");
    char *all[] = {run, row, log, ended, left, shut_down};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    pair_close(&pair);
}

static void a_run_that_its_host_has_given_up_frees_the_chat(void) {
    struct text script = {0};
    answer_with(&script, "unused");
    struct pair pair = pair_open(&script);
    char *run = begin_run(pair.engine, "");
    require_result(pair.engine, turnkeep_run_record_step, run, ",\"step\":{\"text\":\"kept\"}", "0");
    require_result(pair.engine, turnkeep_run_abandon, run, "", "null");
    require_result(pair.engine, turnkeep_run_signal, run, "", "\"settled\"");
    char *ended = ask(pair.other, turnkeep_run_get, "runId", run);
    REQUIRE_IN_ORDER(ended, "\"status\":\"aborted\"", "\"reason\":\"worker_lost\"");
    require_result(pair.engine, turnkeep_run_abandon, run, "", "null");
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(of_run(pair.engine, turnkeep_run_abandon, "x", "", &result, &error), &error,
                  TURNKEEP_INVALID_INPUT, "runId");
    free(run);
    free(ended);
    pair_close(&pair);
}

int main(void) {
    static const struct test tests[] = {
        TEST(a_turn_is_followed_from_another_process),
        TEST(a_tail_can_be_closed_and_outlives_its_engine),
        TEST(a_busy_chat_is_waited_for_or_taken),
        TEST(a_key_makes_one_turn),
        TEST(a_host_keeps_its_own_loop),
        TEST(a_run_that_its_host_has_given_up_frees_the_chat),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
