/* SPDX-License-Identifier: Apache-2.0 */
/* `comb call`: any method of any service, with its request as JSON. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <grpcc/channel.h>
#include <grpcc/json.h>

#include "client/cli/call.h"
#include "client/cli/cli.h"

#define USAGE "comb call [SERVICE [METHOD [--json JSON|-]]]"
#define PREFIX "comb.v1."
/* Largest request, in bytes of JSON. */
#define JSON_BYTES_MAX ((size_t)16 << 20)

/* ---- what there is ---- */

static const char *short_name(const struct grpcc_service *service)
{
    return service->name + sizeof PREFIX - 1;
}

static void list_services(void)
{
    for (size_t i = 0; i < cli_services_count; i++)
        puts(short_name(cli_services[i]));
}

static void list_methods(const struct grpcc_service *service)
{
    static const char *const kinds[] = {"", "stream of requests", "stream of answers",
                                        "stream both ways"};
    for (size_t i = 0; i < service->n_methods; i++)
        printf("%-20s %-34s %s\n", service->methods[i].name, service->methods[i].request->name,
               kinds[service->methods[i].kind]);
}

/* "Tree", "tree" or "comb.v1.Tree"; NULL, said on stderr. */
static const struct grpcc_service *find_service(const char *name)
{
    if (strncmp(name, PREFIX, sizeof PREFIX - 1) == 0)
        name += sizeof PREFIX - 1;
    for (size_t i = 0; i < cli_services_count; i++) {
        if (strcasecmp(short_name(cli_services[i]), name) == 0)
            return cli_services[i];
    }
    fprintf(stderr, "comb: there is no service \"%s\": comb call lists them\n", cli_name(name));
    return NULL;
}

/* Methods with a stream of requests have no form on a command line. */
static const struct grpcc_method *find_method(const struct grpcc_service *service, const char *name)
{
    const struct grpcc_method *found = NULL;
    for (size_t i = 0; i < service->n_methods && !found; i++) {
        if (strcasecmp(service->methods[i].name, name) == 0)
            found = &service->methods[i];
    }
    if (!found)
        fprintf(stderr, "comb: %s has no method \"%s\": comb call %s lists them\n",
                short_name(service), cli_name(name), short_name(service));
    else if (found->kind == GRPCC_CLIENT_STREAM || found->kind == GRPCC_BIDI_STREAM)
        fprintf(stderr, "comb: %s.%s takes a stream of requests: comb put and comb import use it\n",
                short_name(service), found->name);
    else
        return found;
    return NULL;
}

/* ---- the request ---- */

/* All of stdin, in the run's arena; NULL, said on stderr. */
static char *read_stdin(struct cli *cli, size_t *ret_length)
{
    char *text = malloc(JSON_BYTES_MAX + 1), *copy = NULL;
    size_t n = text ? fread(text, 1, JSON_BYTES_MAX + 1, stdin) : 0;
    if (text && n > JSON_BYTES_MAX)
        fprintf(stderr, "comb: a request has at most %zu bytes of JSON\n", JSON_BYTES_MAX);
    else if (!text || !(copy = grpcc_arena_memdup(cli->arena, text, n + 1)))
        (void)cli_no_memory();
    free(text);
    *ret_length = n;
    return copy;
}

/* NULL: cli->err or stderr says why. */
static const ProtobufCMessage *read_request(struct cli *cli, const struct grpcc_method *method,
                                            const char *json)
{
    const char *text = json ? json : "{}";
    size_t length = strlen(text);
    void *message = NULL;
    if (strcmp(text, "-") == 0)
        text = read_stdin(cli, &length);
    if (text && grpcc_json_decode(cli->arena, method->request, NULL, text, length, &message,
                                  &cli->err) != GRPCC_OK)
        fprintf(stderr, "comb: the request is no %s: %s\n", method->request->name,
                cli->err.message);
    return message;
}

/* ---- the call ---- */

static int call_once(struct cli *cli, const struct grpcc_method *method,
                     const ProtobufCMessage *request)
{
    void *response = NULL;
    if (grpcc_unary(cli_channel(cli), method, cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, method->path);
    cli_print_json(stdout, response);
    return CLI_OK;
}

/* A line for each answer, until the stream ends. */
static int call_stream(struct cli *cli, const struct grpcc_method *method,
                       const ProtobufCMessage *request)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    void *message = NULL;
    int more = -1;
    if (!arena)
        return cli_no_memory();
    struct grpcc_client_call *call =
        grpcc_stream_open(cli_channel(cli), method, NULL, request, &cli->err);
    while (call && (more = grpcc_stream_read(call, arena, &message, &cli->err)) == 1) {
        cli_print_json(stdout, message);
        fflush(stdout);
        grpcc_arena_reset(arena);
        if (ferror(stdout))
            break;
    }
    if (more == 0 && grpcc_stream_finish(call, cli->arena, NULL, &cli->err) != GRPCC_OK)
        more = -1;
    int status = more < 0 ? cli_fail(cli, method->path) : CLI_OK;
    grpcc_client_call_free(call);
    grpcc_arena_free(arena);
    return status;
}

int cli_call(struct cli *cli, int argc, char **argv)
{
    const char *json = NULL;
    const struct cli_option options[] = {
        {"--json", true, &json}, {"--server", true, &cli->server}, {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 2, USAGE))
        return CLI_USAGE;
    if (argc == 0) {
        list_services();
        return CLI_OK;
    }
    const struct grpcc_service *service = find_service(argv[0]);
    if (!service)
        return CLI_USAGE;
    if (argc == 1) {
        list_methods(service);
        return CLI_OK;
    }
    const struct grpcc_method *method = find_method(service, argv[1]);
    const ProtobufCMessage *request = method ? read_request(cli, method, json) : NULL;
    bool admin = strcmp(short_name(service), "Admin") == 0;
    if (!request || !(admin ? cli_connect_admin(cli) : cli_connect(cli)))
        return CLI_USAGE;
    return method->kind == GRPCC_SERVER_STREAM ? call_stream(cli, method, request)
                                               : call_once(cli, method, request);
}
