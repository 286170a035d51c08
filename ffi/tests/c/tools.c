/* Tools: how calls come, how they are answered, and in which order everything may be freed. */

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define TOOLS                                                                                                          \
    ",\"tools\":[{\"name\":\"weather\",\"description\":\"The weather of a city\",\"readOnly\":true,"                   \
    "\"inputSchema\":{\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}},"  \
    "{\"name\":\"remember\"}]"

/* One answer that calls the tool, one that is text. */
static struct provider one_call(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_call(&script, 0, "call_1", "weather", "{\"city\":\"Oslo\"}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    answer_with(&script, "All done.");
    return provider_start(&script, false);
}

static void require_success(turnkeep_turn *turn) {
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, "\"status\":\"succeeded\"", "\"stepCount\":2");
    free(outcome);
}

/* Answers both calls, which come in any order, once both are there. */
static void *answer_both(void *inbox) {
    turnkeep_tool_call *calls[] = {take_from_inbox(inbox), take_from_inbox(inbox)};
    turnkeep_status status = TURNKEEP_OK;
    for (size_t i = 0; i < 2; i++) {
        turnkeep_bytes json = {0};
        status |= turnkeep_tool_call_json(calls[i], &json, NULL);
        bool weather = contains(json.data, "\"toolName\":\"weather\"");
        turnkeep_bytes_free(&json);
        const char *output = weather ? "{\"celsius\": 4.50}" : "{\"stored\": true}";
        status |= turnkeep_tool_call_respond(calls[i], output, strlen(output), NULL);
    }
    return status == TURNKEEP_OK ? NULL : inbox;
}

static void two_tools_are_answered_by_another_thread(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_text(&script, "Let me see.");
    answer_call(&script, 0, "call_1", "weather", "{\"city\":\"Oslo\"}");
    answer_call(&script, 1, "call_2", "remember", "{}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    answer_with(&script, "It is cold.");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, answer_both, &inbox) == 0);
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    char *chat = id_of(turn, "chatId"), *chunks = read_chunks(turn);
    void *problem = NULL;
    pthread_join(thread, &problem);
    REQUIRE(problem == NULL);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", "\"delta\":\"Let me see.\"",
                     "{\"type\":\"tool-input-available\",\"toolCallId\":\"call_1\",\"toolName\":\"weather\",\"input\":{"
                     "\"city\":\"Oslo\"}}",
                     "\"toolCallId\":\"call_2\",\"toolName\":\"remember\"", "\"type\":\"finish-step\"",
                     "\"type\":\"start-step\"", "\"delta\":\"It is cold.\"", "\"type\":\"finish\"");
    REQUIRE_CONTAINS(chunks, "{\"type\":\"tool-output-available\",\"toolCallId\":\"call_1\",\"output\":{\"celsius\":4.50}}");
    REQUIRE_CONTAINS(chunks, "{\"type\":\"tool-output-available\",\"toolCallId\":\"call_2\",\"output\":{\"stored\":true}}");
    require_success(turn);
    char *messages = ask(engine, turnkeep_chat_messages, "chatId", chat);
    REQUIRE_IN_ORDER(messages, "Let me see.", "\"type\":\"tool-weather\"", "output-available", "\"celsius\":4.50",
                     "\"type\":\"tool-remember\"", "\"stored\":true", "It is cold.");
    char *markdown = ask(engine, turnkeep_chat_export, "chatId", chat);
    REQUIRE_IN_ORDER(markdown, "Let me see.", "`weather`", "celsius", "`remember`", "It is cold.");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    char *requests = provider_stop(&provider);
    REQUIRE_IN_ORDER(requests, "\"name\":\"weather\"", "\"role\":\"tool\"", "celsius", "\"role\":\"tool\"", "stored");
    free(chat);
    free(chunks);
    free(messages);
    free(markdown);
    free(requests);
}

