/* What the interface does with wrong arguments. No provider is needed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* A pointer that no output must replace. */
#define UNTOUCHED ((void *)0x5a5a)

static const char BROKEN_UTF8[] = "{\"store\":\"\xff\"}";

static void versions_agree(void) {
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d.%d.%d", TURNKEEP_VERSION_MAJOR, TURNKEEP_VERSION_MINOR,
             TURNKEEP_VERSION_PATCH);
    REQUIRE(strcmp(TURNKEEP_VERSION, numbers) == 0);
    REQUIRE(strcmp(turnkeep_version(), TURNKEEP_VERSION) == 0);
    REQUIRE(turnkeep_abi_version() == TURNKEEP_ABI_VERSION);
}

static void freeing_null_does_nothing(void) {
    turnkeep_bytes_free(NULL);
    turnkeep_bytes empty = {0};
    turnkeep_bytes_free(&empty);
    turnkeep_error_free(NULL);
    turnkeep_engine_free(NULL);
    turnkeep_turn_free(NULL);
    turnkeep_tool_call_free(NULL);
}

static void a_turn_without_a_provider_is_refused(void) {
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    turnkeep_turn *turn = UNTOUCHED;
    const char *request = "{\"workspaceId\":\"w\",\"userId\":\"u\",\"message\":\"m\"}";
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(start_status(engine, request, NULL, NULL, &turn, &error), &error, TURNKEEP_AI_NOT_CONFIGURED, "");
    REQUIRE(turn == UNTOUCHED);
    turnkeep_engine_free(engine);
}

static void an_error_without_an_object_is_an_error(void) {
    REQUIRE(turnkeep_engine_open(NULL, 0, NULL, NULL) == TURNKEEP_INVALID_INPUT);
    REQUIRE(turnkeep_error_code(NULL) == TURNKEEP_OK);
    REQUIRE(turnkeep_error_name(NULL) == NULL);
    size_t len = 9;
    REQUIRE(turnkeep_error_message(NULL, &len) == NULL && len == 9);
    REQUIRE(turnkeep_error_json(NULL, &len) == NULL && len == 9);
}

static void an_error_tells_what_it_knows(void) {
    turnkeep_engine *engine = UNTOUCHED;
    turnkeep_error *error = NULL;
    const char *options = "{\"stoer\":\"sqlite::memory:\"}";
    REQUIRE(turnkeep_engine_open(options, strlen(options), &engine, &error) == TURNKEEP_INVALID_INPUT);
    REQUIRE(engine == UNTOUCHED);
    REQUIRE(strcmp(turnkeep_error_name(error), "INVALID_INPUT") == 0);
    size_t len = 0;
    const char *message = turnkeep_error_message(error, &len);
    REQUIRE(strlen(message) == len);
    REQUIRE_CONTAINS(message, "stoer");
    const char *json = turnkeep_error_json(error, &len);
    REQUIRE(strlen(json) == len);
    REQUIRE_IN_ORDER(json, "\"code\":\"INVALID_INPUT\"", "\"httpStatus\":400", "\"details\":{\"field\":\"stoer\"}");
    turnkeep_error_free(error);
}

static void a_nul_in_a_message_does_not_end_it(void) {
    turnkeep_engine *engine = NULL;
    turnkeep_error *error = NULL;
    const char *options = "{\"a\\u0000b\":1}";
    REQUIRE(turnkeep_engine_open(options, strlen(options), &engine, &error) == TURNKEEP_INVALID_INPUT);
    size_t len = 0;
    const char *message = turnkeep_error_message(error, &len);
    REQUIRE(message[0] == 'a' && message[1] == '\0' && message[2] == 'b');
    REQUIRE(len > 3 && message[len] == '\0');
    turnkeep_error_free(error);
}

