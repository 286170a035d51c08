/* Tools that engines offer, and turns that name theirs. A second engine on the same file stands for another process. */

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define ASKED ",\"offeredTools\":[\"weather\"]"
#define OFFER                                                                                                          \
    "{\"tools\":[{\"name\":\"weather\",\"description\":\"The weather of a city\",\"inputSchema\":{\"type\":"           \
    "\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}]}"

static void add_call(struct text *script, const char *id) {
    answer_begin(script);
    answer_call(script, 0, id, "weather", "{\"city\":\"Oslo\"}");
    answer_finish(script, "tool_calls");
    answer_end(script, "end");
}

static struct provider one_call(void) {
    struct text script = {0};
    add_call(&script, "call_1");
    answer_with(&script, "It is cold.");
    return provider_start(&script, false);
}

static char *scratch_store(void) {
    char *path = scratch_path(".db");
    struct text store = {0};
    add(&store, "sqlite:%s", path);
    free(path);
    return store.data;
}

static turnkeep_status offer_status(turnkeep_engine *engine, const char *offer, turnkeep_tool_callback callback,
                                    void *data, turnkeep_error **error) {
    return turnkeep_engine_offer_tools(engine, offer, strlen(offer), callback, data, error);
}

static void offer(turnkeep_engine *engine, turnkeep_tool_callback callback, void *data) {
    turnkeep_error *error = NULL;
    if (offer_status(engine, OFFER, callback, data, &error) != TURNKEEP_OK) {
        fail_test(__FILE__, __LINE__, "%s", turnkeep_error_json(error, NULL));
    }
}

/* What a tool notes of its calls, in the order in which they come. */
struct notes {
    pthread_mutex_t lock;
    struct text calls;
};

#define NOTES {.lock = PTHREAD_MUTEX_INITIALIZER}

static void note_and_respond(void *data, turnkeep_tool_call *call) {
    struct notes *notes = data;
    char *json = call_json(call);
    pthread_mutex_lock(&notes->lock);
    add(&notes->calls, "%s\n", json);
    pthread_mutex_unlock(&notes->lock);
    free(json);
    respond(call, "{\"celsius\":4}");
}

static void another_engine_drives_a_turn(void) {
    struct provider provider = one_call();
    char *store = scratch_store();
    turnkeep_engine *engine = open_engine(store, &provider), *other = open_engine(store, &provider);
    turnkeep_turn *turn = start(engine, ASKED, NULL, NULL);
    char *run = id_of(turn, "runId"), *pending = ask(engine, turnkeep_run_get, "runId", run);
    REQUIRE_CONTAINS(pending, "\"status\":\"pending\"");
    struct notes notes = NOTES;
    offer(other, note_and_respond, &notes);
    char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", "\"toolCallId\":\"call_1\"", "\"output\":{\"celsius\":4}",
                     "\"delta\":\"It is cold.\"", "\"type\":\"finish\"");
    REQUIRE_IN_ORDER(outcome, run, "\"status\":\"succeeded\"", "\"stepCount\":2");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    turnkeep_engine_free(other);
    REQUIRE_IN_ORDER(notes.calls.data, "\"toolName\":\"weather\",\"input\":{\"city\":\"Oslo\"}", run);
    char *requests = provider_stop(&provider);
    REQUIRE_IN_ORDER(requests, "The weather of a city", "\"role\":\"tool\"", "celsius");
    text_free(&notes.calls);
    free(store);
    free(run);
    free(pending);
    free(chunks);
    free(outcome);
    free(requests);
}

static void an_engine_drives_its_own_turns(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct notes replaced = NOTES, notes = NOTES;
    offer(engine, note_and_respond, &replaced);
    offer(engine, note_and_respond, &notes);
    turnkeep_turn *turn = start(engine, ASKED, NULL, NULL);
    char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(chunks, "\"output\":{\"celsius\":4}", "\"delta\":\"It is cold.\"");
    REQUIRE_IN_ORDER(outcome, "\"status\":\"succeeded\"", "\"stepCount\":2");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    REQUIRE_CONTAINS(notes.calls.data, "\"toolCallId\":\"call_1\"");
    REQUIRE(replaced.calls.data == NULL);
    text_free(&notes.calls);
    free(provider_stop(&provider));
    free(chunks);
    free(outcome);
}

