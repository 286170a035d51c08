#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Under valgrind everything takes many times longer; this only ends what would never end. */
enum { WATCHDOG_SECONDS = 300 };

/* ---- the runner -------------------------------------------------------------------------------------------- */

static jmp_buf test_end;

void fail_test(const char *file, int line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("    %s:%d: ", file, line);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    longjmp(test_end, 1);
}

int run_tests(const struct test *tests, size_t count) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    volatile size_t failed = 0;
    for (volatile size_t i = 0; i < count; i++) {
        alarm(WATCHDOG_SECONDS);
        if (setjmp(test_end) == 0) {
            tests[i].run();
            printf("ok   %s\n", tests[i].name);
        } else {
            printf("FAIL %s\n", tests[i].name);
            failed++;
        }
    }
    printf("%zu passed, %zu failed, 0 skipped\n", count - failed, failed);
    return failed == 0 ? 0 : 1;
}

/* ---- texts ------------------------------------------------------------------------------------------------- */

static void *checked(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    size_t more = (size_t)vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (text->len + more + 1 > text->room) {
        text->room = (text->len + more + 1) * 2;
        text->data = checked(realloc(text->data, text->room));
    }
    vsnprintf(text->data + text->len, more + 1, format, again);
    va_end(again);
    text->len += more;
}

void add_json(struct text *text, const char *value) {
    add(text, "\"");
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            add(text, "\\%c", *c);
        } else if ((unsigned char)*c < 0x20) {
            add(text, "\\u%04x", (unsigned)*c);
        } else {
            add(text, "%c", *c);
        }
    }
    add(text, "\"");
}

void text_free(struct text *text) {
    free(text->data);
    *text = (struct text){0};
}

bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

void require_in_order(const char *file, int line, const char *text, const char *const *parts) {
    const char *rest = text;
    for (; *parts != NULL; parts++) {
        const char *found = strstr(rest, *parts);
        if (found == NULL) {
            fail_test(file, line, "no %s at its place in %s", *parts, text);
        }
        rest = found + strlen(*parts);
    }
}

char *string_field(const char *json, const char *key) {
    struct text pattern = {0};
    add(&pattern, "\"%s\":\"", key);
    const char *found = strstr(json, pattern.data);
    if (found == NULL) {
        fail_test(__FILE__, __LINE__, "no %s in %s", key, json);
    }
    const char *value = found + pattern.len;
    text_free(&pattern);
    return checked(strndup(value, strcspn(value, "\"")));
}

/* ---- files ------------------------------------------------------------------------------------------------- */

static const char *environment(const char *name) {
    const char *value = getenv(name);
    if (value == NULL) {
        fprintf(stderr, "%s is not set; start the tests with ffi/tests/run.sh\n", name);
        exit(2);
    }
    return value;
}

char *scratch_path(const char *suffix) {
    static int number = 0;
    struct text path = {0};
    add(&path, "%s/%d-%d%s", environment("TURNKEEP_SCRATCH"), (int)getpid(), number++, suffix);
    return path.data;
}

void write_file(const char *path, const char *data) {
    FILE *file = checked(fopen(path, "w"));
    if (fputs(data, file) < 0 || fclose(file) != 0) {
        abort();
    }
}

/* ---- the scripted provider --------------------------------------------------------------------------------- */

static void add_separator(struct text *script) {
    add(script, "%s", script->len == 0 ? "{\"responses\":[" : ",");
}

static void add_chunk(struct text *script, const char *data) {
    struct text event = {0};
    add(&event, "data: %s\n\n", data);
    bool first = script->data[script->len - 1] == '[';
    add(script, "%s", first ? "" : ",");
    add_json(script, event.data);
    text_free(&event);
}

static void add_choice(struct text *script, const char *delta, const char *reason) {
    struct text chunk = {0};
    add(&chunk, "{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,");
    add(&chunk, "\"delta\":%s,\"finish_reason\":", delta);
    if (reason == NULL) {
        add(&chunk, "null");
    } else {
        add_json(&chunk, reason);
    }
    add(&chunk, "}]}");
    add_chunk(script, chunk.data);
    text_free(&chunk);
}

void answer_begin(struct text *script) {
    add_separator(script);
    add(script, "{\"chunks\":[");
}

void answer_text(struct text *script, const char *text) {
    struct text delta = {0};
    add(&delta, "{\"content\":");
    add_json(&delta, text);
    add(&delta, "}");
    add_choice(script, delta.data, NULL);
    text_free(&delta);
}

