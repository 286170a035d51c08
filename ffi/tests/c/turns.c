/* Turns from their beginning to their end: chunks, rows, stops, the gate, what providers do. */

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* A chat made of a JSON export of two messages. */
static void an_export_comes_in_pieces_and_makes_a_chat_again(void) {
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    struct text document = {0}, params = {0};
    add(&document, "{\"format\":\"turnkeep-chat\",\"version\":1,\"chat\":{\"id\":\"c\",\"title\":\"T\"},\"messages\":[");
    for (int i = 0; i < 1000; i++) {
        add(&document, "%s{\"role\":\"user\",\"content\":\"message %d ", i > 0 ? "," : "", i);
        for (int j = 0; j < 20; j++) add(&document, "0123456789");
        add(&document, "\"}");
    }
    add(&document, "]}");
    add(&params, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"document\":");
    add_json(&params, document.data);
    add(&params, "}");
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    REQUIRE(turnkeep_chat_import(engine, params.data, strlen(params.data), &result, &error) == TURNKEEP_OK);
    char *chat = string_field((const char *)result.data, "id");
    turnkeep_bytes_free(&result);

    struct text of_chat = {0};
    add(&of_chat, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"chatId\":\"%s\"}", chat);
    turnkeep_export *export = NULL;
    REQUIRE(turnkeep_export_open(engine, of_chat.data, strlen(of_chat.data), &export, &error) == TURNKEEP_OK);
    struct text markdown = {0};
    int pieces = 0;
    turnkeep_status status;
    while ((status = turnkeep_export_next(export, &result, &error)) == TURNKEEP_OK) {
        add(&markdown, "%.*s", (int)result.len, (const char *)result.data);
        turnkeep_bytes_free(&result);
        pieces++;
    }
    REQUIRE(status == TURNKEEP_DONE && pieces > 2);
    REQUIRE(turnkeep_export_next(export, &result, &error) == TURNKEEP_DONE);
    REQUIRE_IN_ORDER(markdown.data, "# T", chat, "- Messages: 1000", "## 1. You", "message 0 ", "## 1000. You",
                     "message 999 ");
    turnkeep_export_free(export);

    /* One that is not read to its end, and what goes wrong. */
    REQUIRE(turnkeep_export_open(engine, of_chat.data, strlen(of_chat.data), &export, &error) == TURNKEEP_OK);
    turnkeep_export_free(export);
    turnkeep_export_free(NULL);
    REQUIRE_ERROR(turnkeep_export_next(NULL, &result, &error), &error, TURNKEEP_INVALID_INPUT, "export");
    const char *nobody = "{\"workspaceId\":\"w\",\"userId\":\"u2\",\"chatId\":\"01a2052e-08df-745a-b3b9-43ac3431e4d5\"}";
    REQUIRE_ERROR(turnkeep_export_open(engine, nobody, strlen(nobody), &export, &error), &error, TURNKEEP_NOT_FOUND,
                  "NOT_FOUND");
    free(chat);
    text_free(&document);
    text_free(&params);
    text_free(&of_chat);
    text_free(&markdown);
    turnkeep_engine_free(engine);
}

