/* SPDX-License-Identifier: Apache-2.0 */
/* `comb admin move-row`: what a row holds into another store. */
#include <unistd.h>

#include "client/cli/admin_verbs.h"
#include "comb/v1/admin.grpcc.h"

#define USAGE                                                                                      \
    "comb admin move-row ROW --to URL [--to-credentials-file FILE] [--server ADDRESS]\n"           \
    "       comb admin move-row --abandon [--server ADDRESS]"

static void show(const struct comb_v1_admin_move_row_response *now)
{
    fprintf(stderr, "\r%s: %s, %llu records, %llu MiB \033[K", now->doing, cli_name(now->part),
            (unsigned long long)now->records, (unsigned long long)now->bytes >> 20);
}

static void print_end(struct cli *cli, const struct comb_v1_admin_move_row_response *end)
{
    if (cli->json) {
        cli_print_json(stdout, &end->base);
        return;
    }
    if (end->faulty_contents > 0)
        printf("%llu contents were missing or damaged before; the log of combd names them\n",
               (unsigned long long)end->faulty_contents);
    puts(cli_name(end->next));
}

static int follow(struct cli *cli, struct comb_v1_admin_move_row_stream *stream)
{
    struct comb_v1_admin_move_row_response *now = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    bool shows = !cli->json && isatty(STDERR_FILENO), done = false;
    int more = arena ? 1 : -1;
    while (more == 1 &&
           (more = comb_v1_admin_move_row_stream_read(stream, arena, &now, &cli->err)) == 1) {
        if (shows && !now->done)
            show(now);
        if (shows && now->done)
            fputs("\r\033[K", stderr);
        if (now->done)
            print_end(cli, now);
        done |= now->done;
        grpcc_arena_reset(arena);
    }
    grpcc_arena_free(arena);
    if (more == 0 &&
        comb_v1_admin_move_row_stream_finish(stream, cli->arena, &cli->err) != GRPCC_OK)
        more = -1;
    if (more < 0)
        return cli_fail(cli, "move-row");
    return done ? CLI_OK : CLI_FAILED;
}

int cli_admin_move_row(struct cli *cli, int argc, char **argv)
{
    const char *to = NULL, *credentials_file = NULL, *abandon = NULL;
    const struct cli_option options[] = {{"--server", true, &cli->server},
                                         {"--to", true, &to},
                                         {"--to-credentials-file", true, &credentials_file},
                                         {"--abandon", false, &abandon},
                                         {NULL, false, NULL}};
    struct comb_v1_admin_move_row_request *request = comb_v1_admin_move_row_request_new(cli->arena);
    const char *request_id = comb_request_id_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 0, 1, USAGE))
        return CLI_USAGE;
    if (abandon ? argc != 0 || to != NULL : argc != 1 || !to) {
        fputs("usage: " USAGE "\n", stderr);
        return CLI_USAGE;
    }
    if (!cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request || !request_id)
        return cli_no_memory();
    comb_v1_admin_move_row_request_set_request_id(request, request_id);
    request->abandon = abandon != NULL;
    if (!abandon) {
        comb_v1_admin_move_row_request_set_row(request, argv[0]);
        comb_v1_admin_move_row_request_set_url(request, to);
        comb_v1_admin_move_row_request_set_credentials_file(
            request, credentials_file ? credentials_file : "");
    }
    struct comb_v1_admin_move_row_stream *stream =
        comb_v1_admin_move_row_stream_open(cli_channel(cli), NULL, request, &cli->err);
    int status = stream ? follow(cli, stream) : cli_fail(cli, "move-row");
    comb_v1_admin_move_row_stream_free(stream);
    return status;
}
