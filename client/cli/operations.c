/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about long work. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/operations.h"

/* One call of Wait; the verb asks again. */
#define WAIT_SECONDS 30

static const char *const state_names[] = {"?", "waiting", "running", "done", "failed", "cancelled"};
#define N_STATES ((int)(sizeof state_names / sizeof state_names[0]))

static const char *state_name(const struct comb_v1_operation *operation)
{
    int state = (int)operation->state;
    return state_names[state > 0 && state < N_STATES ? state : 0];
}

static bool has_ended(const struct comb_v1_operation *operation)
{
    return operation->state >= COMB_V1_OPERATION_STATE_DONE;
}

/* "3/7 blobs", "3 blobs" or "". */
static const char *progress_text(struct cli *cli, const struct comb_v1_operation *operation)
{
    const struct comb_v1_operation_progress *progress = operation->progress;
    const char *text = NULL;
    if (!progress || (progress->done == 0 && progress->total == 0))
        return "";
    if (progress->total)
        text = grpcc_arena_printf(cli->arena, "%llu/%llu %s", (unsigned long long)progress->done,
                                  (unsigned long long)progress->total, cli_name(progress->unit));
    else
        text = grpcc_arena_printf(cli->arena, "%llu %s", (unsigned long long)progress->done,
                                  cli_name(progress->unit));
    return text ? text : "";
}

static void print_line(struct cli *cli, const struct comb_v1_operation *operation)
{
    if (cli->json) {
        cli_print_json(stdout, &operation->base);
        return;
    }
    printf("%s  %-9s %-16s %s  %s%s\n", operation->id, state_name(operation),
           cli_name(operation->kind), cli_time(operation->create_time),
           progress_text(cli, operation),
           operation->cancel_wanted && !has_ended(operation) ? "  to be cancelled" : "");
}

/* What a kind left behind, where this program knows it. */
static void print_result(struct cli *cli, const struct google_protobuf_any *result)
{
    struct comb_v1_data_sweep_result *swept = NULL;
    void *message = NULL;
    if (!result || grpcc_any_unpack(cli->arena, result, &comb_v1_data_sweep_result_descriptor, NULL,
                                    &message, &cli->err) != GRPCC_OK)
        return;
    swept = message;
    printf("  removed   %llu dead sessions, %llu uploads, %llu blobs\n",
           (unsigned long long)swept->sessions, (unsigned long long)swept->uploads,
           (unsigned long long)swept->blobs);
}

void cli_print_operation(struct cli *cli, const struct comb_v1_operation *operation)
{
    if (cli->json) {
        cli_print_json(stdout, &operation->base);
        return;
    }
    printf("%s\n  kind      %s\n  state     %s%s\n", operation->id, cli_name(operation->kind),
           state_name(operation),
           operation->cancel_wanted && !has_ended(operation) ? ", to be cancelled" : "");
    printf("  owner     %s\n", operation->owner_id[0] ? operation->owner_id : "the server");
    if (progress_text(cli, operation)[0])
        printf("  progress  %s\n", progress_text(cli, operation));
    if (operation->progress && operation->progress->message[0])
        printf("  now       %s\n", cli_name(operation->progress->message));
    printf("  begun     %s\n", cli_time(operation->create_time));
    if (operation->start_time)
        printf("  first ran %s\n", cli_time(operation->start_time));
    if (operation->end_time)
        printf("  ended     %s\n", cli_time(operation->end_time));
    if (operation->error)
        printf("  because   %s\n", cli_name(operation->error->message));
    print_result(cli, operation->result);
}

static int exit_of(const struct comb_v1_operation *operation)
{
    if (operation->state == COMB_V1_OPERATION_STATE_FAILED)
        return CLI_FAILED;
    return operation->state == COMB_V1_OPERATION_STATE_CANCELLED ? CLI_CONFLICT : CLI_OK;
}