static void options_are_checked(void) {
    static const struct {
        const char *options;
        turnkeep_status code;
        const char *part;
    } wrong[] = {
        {"", TURNKEEP_INVALID_INPUT, "options"},
        {"{", TURNKEEP_INVALID_INPUT, "options"},
        {"[]", TURNKEEP_INVALID_INPUT, "options"},
        {"{}", TURNKEEP_INVALID_INPUT, "store"},
        {"{\"store\":\"mysql://host/db\"}", TURNKEEP_INVALID_INPUT, "store"},
        {"{\"store\":\"postgres://host/db?sslmode=no\"}", TURNKEEP_INVALID_INPUT, "store"},
        {"{\"store\":\"sqlite:\"}", TURNKEEP_INVALID_INPUT, "store"},
        {"{\"store\":\"sqlite::memory:\",\"runs\":{\"maxSteps\":0}}", TURNKEEP_INVALID_INPUT, "runs.maxSteps"},
        {BROKEN_UTF8, TURNKEEP_INVALID_INPUT, "options: is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        turnkeep_engine *engine = UNTOUCHED;
        turnkeep_error *error = NULL;
        turnkeep_status status = turnkeep_engine_open(wrong[i].options, strlen(wrong[i].options), &engine, &error);
        REQUIRE_ERROR(status, &error, wrong[i].code, wrong[i].part);
        REQUIRE(engine == UNTOUCHED);
    }
}

static void a_folder_that_cannot_be_written_is_said_so(void) {
    char *file = scratch_path(".txt");
    write_file(file, "not a folder");
    struct text options = {0};
    add(&options, "{\"store\":\"sqlite:%s/chats.db\"}", file);
    turnkeep_engine *engine = UNTOUCHED;
    turnkeep_error *error = NULL;
    turnkeep_status status = turnkeep_engine_open(options.data, options.len, &engine, &error);
    REQUIRE_ERROR(status, &error, TURNKEEP_STORE_UNAVAILABLE, "\"field\":\"store\"");
    REQUIRE(engine == UNTOUCHED);
    text_free(&options);

    /* A file that is no database. */
    add(&options, "{\"store\":\"sqlite:%s\"}", file);
    error = NULL;
    status = turnkeep_engine_open(options.data, options.len, &engine, &error);
    REQUIRE_ERROR(status, &error, TURNKEEP_STORE_UNAVAILABLE, "\"field\":\"store\"");
    text_free(&options);
    free(file);
}

static void null_is_invalid_input_in_engine_functions(void) {
    const char *options = "{\"store\":\"sqlite::memory:\"}";
    turnkeep_engine *engine = UNTOUCHED;
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_engine_open(NULL, 5, &engine, &error), &error, TURNKEEP_INVALID_INPUT, "options");
    REQUIRE(engine == UNTOUCHED);
    REQUIRE_ERROR(turnkeep_engine_open(options, strlen(options), NULL, &error), &error, TURNKEEP_INVALID_INPUT,
                  "engine");
    REQUIRE_ERROR(turnkeep_engine_open(options, SIZE_MAX, &engine, &error), &error, TURNKEEP_INVALID_INPUT, "options");
    REQUIRE_ERROR(turnkeep_engine_close(NULL, 0, &error), &error, TURNKEEP_INVALID_INPUT, "engine");
    REQUIRE(turnkeep_engine_close(NULL, 0, NULL) == TURNKEEP_INVALID_INPUT);
}

static void null_is_invalid_input_in_questions(void) {
    static const question questions[] = {turnkeep_run_get, turnkeep_run_latest_for_chat, turnkeep_run_stop,
                                         turnkeep_chat_messages, turnkeep_chat_export, turnkeep_settings_get,
                                         turnkeep_settings_update, turnkeep_settings_test, turnkeep_embed,
                                         turnkeep_transcribe, turnkeep_generate_title};
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        turnkeep_bytes result = {UNTOUCHED, 3};
        turnkeep_error *error = NULL;
        REQUIRE_ERROR(questions[i](NULL, "{}", 2, &result, &error), &error, TURNKEEP_INVALID_INPUT, "engine");
        REQUIRE_ERROR(questions[i](engine, NULL, 2, &result, &error), &error, TURNKEEP_INVALID_INPUT, "params");
        REQUIRE_ERROR(questions[i](engine, "{}", 2, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "result");
        REQUIRE(questions[i](engine, "{}", 2, &result, NULL) == TURNKEEP_INVALID_INPUT);
        REQUIRE_ERROR(questions[i](engine, "{", 1, &result, &error), &error, TURNKEEP_INVALID_INPUT, "params");
        REQUIRE_ERROR(questions[i](engine, "\xc3(", 2, &result, &error), &error, TURNKEEP_INVALID_INPUT, "not UTF-8");
        REQUIRE_ERROR(questions[i](engine, "{}", 2, &result, &error), &error, TURNKEEP_INVALID_INPUT, "workspaceId");
        REQUIRE(result.data == UNTOUCHED && result.len == 3);
    }
    turnkeep_engine_free(engine);
}

