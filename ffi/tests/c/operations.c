/* Asks an engine on a database in memory what table_c.py asks for. JSON stays text here: what it means is table_c.py's
 * business.
 *
 * A question is a line "NAME LENGTH" and LENGTH bytes of parameters; an answer is a line "STATUS LENGTH" and LENGTH bytes:
 * the result, or the error's JSON.
 */

#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static turnkeep_status ask(const turnkeep_engine *engine, const char *name, const char *params, size_t length,
                           turnkeep_bytes *result, turnkeep_error **error) {
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(operations[i].name, name) == 0) {
            return operations[i].call(engine, params, length, result, error);
        }
    }
    fprintf(stderr, "there is no %s\n", name);
    exit(2);
}

int main(void) {
    static const char options[] = "{\"store\":\"sqlite::memory:\",\"http\":{\"allowPrivate\":[\"127.0.0.1\"]}}";
    turnkeep_engine *engine = NULL;
    if (turnkeep_engine_open(options, sizeof options - 1, &engine, NULL) != TURNKEEP_OK) {
        return 2;
    }
    char name[80];
    size_t length;
    while (scanf("%79s %zu", name, &length) == 2 && getchar() == '\n') {
        char *params = malloc(length + 1);
        if (params == NULL || fread(params, 1, length, stdin) != length) {
            return 2;
        }
        turnkeep_bytes result = {0};
        turnkeep_error *error = NULL;
        turnkeep_status status = ask(engine, name, params, length, &result, &error);
        size_t answered = result.len;
        const char *answer = error == NULL ? result.data : turnkeep_error_json(error, &answered);
        printf("%d %zu\n", (int)status, answered);
        if (answer != NULL) {
            fwrite(answer, 1, answered, stdout);
        }
        fflush(stdout);
        turnkeep_bytes_free(&result);
        turnkeep_error_free(error);
        free(params);
    }
    turnkeep_engine_free(engine);
    return 0;
}
