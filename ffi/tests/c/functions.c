/* What the pure functions do with right and wrong arguments. No engine is needed. */

#include "functions.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* A pointer that no output must replace. */
#define UNTOUCHED ((void *)0x5a5a)

static turnkeep_status call(function function, const char *arguments, turnkeep_bytes *result, turnkeep_error **error) {
    return function(arguments, strlen(arguments), result, error);
}

/* The result; to be freed. */
static turnkeep_bytes result_of(function function, const char *arguments) {
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    turnkeep_status status = call(function, arguments, &result, &error);
    if (status != TURNKEEP_OK) {
        fail_test(__FILE__, __LINE__, "status %d for %s: %s", (int)status, arguments,
                  error == NULL ? "no error" : turnkeep_error_message(error, NULL));
    }
    REQUIRE(error == NULL);
    REQUIRE(result.data != NULL && strlen(result.data) == result.len);
    return result;
}

static void require_result(function function, const char *arguments, const char *expected) {
    turnkeep_bytes result = result_of(function, arguments);
    if (strcmp(result.data, expected) != 0) {
        fail_test(__FILE__, __LINE__, "%s: %s, not %s", arguments, result.data, expected);
    }
    turnkeep_bytes_free(&result);
}

static void results_are_json(void) {
    require_result(turnkeep_normalize_lang, "{\"tag\":\"ru-RU\"}", "\"ru\"");
    require_result(turnkeep_normalize_lang, "{}", "\"en\"");
    require_result(turnkeep_normalize_lang, "{\"tag\":null}", "\"en\"");
    require_result(turnkeep_is_fatal_provider_error, "{\"err\":{\"statusCode\":401}}", "true");
    require_result(turnkeep_plan_finalize_assistant, "{}", "{\"kind\":\"insert\"}");
    require_result(turnkeep_flush_assistant, "{\"steps\":[],\"inProgressText\":\"\",\"status\":\"streaming\"}",
                   "{\"content\":\"\",\"toolCalls\":null,\"metadata\":{\"parts\":[]},\"status\":\"streaming\"}");
    require_result(turnkeep_compact_tool_output, "{\"value\":12345678901234567890123}", "12345678901234567890123");
}

static void undefined_is_done(void) {
    turnkeep_bytes result = {UNTOUCHED, 3};
    turnkeep_error *error = NULL;
    turnkeep_status status =
        call(turnkeep_prepare_agent_step, "{\"stepNumber\":0,\"system\":\"s\"}", &result, &error);
    REQUIRE(status == TURNKEEP_DONE);
    REQUIRE(result.data == UNTOUCHED && result.len == 3 && error == NULL);
    turnkeep_bytes prepared = result_of(turnkeep_prepare_agent_step,
                                        "{\"stepNumber\":1,\"system\":\"s\",\"maxSteps\":2}");
    REQUIRE_IN_ORDER(prepared.data, "{\"toolChoice\":\"none\"", "\"system\":\"s\\n\\n");
    turnkeep_bytes_free(&prepared);
}

static void null_is_invalid_input(void) {
    for (size_t i = 0; i < FUNCTIONS; i++) {
        turnkeep_bytes result = {UNTOUCHED, 3};
        turnkeep_error *error = NULL;
        REQUIRE_ERROR(functions[i].call(NULL, 2, &result, &error), &error, TURNKEEP_INVALID_INPUT, "arguments");
        REQUIRE_ERROR(functions[i].call("{}", SIZE_MAX, &result, &error), &error, TURNKEEP_INVALID_INPUT, "arguments");
        REQUIRE_ERROR(functions[i].call("{}", 2, NULL, &error), &error, TURNKEEP_INVALID_INPUT, "result");
        REQUIRE(functions[i].call(NULL, 2, NULL, NULL) == TURNKEEP_INVALID_INPUT);
        REQUIRE(result.data == UNTOUCHED && result.len == 3);
    }
}

static void what_is_not_json_is_invalid_input(void) {
    static const char *const wrong[] = {"", "{", "{} {}", "nul", "{\"a\":1,}"};
    for (size_t i = 0; i < FUNCTIONS; i++) {
        for (size_t j = 0; j < sizeof wrong / sizeof *wrong; j++) {
            turnkeep_bytes result = {UNTOUCHED, 3};
            turnkeep_error *error = NULL;
            REQUIRE_ERROR(call(functions[i].call, wrong[j], &result, &error), &error, TURNKEEP_INVALID_INPUT, "");
            REQUIRE(result.data == UNTOUCHED);
        }
        turnkeep_bytes result = {UNTOUCHED, 3};
        turnkeep_error *error = NULL;
        REQUIRE_ERROR(call(functions[i].call, "{\"text\":\"\xff\"}", &result, &error), &error, TURNKEEP_INVALID_INPUT,
                      "arguments: is not UTF-8");
        REQUIRE(result.data == UNTOUCHED);
    }
}