void answer_call(struct text *script, int index, const char *id, const char *name, const char *arguments) {
    struct text delta = {0};
    add(&delta, "{\"tool_calls\":[{\"index\":%d,\"id\":\"%s\",\"type\":\"function\",", index, id);
    add(&delta, "\"function\":{\"name\":\"%s\",\"arguments\":", name);
    add_json(&delta, arguments);
    add(&delta, "}}]}");
    add_choice(script, delta.data, NULL);
    text_free(&delta);
}

void answer_finish(struct text *script, const char *reason) {
    add_choice(script, "{}", reason);
    add_chunk(script, "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,"
                      "\"total_tokens\":12}}");
    add_chunk(script, "[DONE]");
}

void answer_end(struct text *script, const char *then) {
    add(script, "],\"then\":\"%s\"}", then);
}

void answer_body(struct text *script, int status, const char *content_type, const char *body) {
    add_separator(script);
    add(script, "{\"status\":%d,\"headers\":{\"content-type\":\"%s\"},\"body\":", status, content_type);
    add_json(script, body);
    add(script, "}");
}

void answer_with(struct text *script, const char *text) {
    answer_begin(script);
    answer_text(script, text);
    answer_finish(script, "stop");
    answer_end(script, "end");
}

/* Both ends are closed in children, but for what posix_spawn puts at their standard streams. */
static void private_pipe(int ends[2]) {
    if (pipe(ends) != 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) != 0) {
        abort();
    }
}

struct provider provider_start(struct text *script, bool repeat) {
    add(script, "],\"repeat\":%s}", repeat ? "true" : "false");
    char *path = scratch_path(".json");
    write_file(path, script->data);
    text_free(script);

    int to_child[2], from_child[2];
    private_pipe(to_child);
    private_pipe(from_child);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], STDOUT_FILENO);
    struct provider provider = {.to_child = to_child[1], .from_child = from_child[0]};
    const char *program = environment("TURNKEEP_SCRIPTED_PROVIDER");
    char *arguments[] = {(char *)program, path, NULL};
    int spawned = posix_spawn(&provider.pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to_child[0]);
    close(from_child[1]);
    free(path);
    REQUIRE(spawned == 0);

    char line[64];
    size_t len = 0;
    while (len < sizeof line - 1 && read(provider.from_child, line + len, 1) == 1 && line[len] != '\n') {
        len++;
    }
    line[len] = '\0';
    REQUIRE(sscanf(line, "{\"port\":%d}", &provider.port) == 1);
    return provider;
}

char *provider_stop(struct provider *provider) {
    close(provider->to_child);
    struct text requests = {0};
    add(&requests, "%s", "");
    char part[4096];
    ssize_t count;
    while ((count = read(provider->from_child, part, sizeof part)) > 0) {
        add(&requests, "%.*s", (int)count, part);
    }
    close(provider->from_child);
    int status;
    REQUIRE(waitpid(provider->pid, &status, 0) == provider->pid);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return requests.data;
}

/* ---- turnkeep ---------------------------------------------------------------------------------------------- */

static void require_ok(const char *file, int line, turnkeep_status status, turnkeep_error *error) {
    if (status != TURNKEEP_OK) {
        fail_test(file, line, "status %d: %s", (int)status, error == NULL ? "" : turnkeep_error_json(error, NULL));
    }
}
#define REQUIRE_OK(status, error) require_ok(__FILE__, __LINE__, status, error)

void require_error(const char *file, int line, turnkeep_status status, turnkeep_error **error, turnkeep_status code,
                   const char *part) {
    if (status != code) {
        fail_test(file, line, "status %d instead of %d", (int)status, (int)code);
    }
    if (*error == NULL || turnkeep_error_code(*error) != code || !contains(turnkeep_error_json(*error, NULL), part)) {
        fail_test(file, line, "no %s in %s", part, *error == NULL ? "NULL" : turnkeep_error_json(*error, NULL));
    }
    turnkeep_error_free(*error);
    *error = NULL;
}

/* Moves the text into memory of ours, so that the tests need one kind of free. */
static char *moved(turnkeep_bytes *bytes) {
    char *copy = checked(malloc(bytes->len + 1));
    memcpy(copy, bytes->data, bytes->len + 1);
    REQUIRE(copy[bytes->len] == '\0');
    turnkeep_bytes_free(bytes);
    return copy;
}

turnkeep_engine *open_engine(const char *store, const struct provider *provider) {
    struct text options = {0};
    add(&options, "{\"store\":");
    add_json(&options, store);
    if (provider != NULL) {
        add(&options, ",\"providers\":{\"default\":{\"driver\":\"openai-compatible\",\"model\":\"m\",\"apiKey\":");
        add(&options, "\"sk-of-the-c-tests\",\"baseUrl\":\"http://127.0.0.1:%d/v1\"}}", provider->port);
    }
    /* valgrind runs one thread at a time: on a busy machine leases of 15 s were lost. What becomes of one answer is
     * looked at, so none is tried again. */
    add(&options, ",\"runs\":{\"leaseMs\":120000,\"stepRetries\":0}}");
    turnkeep_engine *engine = NULL;
    turnkeep_error *error = NULL;
    turnkeep_status status = turnkeep_engine_open(options.data, options.len, &engine, &error);
    text_free(&options);
    REQUIRE_OK(status, error);
    return engine;
}