static void a_turn_gives_its_chunks_and_leaves_its_rows(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "Hel");
    answer_text(&script, "lo \xc3\xa4");
    answer_finish(&script, "stop");
    answer_end(&script, "end");
    struct provider provider = provider_start(&script, false);
    char *path = scratch_path(".db");
    struct text store = {0};
    add(&store, "sqlite:%s", path);

    turnkeep_engine *engine = open_engine(store.data, &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    char *chat = id_of(turn, "chatId"), *run = id_of(turn, "runId"), *message = id_of(turn, "messageId");
    char *chunks = read_chunks(turn);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", message, chat, run, "\"type\":\"start-step\"",
                     "\"type\":\"text-start\"", "\"delta\":\"Hel\"", "\"delta\":\"lo \xc3\xa4\"",
                     "\"type\":\"text-end\"", "\"type\":\"finish-step\"",
                     "\"type\":\"finish\",\"finishReason\":\"stop\"");
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, run, chat, message, "\"status\":\"succeeded\"", "\"reason\":null",
                     "\"finishReason\":\"stop\"", "\"totalTokens\":12", "\"stepCount\":1");
    /* Both may be asked again. */
    char *again = outcome_of(turn);
    REQUIRE(strcmp(outcome, again) == 0);
    char *nothing = read_chunks(turn);
    REQUIRE(*nothing == '\0');
    int32_t stopped = 5;
    REQUIRE(turnkeep_turn_stop(turn, &stopped, NULL) == TURNKEEP_OK && stopped == 0);
    turnkeep_turn_free(turn);

    char *messages = ask(engine, turnkeep_chat_messages, "chatId", chat);
    REQUIRE_IN_ORDER(messages, "\"role\":\"user\"", "\"content\":\"Hello\"", message, "\"role\":\"assistant\"",
                     "\"content\":\"Hello \xc3\xa4\"", "\"status\":\"completed\"");
    turnkeep_engine_free(engine);

    /* All of it is on disk. */
    engine = open_engine(store.data, NULL);
    char *reread = ask(engine, turnkeep_chat_messages, "chatId", chat);
    REQUIRE(strcmp(messages, reread) == 0);
    char *markdown = ask(engine, turnkeep_chat_export, "chatId", chat);
    REQUIRE_IN_ORDER(markdown, chat, "Hello", "Hello \xc3\xa4");
    char *row = ask(engine, turnkeep_run_get, "runId", run);
    REQUIRE_IN_ORDER(row, run, "\"status\":\"succeeded\"");
    char *latest = ask(engine, turnkeep_run_latest_for_chat, "chatId", chat);
    REQUIRE(strcmp(row, latest) == 0);
    char *stop = ask(engine, turnkeep_run_stop, "chatId", chat);
    REQUIRE(strcmp(stop, "false") == 0);
    turnkeep_engine_free(engine);

    char *requests = provider_stop(&provider);
    REQUIRE_CONTAINS(requests, "\"content\":\"Hello\"");
    char *all[] = {path,  chat,     run,      message, chunks, outcome, again,   nothing,
                   messages, reread, markdown, row,     latest, stop,    requests};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    text_free(&store);
}