static void null_is_invalid_input_in_turn_functions(void) {
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    turnkeep_turn *turn = UNTOUCHED;
    turnkeep_bytes bytes = {UNTOUCHED, 3};
    turnkeep_error *error = NULL;
    int32_t stopped = 5;
    REQUIRE_ERROR(turnkeep_turn_start(NULL, "{}", 2, NULL, NULL, &turn, &error), &error, TURNKEEP_INVALID_INPUT,
                  "engine");
    REQUIRE_ERROR(turnkeep_turn_start(engine, NULL, 2, NULL, NULL, &turn, &error), &error, TURNKEEP_INVALID_INPUT,
                  "request");
    REQUIRE_ERROR(turnkeep_turn_start(engine, "{}", 2, NULL, NULL, NULL, &error), &error, TURNKEEP_INVALID_INPUT,
                  "turn");
    REQUIRE(turnkeep_turn_start(engine, "{}", 2, NULL, NULL, &turn, NULL) == TURNKEEP_INVALID_INPUT);
    REQUIRE_ERROR(turnkeep_turn_next(NULL, 0, &bytes, &error), &error, TURNKEEP_INVALID_INPUT, "turn");
    REQUIRE_ERROR(turnkeep_turn_ids(NULL, &bytes, &error), &error, TURNKEEP_INVALID_INPUT, "turn");
    REQUIRE_ERROR(turnkeep_turn_stop(NULL, &stopped, &error), &error, TURNKEEP_INVALID_INPUT, "turn");
    REQUIRE_ERROR(turnkeep_turn_done(NULL, 0, &bytes, &error), &error, TURNKEEP_INVALID_INPUT, "turn");
    REQUIRE(turn == UNTOUCHED && bytes.data == UNTOUCHED && bytes.len == 3 && stopped == 5);
    turnkeep_engine_free(engine);
}

static void null_is_invalid_input_in_tool_call_functions(void) {
    turnkeep_bytes json = {UNTOUCHED, 3};
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_tool_call_json(NULL, &json, &error), &error, TURNKEEP_INVALID_INPUT, "call");
    REQUIRE_ERROR(turnkeep_tool_call_respond(NULL, "1", 1, &error), &error, TURNKEEP_INVALID_INPUT, "call");
    REQUIRE_ERROR(turnkeep_tool_call_fail(NULL, "x", 1, &error), &error, TURNKEEP_INVALID_INPUT, "call");
    REQUIRE(turnkeep_tool_call_respond(NULL, "1", 1, NULL) == TURNKEEP_INVALID_INPUT);
    REQUIRE(turnkeep_tool_call_cancelled(NULL) == 1);
    REQUIRE(json.data == UNTOUCHED && json.len == 3);
}

static void requests_are_checked(void) {
    static const struct {
        const char *message;
        const char *more;
        const char *field;
    } wrong[] = {
        {"{\"parts\":[]}", "", "\"field\":\"message.parts\""},
        {"{}", "", "\"field\":\"message.parts\""},
        {"\"\"", "", "\"field\":\"message\""},
        {"\"m\"", ",\"chatId\":\"no uuid\"", "\"field\":\"chatId\""},
        {"\"m\"", ",\"nonsense\":1", "\"field\":\"nonsense\""},
        {"\"m\"", ",\"tools\":[{}]", "\"field\":\"tools[0].name\""},
        {"\"m\"", ",\"tools\":[{\"name\":\"get\"}]", "\"field\":\"toolCallback\""},
        {"\"\xff\"", "", "\"field\":\"request\""},
        {"\"m", "", "\"field\":\""},
    };
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct text request = {0};
        add_request(&request, wrong[i].message, wrong[i].more);
        turnkeep_turn *turn = UNTOUCHED;
        turnkeep_error *error = NULL;
        turnkeep_status status = start_status(engine, request.data, NULL, NULL, &turn, &error);
        REQUIRE_ERROR(status, &error, TURNKEEP_INVALID_INPUT, wrong[i].field);
        REQUIRE(turn == UNTOUCHED);
        text_free(&request);
    }
    turnkeep_engine_free(engine);
}

static void a_closed_engine_says_so(void) {
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    turnkeep_error *error = NULL;
    REQUIRE(turnkeep_engine_close(engine, -1, &error) == TURNKEEP_OK);
    REQUIRE(turnkeep_engine_close(engine, 0, &error) == TURNKEEP_OK);
    turnkeep_turn *turn = UNTOUCHED;
    const char *request = "{\"workspaceId\":\"w\",\"userId\":\"u\",\"message\":\"m\"}";
    REQUIRE_ERROR(start_status(engine, request, NULL, NULL, &turn, &error), &error, TURNKEEP_ENGINE_CLOSED, "");
    turnkeep_bytes result = {0};
    REQUIRE_ERROR(turnkeep_run_get(engine, "{}", 2, &result, &error), &error, TURNKEEP_ENGINE_CLOSED, "");
    turnkeep_engine_free(engine);
}

