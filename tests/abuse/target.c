/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/abuse/target.h"

#include <errno.h>
#include <grpc/health/v1/health.grpcc.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_IS_OURS false
#else
#define MEMORY_IS_OURS true
#endif

enum { OPTIONS_MAX = 8 };

bool abuse_long;

/* ---- the bystander ---- */

struct grpcc_channel *target_channel(const struct target *target)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%d", target->port);
    struct grpcc_channel *channel = grpcc_channel_new(address, NULL, &err);
    assert_non_null(channel);
    return channel;
}

enum grpcc_status target_call(struct grpcc_channel *channel, struct grpcc_error *err)
{
    struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = H2_PATIENCE_S * 1000, .wait_for_ready = true};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *request = grpcc_testing_ask_new(arena);
    struct grpcc_testing_answer *answer = NULL;
    enum grpcc_status status =
        grpcc_testing_echo_unary(channel, arena, &options, request, &answer, err);
    grpcc_arena_free(arena);
    return status;
}

static enum grpcc_status ask_for_health(struct grpcc_channel *channel, struct grpcc_error *err)
{
    struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = H2_PATIENCE_S * 1000, .wait_for_ready = true};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpc_health_v1_health_check_response *response = NULL;
    enum grpcc_status status = grpc_health_v1_health_check(
        channel, arena, &options, grpc_health_v1_health_check_request_new(arena), &response, err);
    grpcc_arena_free(arena);
    return status;
}

static void *bystander_main(void *data)
{
    struct bystander *bystander = data;
    while (!atomic_load(&bystander->leave)) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        enum grpcc_status status = bystander->asks_for_health
                                       ? ask_for_health(bystander->channel, &err)
                                       : target_call(bystander->channel, &err);
        if (status && atomic_fetch_add(&bystander->failed, 1) == 0)
            snprintf(bystander->message, sizeof(bystander->message), "%s: %.100s",
                     grpcc_status_name(err.status), err.message);
        atomic_fetch_add(&bystander->calls, 1);
        usleep(1000); /* a client among others, not a load */
    }
    return NULL;
}

void target_serves(struct target *target, unsigned n)
{
    unsigned before = atomic_load(&target->bystander.calls);
    while (atomic_load(&target->bystander.calls) - before < n)
        usleep(1000);
}

/* ---- the server ---- */

/* A crowd of clients needs them. Not before the server is started: it must help itself. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void start(struct target *target, const char *const *options, bool asks_for_health)
{
    const char *argv[OPTIONS_MAX + 2] = {"tests/abuse/abuse_server"};
    posix_spawn_file_actions_t actions;
    int out[2];
    char port[16] = "";
    for (size_t i = 0; options && options[i]; i++)
        argv[i + 1] = options[i];
    memset(target, 0, sizeof(*target));
    assert_int_equal(pipe(out), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    posix_spawn_file_actions_addclose(&actions, out[1]);
    assert_int_equal(
        posix_spawn(&target->pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    assert_true(read(out[0], port, sizeof(port) - 1) > 0);
    close(out[0]);
    target->port = (int)strtol(port, NULL, 10);
    raise_descriptors();
    target->bystander.asks_for_health = asks_for_health;
    target->bystander.channel = target_channel(target);
    assert_int_equal(
        pthread_create(&target->bystander.thread, NULL, bystander_main, &target->bystander), 0);
    target_serves(target, 20);
    usage_begin(target);
}

void target_start(struct target *target, const char *const *options)
{
    start(target, options, false);
}

void target_start_watched_by_health(struct target *target, const char *const *options)
{
    start(target, options, true);
}

void target_stop(struct target *target)
{
    struct bystander *bystander = &target->bystander;
    int status = 0;
    target_serves(target, 20);
    atomic_store(&bystander->leave, true);
    pthread_join(bystander->thread, NULL);
    grpcc_channel_free(bystander->channel);
    if (bystander->failed)
        print_error("%u of %u calls of the bystander failed: %s\n", bystander->failed,
                    bystander->calls, bystander->message);
    assert_int_equal(bystander->failed, 0);
    assert_int_equal(kill(target->pid, SIGTERM), 0);
    assert_int_equal(waitpid(target->pid, &status, 0), target->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- what it uses ---- */

/* The number after name in a file of /proc; fails the test where it is not. */
static long proc_number(pid_t pid, const char *file, const char *name)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    FILE *status = fopen(path, "r");
    assert_non_null(status);
    while (value < 0 && fgets(line, sizeof(line), status))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name), NULL, 10);
    fclose(status);
    assert_true(value >= 0);
    return value;
}

static long cpu_ms(pid_t pid)
{
    char path[64];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *stat = fopen(path, "r");
    assert_non_null(stat);
    int n = fscanf(stat, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                   &system);
    fclose(stat);
    assert_int_equal(n, 2);
    return (long)(user + system) * 1000 / sysconf(_SC_CLK_TCK);
}

struct usage target_usage(const struct target *target)
{
    return (struct usage){.rss_kib = proc_number(target->pid, "status", "VmRSS:"),
                          .peak_kib = proc_number(target->pid, "status", "VmHWM:"),
                          .cpu_ms = cpu_ms(target->pid)};
}

void usage_begin(struct target *target)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/clear_refs", (int)target->pid);
    FILE *clear = fopen(path, "w");
    assert_non_null(clear);
    fputs("5", clear);
    assert_int_equal(fclose(clear), 0);
    target->before = target_usage(target);
}

void usage_must_grow_less(const struct target *target, long kib)
{
    long grown = target_usage(target).peak_kib - target->before.rss_kib;
    if (!MEMORY_IS_OURS || grown <= kib)
        return;
    print_error("the server grew by %ld KiB, by more than %ld KiB\n", grown, kib);
    fail();
}

void rss_must_be_below(const char *when, long used_kib, long max_kib)
{
    if (!MEMORY_IS_OURS || used_kib <= max_kib)
        return;
    print_error("%s the server uses %ld KiB, more than %ld KiB\n", when, used_kib, max_kib);
    fail();
}

void figures(const struct target *target, const char *name, const char *format, ...)
{
    struct usage now = target_usage(target);
    char seen[256];
    va_list args;
    va_start(args, format);
    vsnprintf(seen, sizeof(seen), format, args);
    va_end(args);
    printf("| %s | %s | %.1f | %.1f | %.1f | %.2f | %u |\n", name, seen,
           (double)target->before.rss_kib / 1024, (double)now.peak_kib / 1024,
           (double)now.rss_kib / 1024, (double)(now.cpu_ms - target->before.cpu_ms) / 1000,
           atomic_load(&target->bystander.calls));
    fflush(stdout);
}

size_t pack_ask(const char *text, uint8_t *bytes, size_t room)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *ask = grpcc_testing_ask_new(arena);
    ask->text = grpcc_arena_strdup(arena, text);
    size_t length = protobuf_c_message_get_packed_size(&ask->base);
    assert_true(length <= room);
    protobuf_c_message_pack(&ask->base, bytes);
    grpcc_arena_free(arena);
    return length;
}

int abuse_main(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    for (int i = 1; i < argc; i++)
        abuse_long = abuse_long || strcmp(argv[i], "--long") == 0;
    return _cmocka_run_group_tests(argv[0], tests, n, NULL, NULL);
}