static void a_call_tells_what_it_is_for(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    char *chat = id_of(turn, "chatId"), *run = id_of(turn, "runId"), *message = id_of(turn, "messageId");
    char *json = call_json(call);
    struct text expected = {0};
    add(&expected,
        "{\"toolCallId\":\"call_1\",\"toolName\":\"weather\",\"input\":{\"city\":\"Oslo\"},"
        "\"chatId\":\"%s\",\"runId\":\"%s\",\"messageId\":\"%s\"}",
        chat, run, message);
    REQUIRE(strcmp(json, expected.data) == 0);
    REQUIRE(turnkeep_tool_call_cancelled(call) == 0);
    respond(call, "null");
    require_success(turn);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    text_free(&expected);
    free(chat);
    free(run);
    free(message);
    free(json);
}

static void what_a_tool_has_so_far_is_shown(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_tool_call_show(call, "{", 1, &error), &error, TURNKEEP_INVALID_INPUT, "output");
    REQUIRE(turnkeep_tool_call_show(call, "[1]", 3, NULL) == TURNKEEP_OK);
    respond(call, "[1,2]");
    char *chunks = read_chunks(turn);
    REQUIRE_IN_ORDER(chunks,
                     "{\"type\":\"tool-output-available\",\"toolCallId\":\"call_1\",\"output\":[1],\"preliminary\":true}",
                     "{\"type\":\"tool-output-available\",\"toolCallId\":\"call_1\",\"output\":[1,2]}");
    require_success(turn);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(chunks);
}

static void a_wrong_answer_does_not_use_the_call_up(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_tool_call_respond(call, "{\"a\":", 5, &error), &error, TURNKEEP_INVALID_INPUT, "output");
    REQUIRE_ERROR(turnkeep_tool_call_respond(call, "1 2", 3, &error), &error, TURNKEEP_INVALID_INPUT, "output");
    REQUIRE_ERROR(turnkeep_tool_call_respond(call, "", 0, &error), &error, TURNKEEP_INVALID_INPUT, "output");
    REQUIRE_ERROR(turnkeep_tool_call_respond(call, "\"\xff\"", 3, &error), &error, TURNKEEP_INVALID_INPUT, "not UTF-8");
    REQUIRE_ERROR(turnkeep_tool_call_respond(call, NULL, 0, &error), &error, TURNKEEP_INVALID_INPUT, "output");
    REQUIRE_ERROR(turnkeep_tool_call_fail(call, NULL, 0, &error), &error, TURNKEEP_INVALID_INPUT, "reason");
    REQUIRE_ERROR(turnkeep_tool_call_fail(call, "\xff", 1, &error), &error, TURNKEEP_INVALID_INPUT, "not UTF-8");
    REQUIRE_ERROR(turnkeep_tool_call_json(call, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "json");
    REQUIRE(turnkeep_tool_call_respond(call, "{", 1, NULL) == TURNKEEP_INVALID_INPUT);
    REQUIRE(turnkeep_tool_call_cancelled(call) == 0);
    respond(call, "\"in the end\"");
    char *chunks = read_chunks(turn);
    REQUIRE_CONTAINS(chunks, "\"output\":\"in the end\"");
    require_success(turn);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(chunks);
}

static void fail_call(void *reason, turnkeep_tool_call *call) {
    turnkeep_tool_call_fail(call, reason, strlen(reason), NULL);
}

static void free_call(void *unused, turnkeep_tool_call *call) {
    (void)unused;
    turnkeep_tool_call_free(call);
}

static void a_failure_is_told_to_the_model(void) {
    static char reason[] = "There is no such city.";
    struct {
        turnkeep_tool_callback callback;
        void *data;
        const char *text;
    } ways[] = {{fail_call, reason, reason}, {free_call, NULL, "The tool did not answer."}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct provider provider = one_call();
        turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
        turnkeep_turn *turn = start(engine, TOOLS, ways[i].callback, ways[i].data);
        char *chunks = read_chunks(turn);
        REQUIRE_IN_ORDER(chunks, "\"type\":\"tool-output-error\",\"toolCallId\":\"call_1\"", ways[i].text,
                         "\"delta\":\"All done.\"");
        require_success(turn);
        turnkeep_turn_free(turn);
        turnkeep_engine_free(engine);
        char *requests = provider_stop(&provider);
        REQUIRE_IN_ORDER(requests, "\"role\":\"tool\"", ways[i].text);
        free(requests);
        free(chunks);
    }
}

