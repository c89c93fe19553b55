/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about locks: lock, unlock, locks. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "comb/v1/tree.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"

static bool read_number(const char *what, const char *text, uint64_t max, uint64_t *ret_number)
{
    char *end = NULL;
    if (!text) {
        *ret_number = 0;
        return true;
    }
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || number == 0 || number > max) {
        fprintf(stderr, "comb: \"%s\" is no %s\n", cli_name(text), what);
        return false;
    }
    *ret_number = number;
    return true;
}

bool cli_read_lock(const char *text, uint64_t *ret_token)
{
    return read_number("token of a lock, as comb lock prints it", text, UINT64_MAX, ret_token);
}

/* The lock that a call answered with. */
static int print_lock(const struct cli *cli, const char *what, const struct comb_v1_lock *lock)
{
    if (cli->json) {
        cli_print_json(stdout, &lock->base);
        return CLI_OK;
    }
    printf("%llu\n", (unsigned long long)lock->token);
    printf("until %s  (comb unlock %s %llu ends it)\n", cli_time(lock->expire_time), cli_name(what),
           (unsigned long long)lock->token);
    return CLI_OK;
}

static int refresh(struct cli *cli, const char *what, uint64_t token, uint64_t lease)
{
    struct comb_v1_tree_refresh_lock_request *request =
        comb_v1_tree_refresh_lock_request_new(cli->arena);
    struct comb_v1_tree_refresh_lock_response *response = NULL;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, what);
    request->lock_token = token;
    request->lease_seconds = (uint32_t)lease;
    if (!request->node)
        return CLI_USAGE;
    if (comb_v1_tree_refresh_lock(cli_channel(cli), cli->arena, NULL, request, &response,
                                  &cli->err) != GRPCC_OK)
        return cli_fail(cli, what);
    return print_lock(cli, what, response->lock);
}

int cli_lock(struct cli *cli, int argc, char **argv)
{
    const char *shared = NULL, *lease = NULL, *note = NULL, *token = NULL;
    const struct cli_option options[] = {{"--shared", false, &shared},
                                         {"--lease", true, &lease},
                                         {"--note", true, &note},
                                         {"--refresh", true, &token},
                                         {NULL, false, NULL}};
    struct comb_v1_tree_lock_request *request = comb_v1_tree_lock_request_new(cli->arena);
    struct comb_v1_tree_lock_response *response = NULL;
    uint64_t seconds, old;
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb lock [--shared] [--lease SECONDS] [--note TEXT] [--refresh TOKEN] "
                       "REF") ||
        !read_number("number of seconds", lease, UINT32_MAX, &seconds) ||
        !cli_read_lock(token, &old) || !cli_connect(cli))
        return CLI_USAGE;
    if (old)
        return refresh(cli, argv[0], old, seconds);
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    request->mode = shared ? COMB_V1_LOCK_MODE_SHARED : COMB_V1_LOCK_MODE_EXCLUSIVE;
    request->lease_seconds = (uint32_t)seconds;
    comb_v1_tree_lock_request_set_note(request, note);
    if (!request->node)
        return CLI_USAGE;
    if (comb_v1_tree_lock(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return print_lock(cli, argv[0], response->lock);
}

static int break_lock(struct cli *cli, const char *what, uint64_t token)
{
    struct comb_v1_tree_break_lock_request *request =
        comb_v1_tree_break_lock_request_new(cli->arena);
    struct comb_v1_tree_break_lock_response *response = NULL;
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, what);
    request->lock_token = token;
    if (!request->node)
        return CLI_USAGE;
    if (comb_v1_tree_break_lock(cli_channel(cli), cli->arena, NULL, request, &response,
                                &cli->err) != GRPCC_OK)
        return cli_fail(cli, what);
    return CLI_OK;
}

int cli_unlock(struct cli *cli, int argc, char **argv)
{
    static const char usage[] = "comb unlock [--break] REF [TOKEN]";
    const char *breaks = NULL;
    const struct cli_option options[] = {{"--break", false, &breaks}, {NULL, false, NULL}};
    struct comb_v1_tree_unlock_request *request = comb_v1_tree_unlock_request_new(cli->arena);
    struct comb_v1_tree_unlock_response *response = NULL;
    uint64_t token;
    if (!cli_arguments(options, &argc, argv, 1, 2, usage) ||
        !cli_read_lock(argc == 2 ? argv[1] : NULL, &token))
        return CLI_USAGE;
    if (!breaks && !token) {
        fprintf(stderr, "comb: the lock's token is missing: %s\n", usage);
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    if (breaks)
        return break_lock(cli, argv[0], token);
    if (!request)
        return cli_no_memory();
    request->node = cli_ref(cli, argv[0]);
    request->lock_token = token;
    if (!request->node)
        return CLI_USAGE;
    if (comb_v1_tree_unlock(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    return CLI_OK;
}

static void print_locks(const struct comb_v1_node *node)
{
    for (size_t i = 0; i < node->n_locks; i++) {
        const struct comb_v1_lock *lock = node->locks[i];
        printf("%-6llu  %-9s  %-12s  until %s  %s\n", (unsigned long long)lock->token,
               lock->mode == COMB_V1_LOCK_MODE_SHARED ? "shared" : "exclusive",
               cli_name(lock->login), cli_time(lock->expire_time), cli_name(lock->note));
    }
}

int cli_locks(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    int worst = CLI_OK;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb locks REF...") || !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(cli->arena);
        struct comb_v1_tree_stat_response *response = NULL;
        struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(cli->arena);
        if (!request || !mask || !google_protobuf_field_mask_add_paths(cli->arena, mask, "locks"))
            return cli_no_memory();
        request->node = cli_ref(cli, argv[i]);
        request->read_mask = mask;
        if (!request->node)
            worst = CLI_USAGE;
        else if (comb_v1_tree_stat(cli_channel(cli), cli->arena, NULL, request, &response,
                                   &cli->err) != GRPCC_OK)
            worst = cli_fail(cli, argv[i]);
        else if (cli->json)
            cli_print_json(stdout, &response->node->base);
        else
            print_locks(response->node);
    }
    return worst;
}