static void what_is_wrong_is_named(void) {
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    static const struct {
        const char *json;
        const char *field;
    } offers[] = {
        {"{", "\"offer\""},
        {"[]", "\"offer\""},
        {"{}", "\"tools\""},
        {"{\"tools\":[],\"more\":1}", "\"more\""},
        {"{\"tools\":[{}]}", "\"tools[0].name\""},
        {"{\"tools\":[{\"name\":\"a b\"}]}", "\"tools[0].name\""},
        {"{\"tools\":[{\"name\":\"a\"},{\"name\":\"a\"}]}", "\"tools[1].name\""},
        {"{\"tools\":[{\"name\":\"a\",\"inputSchema\":5}]}", "\"tools[0].inputSchema\""},
    };
    turnkeep_error *error = NULL;
    for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
        turnkeep_status status = offer_status(engine, offers[i].json, put_into_inbox, NULL, &error);
        REQUIRE_ERROR(status, &error, TURNKEEP_INVALID_INPUT, offers[i].field);
    }
    REQUIRE_ERROR(offer_status(engine, OFFER, NULL, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "toolCallback");
    REQUIRE_ERROR(turnkeep_engine_offer_tools(engine, NULL, 0, put_into_inbox, NULL, &error), &error,
                  TURNKEEP_INVALID_INPUT, "offer");
    REQUIRE_ERROR(offer_status(NULL, OFFER, put_into_inbox, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "engine");

    static const struct {
        const char *more;
        const char *field;
    } turns[] = {
        {ASKED ",\"tools\":[{\"name\":\"a\"}]", "\"tools\""},
        {ASKED ",\"provider\":\"default\"", "\"provider\""},
        {",\"offeredTools\":[\"a\",\"a\"]", "\"offeredTools[1]\""},
        {",\"offeredTools\":\"a\"", "\"offeredTools\""},
    };
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++) {
        struct text request = {0};
        add_request(&request, "\"Hello\"", turns[i].more);
        turnkeep_turn *turn = NULL;
        turnkeep_status status = start_status(engine, request.data, put_into_inbox, NULL, &turn, &error);
        REQUIRE_ERROR(status, &error, TURNKEEP_INVALID_INPUT, turns[i].field);
        text_free(&request);
    }
    REQUIRE(turnkeep_engine_close(engine, 0, NULL) == TURNKEEP_OK);
    REQUIRE_ERROR(offer_status(engine, OFFER, put_into_inbox, NULL, &error), &error, TURNKEEP_ENGINE_CLOSED, "");
    turnkeep_engine_free(engine);
}

static void a_closing_engine_leaves_its_run_to_another_one(void) {
    struct text script = {0};
    add_call(&script, "call_1");
    add_call(&script, "call_2");
    answer_with(&script, "It is cold.");
    struct provider provider = provider_start(&script, false);
    char *store = scratch_store();
    turnkeep_engine *closing = open_engine(store, &provider), *other = open_engine(store, &provider);
    struct inbox inbox = INBOX;
    offer(closing, put_into_inbox, &inbox);
    turnkeep_turn *turn = start(closing, ASKED, NULL, NULL);
    char *run = id_of(turn, "runId"), *chat = id_of(turn, "chatId");
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    REQUIRE(turnkeep_engine_close(closing, 0, NULL) == TURNKEEP_OK);
    while (turnkeep_tool_call_cancelled(call) == 0) {
        sched_yield();
    }
    turnkeep_bytes outcome = {0};
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_turn_done(turn, -1, &outcome, &error), &error, TURNKEEP_LEASE_LOST, "");

    struct notes notes = NOTES;
    offer(other, note_and_respond, &notes);
    for (bool settled = false; !settled; sched_yield()) {
        char *state = ask(other, turnkeep_run_get, "runId", run);
        settled = contains(state, "\"status\":\"succeeded\"");
        REQUIRE(!contains(state, "\"status\":\"failed\"") && !contains(state, "\"status\":\"aborted\""));
        free(state);
    }
    /* Too late, and accepted all the same. */
    respond(call, "1");
    char *messages = ask(other, turnkeep_chat_messages, "chatId", chat);
    REQUIRE_IN_ORDER(messages, "\"toolCallId\":\"call_1\"", "\"toolCallId\":\"call_2\"", "celsius", "It is cold.");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(closing);
    turnkeep_engine_free(other);
    REQUIRE_CONTAINS(notes.calls.data, "\"toolCallId\":\"call_2\"");
    REQUIRE(!contains(notes.calls.data, "\"toolCallId\":\"call_1\""));
    char *requests = provider_stop(&provider);
    REQUIRE_IN_ORDER(requests, "\"role\":\"tool\"", "whether it took effect is unknown", "celsius");
    text_free(&notes.calls);
    free(store);
    free(run);
    free(chat);
    free(messages);
    free(requests);
}