static void arguments_that_do_not_fit_never_become_a_call(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_call(&script, 0, "call_1", "weather", "{\"city\":5}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    answer_with(&script, "Sorry.");
    struct provider provider = provider_start(&script, false);
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    require_success(turn);
    REQUIRE(inbox.received == 0);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void a_tool_that_never_answers_is_given_up(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, ",\"tools\":[{\"name\":\"weather\",\"timeoutMs\":20}]", put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    char *chunks = read_chunks(turn);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"tool-output-error\"", "timed out after 20 ms", "\"delta\":\"All done.\"");
    require_success(turn);
    REQUIRE(turnkeep_tool_call_cancelled(call) == 1);
    /* Too late, and accepted all the same. */
    respond(call, "1");
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(chunks);
}

static void a_stop_cancels_the_calls(void) {
    struct provider provider = one_call();
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    struct inbox inbox = INBOX;
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    int32_t stopped = 0;
    REQUIRE(turnkeep_turn_stop(turn, &stopped, NULL) == TURNKEEP_OK && stopped == 1);
    while (turnkeep_tool_call_cancelled(call) == 0) {
        sched_yield();
    }
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, "\"status\":\"aborted\"", "\"reason\":\"stopped\"");
    REQUIRE(turnkeep_tool_call_fail(call, "late", 4, NULL) == TURNKEEP_OK);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(outcome);
}

/* ---- callbacks that stay ----------------------------------------------------------------------------------- */

struct stay {
    turnkeep_engine *engine;
    turnkeep_turn *turn;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool may_begin;
    bool entered;
    bool left;
    bool right;
};

#define STAY {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void raise_flag(struct stay *stay, bool *flag) {
    pthread_mutex_lock(&stay->lock);
    *flag = true;
    pthread_cond_broadcast(&stay->changed);
    pthread_mutex_unlock(&stay->lock);
}

static void await_flag(struct stay *stay, const bool *flag) {
    pthread_mutex_lock(&stay->lock);
    while (!*flag) {
        pthread_cond_wait(&stay->changed, &stay->lock);
    }
    pthread_mutex_unlock(&stay->lock);
}

static void stay_until_cancelled(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    raise_flag(stay, &stay->entered);
    while (turnkeep_tool_call_cancelled(call) == 0) {
        sched_yield();
    }
    turnkeep_tool_call_free(call);
    stay->left = true;
}

static void freeing_the_engine_waits_for_callbacks(void) {
    struct provider provider = one_call();
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, TOOLS, stay_until_cancelled, &stay);
    await_flag(&stay, &stay.entered);
    turnkeep_engine_free(engine);
    REQUIRE(stay.left);
    turnkeep_turn_free(turn);
    free(provider_stop(&provider));
}

