/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the official interop cases, on grpcc: runs one case against a server. Ends with 0
 * where it passed, with 1 where it did not, with 2 where it was called wrongly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/interop/case.h"
#include "tests/interop/flags.h"

/* No case takes that long: what hangs is to fail. */
enum { CALL_TIMEOUT_MS = 60000 };

static const struct interop_case *const all[] = {cases_unary, cases_stream, cases_end,
                                                 cases_compressed, cases_soak};

struct settings {
    const char *server_host, *test_case, *ca_file, *server_host_override, *additional_metadata;
    const char *service_config_json;
    int server_port;
    bool use_tls, use_test_ca;
    struct soak_settings soak;
};

static const struct settings defaults = {
    .server_host = "localhost",
    .server_port = 10000,
    .test_case = "large_unary",
    .soak = {.iterations = 10,
             .latency_max_ms = 1000,
             .overall_timeout_s = 10,
             .threads = 1,
             .request_size = LARGE_REQUEST,
             .response_size = LARGE_RESPONSE},
};

static bool read_settings(struct settings *s, int argc, char **argv)
{
    const struct flag flags[] = {
        {"server_host", FLAG_TEXT, &s->server_host, "server to connect to"},
        {"server_port", FLAG_NUMBER, &s->server_port, "its port"},
        {"server_host_override", FLAG_TEXT, &s->server_host_override,
         "name that its certificate must have"},
        {"test_case", FLAG_TEXT, &s->test_case, "case to run; \"list\" names all"},
        {"use_tls", FLAG_BOOL, &s->use_tls, "TLS instead of plaintext"},
        {"use_test_ca", FLAG_BOOL, &s->use_test_ca, "trust --ca_file, not the system's CAs"},
        {"ca_file", FLAG_TEXT, &s->ca_file, "PEM"},
        {"additional_metadata", FLAG_TEXT, &s->additional_metadata,
         "headers of every call: key:value;key:value"},
        {"service_config_json", FLAG_TEXT, &s->service_config_json, "service config"},
        {"soak_iterations", FLAG_NUMBER, &s->soak.iterations, "calls of a soak"},
        {"soak_max_failures", FLAG_NUMBER, &s->soak.max_failures, "how many of them may fail"},
        {"soak_per_iteration_max_acceptable_latency_ms", FLAG_NUMBER, &s->soak.latency_max_ms,
         "slower ones have failed"},
        {"soak_min_time_ms_between_rpcs", FLAG_NUMBER, &s->soak.interval_min_ms,
         "time between their beginnings, for each thread"},
        {"soak_overall_timeout_seconds", FLAG_NUMBER, &s->soak.overall_timeout_s,
         "time for all of them"},
        {"soak_num_threads", FLAG_NUMBER, &s->soak.threads, "threads that make them"},
        {"soak_request_size", FLAG_NUMBER, &s->soak.request_size, "bytes"},
        {"soak_response_size", FLAG_NUMBER, &s->soak.response_size, "bytes"},
    };
    if (!flags_read(flags, sizeof(flags) / sizeof(flags[0]), argc, argv))
        return false;
    return check(s->server_port > 0 && s->server_port <= UINT16_MAX, "--server_port: from 1 to %d",
                 UINT16_MAX) &&
           check(!s->use_test_ca || s->ca_file,
                 "--use_test_ca needs --ca_file: there is no built-in one");
}

static bool list_cases(void)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        for (const struct interop_case *item = all[i]; item->name; item++)
            puts(item->name);
    return true;
}

static const struct interop_case *find_case(const char *name)
{
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        for (const struct interop_case *item = all[i]; item->name; item++)
            if (strcmp(item->name, name) == 0)
                return item;
    fprintf(stderr, "--test_case=%s: no such case; --test_case=list names all\n", name);
    return NULL;
}

/* "k:v;k:v" as headers of every call. */
static bool read_metadata(struct run *run, const char *text)
{
    char *copy = check_memory(grpcc_arena_strdup(run->arena, text));
    size_t room = 1;
    for (const char *at = text; *at; at++)
        room += *at == ';';
    struct grpcc_metadata *items =
        check_memory(grpcc_arena_calloc(run->arena, room, sizeof(*items)));
    char *rest = NULL;
    if (!copy || !items)
        return false;
    for (char *item = strtok_r(copy, ";", &rest); item; item = strtok_r(NULL, ";", &rest)) {
        char *colon = strchr(item, ':');
        if (!check(colon != NULL, "--additional_metadata: \"%s\" is not key:value", item))
            return false;
        *colon = '\0';
        items[run->options.n_metadata++] =
            (struct grpcc_metadata){item, colon + 1, strlen(colon + 1)};
    }
    run->options.metadata = items;
    return true;
}

static bool run_case(const struct interop_case *item, const struct settings *settings,
                     struct run *run)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    const char *format = strchr(settings->server_host, ':') ? "[%s]:%d" : "%s:%d";
    run->options =
        (struct grpcc_call_options){.size = sizeof(run->options), .timeout_ms = CALL_TIMEOUT_MS};
    run->channel_options =
        (struct grpcc_channel_options){.size = sizeof(run->channel_options),
                                       .tls = settings->use_tls,
                                       .ca_file = settings->use_tls ? settings->ca_file : NULL,
                                       .host_override = settings->server_host_override,
                                       .service_config = settings->service_config_json,
                                       .accept_compressed = true};
    run->soak = settings->soak;
    run->target = check_memory(
        grpcc_arena_printf(run->arena, format, settings->server_host, settings->server_port));
    if (!run->target)
        return false;
    if (settings->additional_metadata && !read_metadata(run, settings->additional_metadata))
        return false;
    run->channel = grpcc_channel_new(run->target, &run->channel_options, &err);
    return check(run->channel != NULL, "%s", err.message) && item->run(run);
}

int main(int argc, char **argv)
{
    struct settings settings = defaults;
    struct run run = {.arena = grpcc_arena_new(0)};
    if (!read_settings(&settings, argc, argv) || !check_memory(run.arena))
        return 2;
    if (strcmp(settings.test_case, "list") == 0)
        return list_cases() ? 0 : 1;
    const struct interop_case *item = find_case(settings.test_case);
    bool passed = item && run_case(item, &settings, &run);
    if (item)
        printf("%s: %s\n", item->name, passed ? "passed" : "FAILED");
    grpcc_channel_free(run.channel);
    grpcc_arena_free(run.arena);
    return !item ? 2 : passed ? 0 : 1;
}