void add_request(struct text *request, const char *message, const char *more) {
    add(request, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"message\":%s%s}", message, more);
}

turnkeep_status start_status(turnkeep_engine *engine, const char *request, turnkeep_tool_callback callback, void *data,
                             turnkeep_turn **turn, turnkeep_error **error) {
    return turnkeep_turn_start(engine, request, strlen(request), callback, data, turn, error);
}

turnkeep_turn *start(turnkeep_engine *engine, const char *more, turnkeep_tool_callback callback, void *data) {
    struct text request = {0};
    add_request(&request, "\"Hello\"", more);
    turnkeep_turn *turn = NULL;
    turnkeep_error *error = NULL;
    turnkeep_status status = start_status(engine, request.data, callback, data, &turn, &error);
    text_free(&request);
    REQUIRE_OK(status, error);
    return turn;
}

/* The next chunk, to be freed; NULL at the end. */
static char *next_chunk(turnkeep_turn *turn) {
    turnkeep_bytes chunk = {0};
    turnkeep_error *error = NULL;
    turnkeep_status status = turnkeep_turn_next(turn, -1, &chunk, &error);
    if (status == TURNKEEP_DONE) {
        REQUIRE(chunk.data == NULL && error == NULL);
        return NULL;
    }
    REQUIRE_OK(status, error);
    return moved(&chunk);
}

char *read_chunks(turnkeep_turn *turn) {
    struct text chunks = {0};
    add(&chunks, "%s", "");
    for (char *chunk; (chunk = next_chunk(turn)) != NULL; free(chunk)) {
        add(&chunks, "%s\n", chunk);
    }
    return chunks.data;
}

void read_until(turnkeep_turn *turn, const char *part) {
    bool found = false;
    while (!found) {
        char *chunk = next_chunk(turn);
        REQUIRE(chunk != NULL);
        found = contains(chunk, part);
        free(chunk);
    }
}

char *outcome_of(turnkeep_turn *turn) {
    turnkeep_bytes outcome = {0};
    turnkeep_error *error = NULL;
    REQUIRE_OK(turnkeep_turn_done(turn, -1, &outcome, &error), error);
    return moved(&outcome);
}

char *id_of(turnkeep_turn *turn, const char *key) {
    turnkeep_bytes ids = {0};
    turnkeep_error *error = NULL;
    REQUIRE_OK(turnkeep_turn_ids(turn, &ids, &error), error);
    char *id = string_field(ids.data, key);
    turnkeep_bytes_free(&ids);
    return id;
}

char *ask(turnkeep_engine *engine, question question, const char *key, const char *id) {
    struct text params = {0};
    add(&params, "{\"workspaceId\":\"w\",\"userId\":\"u\",\"%s\":\"%s\"}", key, id);
    turnkeep_bytes result = {0};
    turnkeep_error *error = NULL;
    turnkeep_status status = question(engine, params.data, params.len, &result, &error);
    text_free(&params);
    REQUIRE_OK(status, error);
    return moved(&result);
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

void put_into_inbox(void *data, turnkeep_tool_call *call) {
    struct inbox *inbox = data;
    pthread_mutex_lock(&inbox->lock);
    inbox->calls[inbox->received++] = call;
    pthread_cond_broadcast(&inbox->changed);
    pthread_mutex_unlock(&inbox->lock);
}

turnkeep_tool_call *take_from_inbox(struct inbox *inbox) {
    pthread_mutex_lock(&inbox->lock);
    while (inbox->taken == inbox->received) {
        pthread_cond_wait(&inbox->changed, &inbox->lock);
    }
    turnkeep_tool_call *call = inbox->calls[inbox->taken++];
    pthread_mutex_unlock(&inbox->lock);
    return call;
}

char *call_json(turnkeep_tool_call *call) {
    turnkeep_bytes json = {0};
    turnkeep_error *error = NULL;
    REQUIRE_OK(turnkeep_tool_call_json(call, &json, &error), error);
    return moved(&json);
}

void respond(turnkeep_tool_call *call, const char *output) {
    turnkeep_error *error = NULL;
    REQUIRE_OK(turnkeep_tool_call_respond(call, output, strlen(output), &error), error);
}