static void the_end_of_a_turn_waits_for_callbacks(void) {
    struct provider provider = one_call();
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, TOOLS, stay_until_cancelled, &stay);
    await_flag(&stay, &stay.entered);
    int32_t stopped = 0;
    REQUIRE(turnkeep_turn_stop(turn, &stopped, NULL) == TURNKEEP_OK);
    free(outcome_of(turn));
    REQUIRE(stay.left);
    turnkeep_turn_free(turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void stop_and_await_own_turn(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    await_flag(stay, &stay->may_begin);
    int32_t stopped = 0;
    turnkeep_bytes outcome = {0};
    bool right = turnkeep_turn_stop(stay->turn, &stopped, NULL) == TURNKEEP_OK && stopped == 1;
    right = right && turnkeep_turn_done(stay->turn, -1, &outcome, NULL) == TURNKEEP_OK;
    right = right && strstr(outcome.data, "\"aborted\"") != NULL;
    turnkeep_bytes_free(&outcome);
    turnkeep_tool_call_free(call);
    stay->right = right;
}

static void a_callback_may_wait_for_its_own_turn(void) {
    struct provider provider = one_call();
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    stay.turn = start(engine, TOOLS, stop_and_await_own_turn, &stay);
    raise_flag(&stay, &stay.may_begin);
    free(outcome_of(stay.turn));
    REQUIRE(stay.right);
    turnkeep_turn_free(stay.turn);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

static void free_own_engine(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    await_flag(stay, &stay->may_begin);
    turnkeep_engine_free(stay->engine);
    respond(call, "1");
    raise_flag(stay, &stay->left);
}

static void a_callback_may_free_its_own_engine(void) {
    struct provider provider = one_call();
    struct stay stay = STAY;
    stay.engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(stay.engine, TOOLS, free_own_engine, &stay);
    raise_flag(&stay, &stay.may_begin);
    await_flag(&stay, &stay.left);
    char *outcome = outcome_of(turn);
    REQUIRE_IN_ORDER(outcome, "\"status\":\"aborted\"", "\"reason\":\"shutdown\"");
    turnkeep_turn_free(turn);
    free(provider_stop(&provider));
    free(outcome);
}

static void block_then_respond(void *data, turnkeep_tool_call *call) {
    struct stay *stay = data;
    raise_flag(stay, &stay->entered);
    await_flag(stay, &stay->may_begin);
    turnkeep_tool_call_respond(call, "1", 1, NULL);
}

static void a_callback_that_blocks_does_not_hold_up_other_turns(void) {
    struct text script = {0};
    answer_begin(&script);
    answer_call(&script, 0, "call_1", "weather", "{\"city\":\"Oslo\"}");
    answer_finish(&script, "tool_calls");
    answer_end(&script, "end");
    for (int i = 0; i < 9; i++) {
        answer_with(&script, "All done.");
    }
    struct provider provider = provider_start(&script, false);
    struct stay stay = STAY;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *blocked = start(engine, TOOLS, block_then_respond, &stay);
    await_flag(&stay, &stay.entered);
    for (int i = 0; i < 8; i++) {
        turnkeep_turn *turn = start(engine, "", NULL, NULL);
        char *outcome = outcome_of(turn);
        REQUIRE_CONTAINS(outcome, "\"status\":\"succeeded\"");
        free(outcome);
        turnkeep_turn_free(turn);
    }
    raise_flag(&stay, &stay.may_begin);
    require_success(blocked);
    turnkeep_turn_free(blocked);
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
}

/* ---- the order of freeing ---------------------------------------------------------------------------------- */

static void free_engine(void **handles) {
    turnkeep_engine_free(handles[0]);
}

static void free_turn(void **handles) {
    turnkeep_turn_free(handles[1]);
}

static void end_call(void **handles) {
    respond(handles[2], "1");
}

static void drop_call(void **handles) {
    turnkeep_tool_call_free(handles[2]);
}

static void handles_are_freed_in_any_order(void) {
    static void (*const orders[][3])(void **) = {
        {free_engine, free_turn, end_call},  {free_engine, end_call, free_turn},  {free_turn, free_engine, end_call},
        {free_turn, end_call, free_engine},  {end_call, free_engine, free_turn},  {end_call, free_turn, free_engine},
        {free_engine, free_turn, drop_call}, {free_engine, drop_call, free_turn}, {free_turn, free_engine, drop_call},
        {free_turn, drop_call, free_engine}, {drop_call, free_engine, free_turn}, {drop_call, free_turn, free_engine},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct provider provider = one_call();
        struct inbox inbox = INBOX;
        turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
        turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
        void *handles[] = {engine, turn, take_from_inbox(&inbox)};
        for (size_t k = 0; k < 3; k++) {
            orders[i][k](handles);
        }
        free(provider_stop(&provider));
    }
}

static void handles_work_after_their_engine(void) {
    struct provider provider = one_call();
    struct inbox inbox = INBOX;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    turnkeep_engine_free(engine);
    REQUIRE(turnkeep_tool_call_cancelled(call) == 1);
    char *json = call_json(call), *chunks = read_chunks(turn), *outcome = outcome_of(turn), *run = id_of(turn, "runId");
    REQUIRE_CONTAINS(json, run);
    REQUIRE_IN_ORDER(chunks, "\"type\":\"start\"", "tool-input-available",
                     "{\"type\":\"abort\",\"reason\":\"shutdown\"}");
    REQUIRE_IN_ORDER(outcome, "\"status\":\"aborted\"", "\"reason\":\"shutdown\"");
    int32_t stopped = 5;
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_turn_stop(turn, &stopped, &error), &error, TURNKEEP_ENGINE_CLOSED, "");
    REQUIRE(stopped == 5);
    respond(call, "1");
    turnkeep_turn_free(turn);
    free(provider_stop(&provider));
    free(json);
    free(chunks);
    free(outcome);
    free(run);
}

static void *await_end(void *turn) {
    turnkeep_bytes bytes = {0};
    turnkeep_status status;
    while ((status = turnkeep_turn_next(turn, 3600000, &bytes, NULL)) == TURNKEEP_OK) {
        turnkeep_bytes_free(&bytes);
    }
    if (status != TURNKEEP_DONE || turnkeep_turn_done(turn, 3600000, &bytes, NULL) != TURNKEEP_OK) {
        return turn;
    }
    turnkeep_bytes_free(&bytes);
    return NULL;
}

static void whoever_waits_is_woken_when_the_engine_is_freed(void) {
    struct provider provider = one_call();
    struct inbox inbox = INBOX;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, await_end, turn) == 0);
    turnkeep_engine_free(engine);
    void *problem = NULL;
    pthread_join(thread, &problem);
    REQUIRE(problem == NULL);
    turnkeep_turn_free(turn);
    turnkeep_tool_call_free(call);
    free(provider_stop(&provider));
}

