/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs about uploads that were begun: what broke off is there for a day, and counts so long. */
#include <limits.h>

#include "client/cli/cli.h"
#include "comb/v1/data.grpcc.h"

static void print_upload(const struct cli *cli, const struct comb_v1_upload *upload)
{
    const struct comb_v1_upload_target *target = upload->target;
    if (cli->json) {
        cli_print_json(stdout, &upload->base);
        return;
    }
    printf("%s  %10s", upload->id, cli_bytes(upload->received_bytes));
    printf(" of %-10s  until %s  ", upload->has_size ? cli_bytes(upload->size) : "?",
           cli_time(upload->expire_time));
    if (target && target->parent) {
        bool has_both = target->parent->id[0] && target->parent->path[0];
        printf("%s%s%s/", target->parent->id, has_both ? "/" : "", cli_name(target->parent->path));
    }
    printf("%s\n", target ? cli_name(target->name) : "");
}

static int uploads_list(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    struct comb_v1_data_list_uploads_request *request =
        comb_v1_data_list_uploads_request_new(cli->arena);
    struct comb_v1_data_list_uploads_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb uploads ls") || !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    do {
        if (comb_v1_data_list_uploads(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
            return cli_fail(cli, "uploads");
        for (size_t i = 0; i < response->n_uploads; i++)
            print_upload(cli, response->uploads[i]);
        comb_v1_data_list_uploads_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

static int uploads_remove(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{NULL, false, NULL}};
    int worst = CLI_OK;
    if (!cli_arguments(options, &argc, argv, 1, INT_MAX, "comb uploads rm ID...") ||
        !cli_connect(cli))
        return CLI_USAGE;
    for (int i = 0; i < argc; i++) {
        struct comb_v1_data_abort_upload_request *request =
            comb_v1_data_abort_upload_request_new(cli->arena);
        struct comb_v1_data_abort_upload_response *response = NULL;
        if (!request)
            return cli_no_memory();
        comb_v1_data_abort_upload_request_set_upload_id(request, argv[i]);
        if (comb_v1_data_abort_upload(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
            worst = cli_fail(cli, argv[i]);
    }
    return worst;
}

int cli_uploads(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        {"ls", uploads_list}, {"rm", uploads_remove}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "uploads", argc, argv);
}