int cli_wait_operation(struct cli *cli, const char *id)
{
    bool shows = !cli->json && isatty(STDERR_FILENO);
    struct comb_v1_operations_wait_request *request =
        comb_v1_operations_wait_request_new(cli->arena);
    struct comb_v1_operations_wait_response *response = NULL;
    if (!request)
        return cli_no_memory();
    comb_v1_operations_wait_request_set_operation_id(request, id);
    request->timeout = grpcc_duration_new_ms(cli->arena, WAIT_SECONDS * 1000);
    if (!request->timeout)
        return cli_no_memory();
    const struct grpcc_call_options options = {.size = sizeof options,
                                               .timeout_ms = (WAIT_SECONDS + 10) * 1000};
    do {
        if (comb_v1_operations_wait(cli_channel(cli), cli->arena, &options, request, &response,
                                    &cli->err) != GRPCC_OK)
            return cli_fail(cli, id);
        /* Progress is for who looks on. */
        if (shows) {
            fprintf(stderr, "\r\033[K%s  %s", state_name(response->operation),
                    progress_text(cli, response->operation));
            comb_v1_operations_wait_request_set_seen_etag(request, response->operation->etag);
        }
    } while (!has_ended(response->operation));
    if (shows)
        fputs("\r\033[K", stderr);
    cli_print_operation(cli, response->operation);
    return exit_of(response->operation);
}

/* ---- verbs ---- */

static bool read_state(struct cli *cli, const char *text, struct comb_v1_operations_filter *filter)
{
    for (int i = 1; i < N_STATES; i++)
        if (strcmp(state_names[i], text) == 0)
            return comb_v1_operations_filter_add_states(cli->arena, filter,
                                                        (enum comb_v1_operation_state)i);
    fprintf(stderr, "comb: --state takes waiting, running, done, failed or cancelled\n");
    return false;
}

static int operations_list(struct cli *cli, int argc, char **argv)
{
    const char *state = NULL, *kind = NULL, *owner = NULL;
    const struct cli_option options[] = {{"--state", true, &state},
                                         {"--kind", true, &kind},
                                         {"--owner", true, &owner},
                                         {NULL, false, NULL}};
    struct comb_v1_operations_list_request *request =
        comb_v1_operations_list_request_new(cli->arena);
    struct comb_v1_operations_list_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0,
                       "comb operations ls [--state STATE] [--kind KIND] [--owner USER-ID]"))
        return CLI_USAGE;
    if (!request || !(request->filter = comb_v1_operations_filter_new(cli->arena)))
        return cli_no_memory();
    comb_v1_operations_filter_set_kind(request->filter, kind);
    comb_v1_operations_filter_set_owner_id(request->filter, owner);
    if ((state && !read_state(cli, state, request->filter)) || !cli_connect(cli))
        return CLI_USAGE;
    do {
        if (comb_v1_operations_list(cli_channel(cli), cli->arena, NULL, request, &response,
                                    &cli->err) != GRPCC_OK)
            return cli_fail(cli, "operations");
        for (size_t i = 0; i < response->n_operations; i++)
            print_line(cli, response->operations[i]);
        comb_v1_operations_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int operations_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_operations_get_request *request = comb_v1_operations_get_request_new(cli->arena);
    struct comb_v1_operations_get_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb operations show ID") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_operations_get_request_set_operation_id(request, argv[0]);
    if (comb_v1_operations_get(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    cli_print_operation(cli, response->operation);
    return CLI_OK;
}

static int operations_wait(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb operations wait ID") || !cli_connect(cli))
        return CLI_USAGE;
    return cli_wait_operation(cli, argv[0]);
}

static int operations_cancel(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_operations_cancel_request *request =
        comb_v1_operations_cancel_request_new(cli->arena);
    struct comb_v1_operations_cancel_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb operations cancel ID") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_operations_cancel_request_set_operation_id(request, argv[0]);
    if (comb_v1_operations_cancel(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    print_line(cli, response->operation);
    return CLI_OK;
}

static int operations_remove(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_operations_delete_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 64, "comb operations rm ID...") ||
        !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_operations_delete_request *request =
            comb_v1_operations_delete_request_new(cli->arena);
        if (!request)
            return cli_no_memory();
        comb_v1_operations_delete_request_set_operation_id(request, argv[i]);
        if (comb_v1_operations_delete(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
            return cli_fail(cli, argv[i]);
    }
    return CLI_OK;
}

int cli_operations(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"ls", operations_list},       {"show", operations_show}, {"wait", operations_wait},
        {"cancel", operations_cancel}, {"rm", operations_remove}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "operations", argc, argv);
}