static void every_function_is_there(void) {
    for (size_t i = 0; i < FUNCTIONS; i++) {
        turnkeep_bytes result = {0};
        turnkeep_error *error = NULL;
        /* Never an object, so it is refused, but not for its name. */
        turnkeep_status status = call(functions[i].call, "5", &result, &error);
        REQUIRE(status == TURNKEEP_INVALID_INPUT);
        if (contains(turnkeep_error_message(error, NULL), "there is no such function")) {
            fail_test(__FILE__, __LINE__, "%s is not there", functions[i].name);
        }
        turnkeep_error_free(error);
    }
}

static void wrong_shapes_name_their_place(void) {
    static const struct {
        function call;
        const char *arguments;
        const char *field;
    } wrong[] = {
        {turnkeep_flush_assistant, "{\"steps\":[],\"inProgressText\":\"\"}", "status"},
        {turnkeep_flush_assistant, "{\"steps\":[],\"status\":\"done\"}", "status"},
        {turnkeep_flush_assistant, "{\"steps\":[[\"text\"]],\"status\":\"streaming\"}", "steps[0]"},
        {turnkeep_flush_assistant, "{\"steps\":5,\"inProgressText\":\"\",\"status\":\"streaming\"}", "steps"},
        {turnkeep_flush_assistant,
         "{\"steps\":[{},{},{\"toolCalls\":[{\"toolCallId\":\"c\",\"toolName\":5}]}],\"inProgressText\":\"\","
         "\"status\":\"completed\"}",
         "steps[2].toolCalls[0].toolName"},
        {turnkeep_prepare_agent_step, "{\"stepNumber\":\"1\",\"system\":\"s\"}", "stepNumber"},
        {turnkeep_prepare_agent_step, "{\"stepNumber\":1}", "system"},
        {turnkeep_normalize_lang, "{\"tag\":5}", "tag"},
        {turnkeep_split_text, "{\"text\":\"t\",\"options\":{\"chunkSize\":\"x\"}}", "options.chunkSize"},
        {turnkeep_trim_history, "{\"messages\":[],\"options\":{}}", "options.budgetTokens"},
        {turnkeep_disambiguate_tool_name, "{\"name\":\"n\",\"serverId\":\"s\",\"taken\":[\"a\",5]}", "taken[1]"},
        {turnkeep_parse_chat_json, "{\"text\":\"{\"}", "text"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        turnkeep_bytes result = {UNTOUCHED, 3};
        turnkeep_error *error = NULL;
        struct text field = {0};
        add(&field, "\"field\":\"%s\"", wrong[i].field);
        turnkeep_status status = call(wrong[i].call, wrong[i].arguments, &result, &error);
        REQUIRE_ERROR(status, &error, TURNKEEP_INVALID_INPUT, field.data);
        REQUIRE(result.data == UNTOUCHED);
        text_free(&field);
    }
}

/* The parameter that a function misses first; to be freed. */
static char *first_parameter(function function) {
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    turnkeep_status status = call(function, "{}", &result, &error);
    char *name = status == TURNKEEP_INVALID_INPUT ? string_field(turnkeep_error_json(error, NULL), "field") : NULL;
    turnkeep_bytes_free(&result);
    turnkeep_error_free(error);
    return name != NULL ? name : strdup("usage");
}

/* Whatever each function makes of it, it comes back. */
static void hostile_nesting_ends_nothing(void) {
    enum { DEPTH = 100000 };
    char *brackets = malloc(2 * DEPTH + 1);
    REQUIRE(brackets != NULL);
    memset(brackets, '[', DEPTH);
    memset(brackets + DEPTH, ']', DEPTH);
    brackets[2 * DEPTH] = '\0';
    for (size_t i = 0; i < FUNCTIONS; i++) {
        char *name = first_parameter(functions[i].call);
        struct text arguments = {0};
        add(&arguments, "{\"%s\":%s}", name, brackets);
        turnkeep_bytes result = {0};
        turnkeep_error *error = NULL;
        turnkeep_status status = functions[i].call(arguments.data, arguments.len, &result, &error);
        REQUIRE(status == TURNKEEP_OK || status == TURNKEEP_DONE || status == TURNKEEP_INVALID_INPUT);
        turnkeep_bytes_free(&result);
        turnkeep_error_free(error);
        text_free(&arguments);
        free(name);
    }
    free(brackets);
}

int main(void) {
    static const struct test tests[] = {
        TEST(results_are_json),
        TEST(undefined_is_done),
        TEST(null_is_invalid_input),
        TEST(what_is_not_json_is_invalid_input),
        TEST(every_function_is_there),
        TEST(wrong_shapes_name_their_place),
        TEST(hostile_nesting_ends_nothing),
    };
    return run_tests(tests, sizeof tests / sizeof *tests);
}
