/* C's part in the comparison of languages; see README.md. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turnkeep.h"

/* `call` ends in `&error`. */
#define MUST(call)                                                                             \
    do {                                                                                       \
        turnkeep_error *error = NULL;                                                          \
        if ((call) != TURNKEEP_OK) {                                                           \
            fprintf(stderr, "%s: %s\n", #call, turnkeep_error_message(error, NULL));           \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

static void answer(void *user_data, turnkeep_tool_call *call) {
    (void)user_data;
    turnkeep_bytes json;
    MUST(turnkeep_tool_call_json(call, &json, &error));
    char output[5003] = "null";
    if (strstr(json.data, "\"toolName\":\"weather\""))
        strcpy(output, "{\"city\":\"Oslo\",\"tempC\":21.5,\"note\":\"Grüße 😀\"}");
    if (strstr(json.data, "\"toolName\":\"long\"")) {
        memset(output, 'x', 5002);
        output[0] = output[5001] = '"';
        output[5002] = '\0';
    }
    if (strstr(json.data, "\"toolName\":\"broken\""))
        MUST(turnkeep_tool_call_fail(call, "it broke", strlen("it broke"), &error));
    else
        MUST(turnkeep_tool_call_respond(call, output, strlen(output), &error));
    turnkeep_bytes_free(&json);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    char options[1024];
    snprintf(options, sizeof options,
             "{\"store\":\"sqlite:%s\",\"providers\":{\"default\":{\"driver\":\"openai-compatible\","
             "\"model\":\"test-model\",\"baseUrl\":\"%s\"}}}",
             argv[1], argv[2]);
    const char *request =
        "{\"workspaceId\":\"w1\",\"userId\":\"u1\",\"message\":\"Grüße 😀\",\"tools\":["
        "{\"name\":\"weather\",\"description\":\"Tells the weather\",\"inputSchema\":{\"type\":\"object\","
        "\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}},"
        "{\"name\":\"broken\"},{\"name\":\"nothing\",\"readOnly\":true},{\"name\":\"long\"}]}";

    turnkeep_engine *engine = NULL;
    turnkeep_turn *turn = NULL;
    turnkeep_bytes bytes;
    MUST(turnkeep_engine_open(options, strlen(options), &engine, &error));
    MUST(turnkeep_turn_start(engine, request, strlen(request), answer, NULL, &turn, &error));
    while (turnkeep_turn_next(turn, -1, &bytes, NULL) == TURNKEEP_OK) {
        puts(bytes.data);
        turnkeep_bytes_free(&bytes);
    }
    MUST(turnkeep_turn_done(turn, -1, &bytes, &error));
    turnkeep_bytes_free(&bytes);
    turnkeep_turn_free(turn);
    MUST(turnkeep_engine_close(engine, -1, &error));
    turnkeep_engine_free(engine);
    return 0;
}