static void a_freed_turn_goes_on_and_hears_its_tools(void) {
    struct provider provider = one_call();
    struct inbox inbox = INBOX;
    turnkeep_engine *engine = open_engine("sqlite::memory:", &provider);
    turnkeep_turn *turn = start(engine, TOOLS, put_into_inbox, &inbox);
    char *chat = id_of(turn, "chatId");
    turnkeep_turn_free(turn);
    turnkeep_tool_call *call = take_from_inbox(&inbox);
    REQUIRE(turnkeep_tool_call_cancelled(call) == 0);
    respond(call, "{\"celsius\":4}");
    for (bool settled = false; !settled; sched_yield()) {
        char *run = ask(engine, turnkeep_run_latest_for_chat, "chatId", chat);
        settled = contains(run, "\"status\":\"succeeded\"");
        REQUIRE(settled || contains(run, "\"status\":\"running\""));
        free(run);
    }
    char *messages = ask(engine, turnkeep_chat_messages, "chatId", chat);
    REQUIRE_IN_ORDER(messages, "celsius", "All done.");
    turnkeep_engine_free(engine);
    free(provider_stop(&provider));
    free(chat);
    free(messages);
}

int main(void) {
    static const struct test tests[] = {
        TEST(two_tools_are_answered_by_another_thread),
        TEST(a_call_tells_what_it_is_for),
        TEST(what_a_tool_has_so_far_is_shown),
        TEST(a_wrong_answer_does_not_use_the_call_up),
        TEST(a_failure_is_told_to_the_model),
        TEST(arguments_that_do_not_fit_never_become_a_call),
        TEST(a_tool_that_never_answers_is_given_up),
        TEST(a_stop_cancels_the_calls),
        TEST(freeing_the_engine_waits_for_callbacks),
        TEST(the_end_of_a_turn_waits_for_callbacks),
        TEST(a_callback_may_wait_for_its_own_turn),
        TEST(a_callback_may_free_its_own_engine),
        TEST(a_callback_that_blocks_does_not_hold_up_other_turns),
        TEST(handles_are_freed_in_any_order),
        TEST(handles_work_after_their_engine),
        TEST(whoever_waits_is_woken_when_the_engine_is_freed),
        TEST(a_freed_turn_goes_on_and_hears_its_tools),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