static void what_is_not_there_is_not_found(void) {
    static const char UNKNOWN[] = "01890000-0000-7000-8000-000000000000";
    turnkeep_engine *engine = open_engine("sqlite::memory:", NULL);
    struct text params = {0};
    add(&params, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"runId\":\"%s\"}", UNKNOWN);
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    REQUIRE_ERROR(turnkeep_run_get(engine, params.data, params.len, &result, &error), &error, TURNKEEP_NOT_FOUND, "404");
    REQUIRE_ERROR(turnkeep_run_stop(engine, params.data, params.len, &result, &error), &error, TURNKEEP_NOT_FOUND, "");
    REQUIRE(result.data == NULL);
    text_free(&params);
    turnkeep_engine_free(engine);
}

static char *asked(turnkeep_engine *engine, question question, const char *params) {
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    REQUIRE(question(engine, params, strlen(params), &result, &error) == TURNKEEP_OK);
    char *text = strdup(result.data);
    turnkeep_bytes_free(&result);
    return text;
}

static void keys_go_in_and_never_come_out(void) {
    static const char OPTIONS[] = "{\"store\":\"sqlite::memory:\",\"appSecret\":\"a secret\"}";
    static const char UPDATE[] =
        "{\"workspaceId\":\"w\",\"settings\":{\"driver\":\"openai\",\"apiKey\":\"sk-0123456789\"}}";
    static const char WRONG[] = "{\"workspaceId\":\"w\",\"settings\":{\"driver\":\"mystery\"}}";
    static const char TEXTS[] = "{\"workspaceId\":\"w\",\"texts\":[\"a\"]}";
    static const char AUDIO[] = "{\"workspaceId\":\"w\",\"audio\":\"UklGRg==\",\"mime\":\"audio/webm\"}";
    static const char PAGE[] = "{\"workspaceId\":\"w\",\"content\":\"Fish live in water.\"}";
    turnkeep_engine *engine = NULL;
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    REQUIRE(turnkeep_engine_open(OPTIONS, strlen(OPTIONS), &engine, &error) == TURNKEEP_OK);
    char *updated = asked(engine, turnkeep_settings_update, UPDATE);
    char *shown = asked(engine, turnkeep_settings_get, "{\"workspaceId\":\"w\"}");
    REQUIRE(strcmp(updated, shown) == 0);
    REQUIRE_CONTAINS(shown, "\"hasApiKey\":true");
    REQUIRE(strstr(shown, "sk-0123456789") == NULL);
    char *tested = asked(engine, turnkeep_settings_test, "{\"workspaceId\":\"w\",\"capability\":\"stt\"}");
    REQUIRE_CONTAINS(tested, "{\"ok\":false,\"error\":");
    char *rotated = asked(engine, turnkeep_secrets_rotate, "{}");
    REQUIRE(strcmp(rotated, "{\"resealed\":0,\"unreadable\":0}") == 0);
    REQUIRE_ERROR(turnkeep_settings_update(engine, WRONG, strlen(WRONG), &result, &error), &error,
                  TURNKEEP_INVALID_INPUT, "driver");
    REQUIRE_ERROR(turnkeep_embed(engine, TEXTS, strlen(TEXTS), &result, &error), &error,
                  TURNKEEP_EMBEDDING_NOT_CONFIGURED, "openai");
    REQUIRE_ERROR(turnkeep_transcribe(engine, AUDIO, strlen(AUDIO), &result, &error), &error,
                  TURNKEEP_STT_NOT_CONFIGURED, "");
    REQUIRE_ERROR(turnkeep_generate_title(engine, PAGE, strlen(PAGE), &result, &error), &error,
                  TURNKEEP_AI_NOT_CONFIGURED, "openai");
    free(updated);
    free(shown);
    free(tested);
    free(rotated);
    turnkeep_engine_free(engine);
}

int main(void) {
    static const struct test tests[] = {
        TEST(versions_agree),
        TEST(freeing_null_does_nothing),
        TEST(a_turn_without_a_provider_is_refused),
        TEST(an_error_without_an_object_is_an_error),
        TEST(an_error_tells_what_it_knows),
        TEST(a_nul_in_a_message_does_not_end_it),
        TEST(options_are_checked),
        TEST(a_folder_that_cannot_be_written_is_said_so),
        TEST(null_is_invalid_input_in_engine_functions),
        TEST(null_is_invalid_input_in_questions),
        TEST(null_is_invalid_input_in_turn_functions),
        TEST(null_is_invalid_input_in_tool_call_functions),
        TEST(requests_are_checked),
        TEST(a_closed_engine_says_so),
        TEST(what_is_not_there_is_not_found),
        TEST(keys_go_in_and_never_come_out),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