/* ---- callbacks that stay ----------------------------------------------------------------------------------- */

struct stay {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t entered;
    size_t left;
    bool may_leave;
};

#define STAY {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void await_entered(struct stay *stay, size_t count) {
    pthread_mutex_lock(&stay->lock);
    while (stay->entered < count) {
        pthread_cond_wait(&stay->changed, &stay->lock);
    }
    pthread_mutex_unlock(&stay->lock);
}

static void enter(struct stay *stay) {
    pthread_mutex_lock(&stay->lock);
    stay->entered++;
    pthread_cond_broadcast(&stay->changed);
    pthread_mutex_unlock(&stay->lock);
}

static void stay_until_cancelled(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    enter(stay);
    while (turnkeep_tool_call_cancelled(call) == 0) {
        sched_yield();
    }
    turnkeep_tool_call_free(call);
    stay->left++;
}

static void freeing_the_engine_waits_for_callbacks(void) {
    struct provider provider = one_call();
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    offer(engine, stay_until_cancelled, &stay);
    turnkeep_turn *turn = start(engine, ASKED, NULL, NULL);
    await_entered(&stay, 1);
    turnkeep_engine_free(engine);
    REQUIRE(stay.left == 1);
    turnkeep_turn_free(turn);
    free(provider_stop(&provider));
}

static void stay_until_told(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    enter(stay);
    pthread_mutex_lock(&stay->lock);
    while (!stay->may_leave) {
        pthread_cond_wait(&stay->changed, &stay->lock);
    }
    pthread_mutex_unlock(&stay->lock);
    respond(call, "1");
}

static void a_callback_that_blocks_does_not_hold_up_other_turns(void) {
    struct text script = {0};
    add_call(&script, "call_1");
    add_call(&script, "call_2");
    answer_with(&script, "All done.");
    answer_with(&script, "All done.");
    struct provider provider = provider_start(&script, false);
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    offer(engine, stay_until_told, &stay);
    turnkeep_turn *turns[2];
    for (size_t i = 0; i < 2; i++) {
        turns[i] = start(engine, ASKED, NULL, NULL);
        await_entered(&stay, i + 1);
    }
    pthread_mutex_lock(&stay.lock);
    stay.may_leave = true;
    pthread_cond_broadcast(&stay.changed);
    pthread_mutex_unlock(&stay.lock);
    for (size_t i = 0; i < 2; i++) {
        char *outcome = outcome_of(turns[i]);
        REQUIRE_CONTAINS(outcome, "\"status\":\"succeeded\"");
        free(outcome);
        turnkeep_turn_free(turns[i]);
    }
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void *await_end(void *turn) {
    turnkeep_bytes bytes = {0};
    turnkeep_status status;
    while ((status = turnkeep_turn_next(turn, 3600000, &bytes, NULL)) == TURNKEEP_OK) {
        turnkeep_bytes_free(&bytes);
    }
    bool right = status == TURNKEEP_DONE;
    return right && turnkeep_turn_done(turn, 3600000, &bytes, NULL) == TURNKEEP_ENGINE_CLOSED ? NULL : turn;
}

static void whoever_waits_for_a_turn_of_nobody_is_woken_when_the_engine_is_closed(void) {
    struct text script = {0};
    answer_with(&script, "unused");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, ASKED, NULL, NULL);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, await_end, turn) == 0);
    REQUIRE(turnkeep_engine_close(engine, 0, NULL) == TURNKEEP_OK);
    void *problem = NULL;
    pthread_join(thread, &problem);
    REQUIRE(problem == NULL);
    turnkeep_engine_free(engine);
    turnkeep_turn_free(turn);
    free(provider_stop(&provider));
}

static void answer_with_the_stored_page(void *data, turnkeep_tool_call *call) {
    struct notes *notes = data;
    char *json = call_json(call);
    pthread_mutex_lock(&notes->lock);
    add(&notes->calls, "%s\n", json);
    pthread_mutex_unlock(&notes->lock);
    free(json);
    respond(call, "{\"id\":\"p1\",\"title\":\"Its own\"}");
}

