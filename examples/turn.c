/* One turn with a tool, printed as it comes: turn chats.db http://127.0.0.1:8080/v1 my-model
 *
 * cc -I include examples/turn.c -L target/release -lturnkeep_ffi -o turn */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "turnkeep.h"

static void must(turnkeep_status status, turnkeep_error *error) {
    if (status == TURNKEEP_OK) return;
    fprintf(stderr, "%s: %s\n", turnkeep_error_name(error), turnkeep_error_message(error, NULL));
    exit(1);
}

/* Runs on a thread of the engine's. The call is used up by its answer. */
static void weather(void *user_data, turnkeep_tool_call *call) {
    const char *output = "{\"city\":\"Oslo\",\"sky\":\"clear\",\"tempC\":21}";
    (void)user_data;
    turnkeep_tool_call_respond(call, output, strlen(output), NULL);
}

/* The value of a string member, up to its end. Programs have a JSON library for this. */
static void print_member(const char *json, const char *member) {
    const char *text = strstr(json, member);
    if (text == NULL) return;
    for (text += strlen(member); *text != '\0' && *text != '"'; text++) putchar(*text);
}

int main(int argc, char **argv) {
    char options[1024];
    const char *request =
        "{\"workspaceId\":\"w1\",\"userId\":\"u1\",\"message\":\"How is the weather in Oslo?\",\"tools\":[{"
        "\"name\":\"weather\",\"description\":\"Tells the weather in a city\",\"readOnly\":true,\"inputSchema\":{"
        "\"type\":\"object\",\"properties\":{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}]}";
    turnkeep_engine *engine = NULL;
    turnkeep_turn *turn = NULL;
    turnkeep_error *error = NULL;
    turnkeep_bytes json;
    if (argc != 4) return 2;
    snprintf(options, sizeof options,
             "{\"store\":\"sqlite:%s\",\"providers\":{\"default\":{\"driver\":\"openai-compatible\",\"baseUrl\":\"%s\","
             "\"model\":\"%s\"}}}",
             argv[1], argv[2], argv[3]);
    must(turnkeep_engine_open(options, strlen(options), &engine, &error), error);
    must(turnkeep_turn_start(engine, request, strlen(request), weather, NULL, &turn, &error), error);
    while (turnkeep_turn_next(turn, -1, &json, NULL) == TURNKEEP_OK) {
        if (strstr(json.data, "\"type\":\"text-delta\"") != NULL) print_member(json.data, "\"delta\":\"");
        if (strstr(json.data, "\"type\":\"tool-output-available\"") != NULL)
            printf("[weather: {\"city\":\"Oslo\",\"sky\":\"clear\",\"tempC\":21}]\n");
        fflush(stdout);
        turnkeep_bytes_free(&json);
    }
    must(turnkeep_turn_done(turn, -1, &json, &error), error);
    printf("\n");
    print_member(json.data, "\"status\":\"");
    printf(" after %ld steps\n", strtol(strstr(json.data, "\"stepCount\":") + strlen("\"stepCount\":"), NULL, 10));
    turnkeep_bytes_free(&json);
    turnkeep_turn_free(turn);
    must(turnkeep_engine_close(engine, -1, &error), error);
    turnkeep_engine_free(engine);
    return 0;
}