static void outputs_of_a_turn_must_not_be_null(void) {
    struct text script = {0};
    answer_with(&script, "Hi");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    turnkeep_error *error = NULL;
    /* Nothing is lost: the turn is complete afterwards. */
    REQUIRE_ERROR(turnkeep_turn_next(turn, -1, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "chunk");
    REQUIRE_ERROR(turnkeep_turn_ids(turn, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "ids");
    REQUIRE_ERROR(turnkeep_turn_stop(turn, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "stopped");
    REQUIRE_ERROR(turnkeep_turn_done(turn, -1, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "outcome");
    REQUIRE(turnkeep_turn_next(turn, -1, NULL, NULL) == TURNKEEP_INVALID_INPUT);
    char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", "\"delta\":\"Hi\"", "\"type\":\"finish\"");
    REQUIRE_CONTAINS(outcome, "succeeded");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(chunks);
    free(outcome);
}

static void waiting_ends_when_the_time_is_up(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_end(&script, "hang");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    read_until(turn, "\"type\":\"start\"");
    turnkeep_bytes bytes = {0};
    turnkeep_error *error = NULL;
    REQUIRE(turnkeep_turn_next(turn, 0, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(turnkeep_turn_next(turn, 5, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(turnkeep_turn_done(turn, 0, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(turnkeep_turn_done(turn, 5, &bytes, &error) == TURNKEEP_TIMEOUT);
    REQUIRE(bytes.data == NULL && error == NULL);
    int32_t stopped = 0;
    REQUIRE(turnkeep_turn_stop(turn, &stopped, &error) == TURNKEEP_OK && stopped == 1);
    free(read_chunks(turn));
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void a_stop_keeps_what_there_was(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "half of it");
    answer_end(&script, "hang");
    struct provider provider = provider_start(&script, true);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    /* Once by the turn, once by the run, once by the chat. */
    for (int way = 0; way < 3; way++) {
        turnkeep_turn *turn = start(engine, "", NULL, NULL);
        read_until(turn, "half of it");
        char *chat = id_of(turn, "chatId"), *run = id_of(turn, "runId"), *answer = NULL;
        if (way == 0) {
            int32_t stopped = 0;
            REQUIRE(turnkeep_turn_stop(turn, &stopped, NULL) == TURNKEEP_OK && stopped == 1);
        } else {
            answer = way == 1 ? ask(engine, turnkeep_run_stop, "runId", run)
                              : ask(engine, turnkeep_run_stop, "chatId", chat);
            REQUIRE(strcmp(answer, "true") == 0);
        }
        char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
        REQUIRE_IN_ORDER(chunks, "\"type\":\"text-end\"", "{\"type\":\"abort\",\"reason\":\"stopped\"}");
        REQUIRE_IN_ORDER(outcome, "\"status\":\"aborted\"", "\"reason\":\"stopped\"");
        char *messages = ask(engine, turnkeep_chat_messages, "chatId", chat);
        REQUIRE_IN_ORDER(messages, "\"content\":\"half of it\"", "\"status\":\"aborted\"");
        turnkeep_turn_free(turn);
        char *all[] = {chat, run, answer, chunks, outcome, messages};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
            free(all[i]);
        }
    }
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void a_chat_has_one_active_run(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "working");
    answer_end(&script, "hang");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    char *chat = id_of(turn, "chatId"), *run = id_of(turn, "runId");
    struct text more = {0}, request = {0};
    add(&more, ",\"chatId\":\"%s\"", chat);
    add_request(&request, "\"again\"", more.data);
    turnkeep_turn *second = NULL;
    turnkeep_error *error = NULL;
    turnkeep_status status = start_status(engine, request.data, NULL, NULL, &second, &error);
    REQUIRE(second == NULL && error != NULL);
    REQUIRE(strcmp(turnkeep_error_name(error), "A_RUN_ALREADY_ACTIVE") == 0);
    struct text details = {0};
    add(&details, "\"httpStatus\":409,\"details\":{\"activeRunId\":\"%s\"}", run);
    REQUIRE_ERROR(status, &error, TURNKEEP_A_RUN_ALREADY_ACTIVE, details.data);

    /* Somebody else is not told of the run. */
    text_free(&request);
    add(&request, "{\"workspaceId\":\"w\",\"userId\":\"v\",\"chatId\":\"%s\"}", chat);
    turnkeep_bytes result = {0};
    error = NULL;
    REQUIRE(turnkeep_chat_messages(engine, request.data, request.len, &result, &error) == TURNKEEP_FORBIDDEN);
    REQUIRE(!contains(turnkeep_error_json(error, NULL), run));
    turnkeep_error_free(error);

    REQUIRE(turnkeep_engine_close(engine, 0, NULL) == TURNKEEP_OK);
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, "\"status\":\"aborted\"", "\"reason\":\"shutdown\"");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    text_free(&more);
    text_free(&request);
    text_free(&details);
    free(outcome);
    free(chat);
    free(run);
}

static void a_provider_that_fails_is_an_outcome(void) {
    static const struct {
        int status;
        const char *content_type;
        const char *body;
        const char *error;
    } answers[] = {
        {401, "application/json", "{\"error\":{\"message\":\"bad key sk-of-the-c-tests\"}}", "401: bad key"},
        {429, "application/json", "{\"error\":{\"message\":\"slow down\"}}", "429: slow down"},
        {500, "text/plain", "oops", "500"},
        {200, "text/html", "<html><body>a login page</body></html>", "a login page"},
        {200, "text/event-stream", "", ""},
        {200, "text/event-stream", "data: {not json}\n\n", ""},
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct text script = {0};
        answer_body(&script, answers[i].status, answers[i].content_type, answers[i].body);
        struct provider provider = provider_start(&script, true);
        turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
        turnkeep_turn *turn = start(engine, "", NULL, NULL);
        char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
        REQUIRE_CONTAINS(chunks, "\"type\":\"error\"");
        REQUIRE_IN_ORDER(outcome, "\"status\":\"failed\"", "\"reason\":\"provider_error\"", answers[i].error);
        REQUIRE(!contains(outcome, "sk-of-the-c-tests") && !contains(chunks, "sk-of-the-c-tests"));
        turnkeep_turn_free(turn);
        turnkeep_engine_free(engine);
        free(provider_stop(&provider));
        free(chunks);
        free(outcome);
    }
}

static void a_truncated_answer_is_a_failure_that_keeps_the_text(void) {
    static const char *const ends[] = {"end", "reset"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct text script = {0};
        answer_begin(&script);
        answer_text(&script, "so far");
        answer_end(&script, ends[i]);
        struct provider provider = provider_start(&script, false);
        turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
        turnkeep_turn *turn = start(engine, "", NULL, NULL);
        char *chat = id_of(turn, "chatId"), *chunks = read_chunks(turn), *outcome = outcome_of(turn);
        REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", "\"type\":\"error\"");
        REQUIRE_IN_ORDER(outcome, "\"status\":\"failed\"", "\"reason\":\"provider_error\"");
        char *messages = ask(engine, turnkeep_chat_messages, "chatId", chat);
        REQUIRE_IN_ORDER(messages, "\"role\":\"assistant\"", "\"status\":\"error\"");
        if (strcmp(ends[i], "end") == 0) {
            REQUIRE_CONTAINS(messages, "\"content\":\"so far\"");
        }
        turnkeep_turn_free(turn);
        turnkeep_engine_free(engine);
        free(provider_stop(&provider));
        free(chat);
        free(chunks);
        free(outcome);
        free(messages);
    }
}

static void a_provider_that_is_not_there_is_an_outcome(void) {
    struct text script = {0};
    answer_with(&script, "never asked");
    struct provider provider = provider_start(&script, false);
    free(provider_stop(&provider));
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, "\"status\":\"failed\"", "\"reason\":\"provider_error\"", "could not be reached");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(outcome);
}

/* Asks until the chat's run has this status; the store is asked, not the turn, which is gone. */
static void await_status(turnkeep_engine *engine, const char *run, const char *status) {
    for (bool reached = false; !reached; sched_yield()) {
        char *row = ask(engine, turnkeep_run_get, "runId", run);
        reached = contains(row, status);
        REQUIRE(reached || contains(row, "\"status\":\"running\""));
        free(row);
    }
}

static void only_an_attached_turn_stops_when_it_is_freed(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "working");
    answer_end(&script, "hang");
    struct provider provider = provider_start(&script, true);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *attached = start(engine, ",\"detached\":false", NULL, NULL);
    turnkeep_turn *detached = start(engine, "", NULL, NULL);
    read_until(attached, "working");
    read_until(detached, "working");
    char *attached_run = id_of(attached, "runId"), *detached_run = id_of(detached, "runId");
    turnkeep_turn_free(detached);
    turnkeep_turn_free(attached);
    await_status(engine, attached_run, "\"status\":\"aborted\",\"reason\":\"disconnected\"");
    await_status(engine, detached_run, "\"status\":\"running\"");
    char *stopped = ask(engine, turnkeep_run_stop, "runId", detached_run);
    REQUIRE(strcmp(stopped, "true") == 0);
    await_status(engine, detached_run, "\"status\":\"aborted\",\"reason\":\"stopped\"");
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(stopped);
    free(attached_run);
    free(detached_run);
}

/* Threads report by value: only the runner's thread may end a test. */
static void *run_a_turn(void *engine) {
    const char *request = "{\"workspaceId\":\"w\",\"userId\":\"u\",\"message\":\"m\"}";
    turnkeep_turn *turn = NULL;
    if (turnkeep_turn_start(engine, request, strlen(request), NULL, NULL, &turn, NULL) != TURNKEEP_OK) {
        return "start";
    }
    turnkeep_bytes bytes = {0};
    turnkeep_status status;
    bool answered = false;
    while ((status = turnkeep_turn_next(turn, -1, &bytes, NULL)) == TURNKEEP_OK) {
        answered |= strstr(bytes.data, "an answer") != NULL;
        turnkeep_bytes_free(&bytes);
    }
    if (status != TURNKEEP_DONE || !answered) {
        return "chunks";
    }
    status = turnkeep_turn_done(turn, -1, &bytes, NULL);
    bool succeeded = status == TURNKEEP_OK && strstr(bytes.data, "\"succeeded\"") != NULL;
    turnkeep_bytes_free(&bytes);
    turnkeep_turn_free(turn);
    return succeeded ? NULL : "outcome";
}

static void many_threads_share_an_engine(void) {
    enum { THREADS = 8 };
    struct text script = {0};
    answer_with(&script, "an answer");
    struct provider provider = provider_start(&script, true);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, run_a_turn, engine) == 0);
    }
    const char *first_problem = NULL;
    for (size_t i = 0; i < THREADS; i++) {
        void *problem = NULL;
        pthread_join(threads[i], &problem);
        first_problem = first_problem == NULL ? problem : first_problem;
    }
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    if (first_problem != NULL) {
        fail_test(__FILE__, __LINE__, "a thread failed at its %s", first_problem);
    }
}

struct shared_reading {
    turnkeep_turn *turn;
    size_t chunks;
};

static void *count_chunks(void *data) {
    struct shared_reading *reading = data;
    turnkeep_bytes chunk = {0};
    while (turnkeep_turn_next(reading->turn, -1, &chunk, NULL) == TURNKEEP_OK) {
        reading->chunks++;
        turnkeep_bytes_free(&chunk);
    }
    return NULL;
}

static void readers_of_one_turn_share_its_chunks(void) {
    enum { DELTAS = 50, OTHERS = 7 };
    struct text script = {0};
    answer_begin(&script);
    for (int i = 0; i < DELTAS; i++) {
        answer_text(&script, "x");
    }
    answer_finish(&script, "stop");
    answer_end(&script, "end");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, "", NULL, NULL);
    struct shared_reading readings[2] = {{.turn = turn}, {.turn = turn}};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, count_chunks, &readings[0]) == 0);
    count_chunks(&readings[1]);
    pthread_join(thread, NULL);
    /* start, start-step, text-start, text-end, finish-step, message-metadata, finish. */
    REQUIRE(readings[0].chunks + readings[1].chunks == DELTAS + OTHERS);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

int main(void) {
    static const struct test tests[] = {
        TEST(a_turn_gives_its_chunks_and_leaves_its_rows),
        TEST(an_export_comes_in_pieces_and_makes_a_chat_again),
        TEST(outputs_of_a_turn_must_not_be_null),
        TEST(waiting_ends_when_the_time_is_up),
        TEST(a_stop_keeps_what_there_was),
        TEST(a_chat_has_one_active_run),
        TEST(a_provider_that_fails_is_an_outcome),
        TEST(a_truncated_answer_is_a_failure_that_keeps_the_text),
        TEST(a_provider_that_is_not_there_is_an_outcome),
        TEST(only_an_attached_turn_stops_when_it_is_freed),
        TEST(many_threads_share_an_engine),
        TEST(readers_of_one_turn_share_its_chunks),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