static void open_pages_are_checked(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_call(&script, 0, "call_1", "getCurrentPage", "{}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    answer_with(&script, "Its own.");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_engine_check_pages(engine, NULL, NULL, &error), &error, TURNKEEP_INVALID_INPUT,
                  "toolCallback");
    struct notes notes = NOTES;
    REQUIRE(turnkeep_engine_check_pages(engine, answer_with_the_stored_page, &notes, &error) == TURNKEEP_OK);
    turnkeep_turn *turn =
        start(engine, ",\"pageTool\":true,\"openPage\":{\"id\":\"p1\",\"title\":\"The client's\"}", NULL, NULL);
    char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
    REQUIRE_CONTAINS(chunks, "\"output\":{\"page\":{\"id\":\"p1\",\"title\":\"Its own\"}}");
    REQUIRE_CONTAINS(outcome, "\"status\":\"succeeded\"");
    turnkeep_turn_free(turn);
    REQUIRE(turnkeep_engine_close(engine, 0, NULL) == TURNKEEP_OK);
    REQUIRE_ERROR(turnkeep_engine_check_pages(engine, answer_with_the_stored_page, &notes, &error), &error,
                  TURNKEEP_ENGINE_CLOSED, "");
    turnkeep_engine_free(engine);
    REQUIRE_IN_ORDER(notes.calls.data, "\"toolName\":\"checkOpenPage\"", "\"page\":{\"id\":\"p1\"");
    char *requests = provider_stop(&provider);
    REQUIRE_CONTAINS(requests, "Its own");
    text_free(&notes.calls);
    free(chunks);
    free(outcome);
    free(requests);
}

static void answer_with_a_token(void *user_data, turnkeep_tool_call *call) {
    struct notes *notes = user_data;
    char *json = call_json(call);
    pthread_mutex_lock(&notes->lock);
    add(&notes->calls, "%s\n", json);
    pthread_mutex_unlock(&notes->lock);
    free(json);
    respond(call, "\"a-token\"");
}

/* There is no server: what counts is who is asked for the token. */
static void tokens_of_docmost_are_asked_for(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_call(&script, 0, "call_1", "listSpaces", "{}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    answer_with(&script, "Done.");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_engine_docmost_tokens(engine, NULL, NULL, &error), &error, TURNKEEP_INVALID_INPUT,
                  "toolCallback");
    struct notes notes = NOTES;
    REQUIRE(turnkeep_engine_docmost_tokens(engine, answer_with_a_token, &notes, &error) == TURNKEEP_OK);
    turnkeep_turn *turn = start(engine, ",\"docmost\":{\"baseUrl\":\"http://127.0.0.1:9\"}", NULL, NULL);
    char *chunks = read_chunks(turn), *outcome = outcome_of(turn);
    /* Loopback is not allowed here. */
    REQUIRE_CONTAINS(chunks, "http.allowPrivate");
    REQUIRE_CONTAINS(outcome, "\"status\":\"succeeded\"");
    turnkeep_turn_free(turn);
    REQUIRE(turnkeep_engine_close(engine, 0, NULL) == TURNKEEP_OK);
    REQUIRE_ERROR(turnkeep_engine_docmost_tokens(engine, answer_with_a_token, &notes, &error), &error,
                  TURNKEEP_ENGINE_CLOSED, "");
    turnkeep_engine_free(engine);
    REQUIRE_IN_ORDER(notes.calls.data, "\"toolName\":\"docmostToken\"", "\"refused\":false");
    char *requests = provider_stop(&provider);
    REQUIRE(strstr(requests, "a-token") == NULL);
    text_free(&notes.calls);
    free(chunks);
    free(outcome);
    free(requests);
}

int main(void) {
    static const struct test tests[] = {
        TEST(another_engine_drives_a_turn),
        TEST(an_engine_drives_its_own_turns),
        TEST(what_is_wrong_is_named),
        TEST(a_closing_engine_leaves_its_run_to_another_one),
        TEST(open_pages_are_checked),
        TEST(tokens_of_docmost_are_asked_for),
        TEST(freeing_the_engine_waits_for_callbacks),
        TEST(a_callback_that_blocks_does_not_hold_up_other_turns),
        TEST(whoever_waits_for_a_turn_of_nobody_is_woken_when_the_engine_is_closed),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
