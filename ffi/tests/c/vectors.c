/* Calls the pure functions that vectors.py asks for. JSON stays text here: what it means is vectors.py's business.
 *
 * A question is a line "NAME LENGTH" and LENGTH bytes of arguments; an answer is a line "STATUS LENGTH" and LENGTH bytes:
 * the result, or the error's JSON.
 */

#include "functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static turnkeep_status ask(const char *name, const char *arguments, size_t length, turnkeep_bytes *result,
                           turnkeep_error **error) {
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].name, name) == 0) {
            return functions[i].call(arguments, length, result, error);
        }
    }
    fprintf(stderr, "there is no %s\n", name);
    exit(2);
}

int main(void) {
    char name[80];
    size_t length;
    while (scanf("%79s %zu", name, &length) == 2 && getchar() == '\n') {
        char *arguments = malloc(length + 1);
        if (arguments == NULL || fread(arguments, 1, length, stdin) != length) {
            return 2;
        }
        turnkeep_bytes result = {0};
        turnkeep_error *error = NULL;
        turnkeep_status status = ask(name, arguments, length, &result, &error);
        size_t answered = result.len;
        const char *answer = error == NULL ? result.data : turnkeep_error_json(error, &answered);
        printf("%d %zu\n", (int)status, answered);
        if (answer != NULL) {
            fwrite(answer, 1, answered, stdout);
        }
        fflush(stdout);
        turnkeep_bytes_free(&result);
        turnkeep_error_free(error);
        free(arguments);
    }
    return 0;
}
