/* SPDX-License-Identifier: Apache-2.0 */
/* URLs for others: comb url. */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/cli.h"
#include "comb/v1/data.grpcc.h"

/* A piece a line, in order. */
static void print_urls(const struct comb_v1_data_presign_response *response)
{
    for (size_t i = 0; i < response->n_parts; i++)
        printf("%s\n", response->parts[i]->url);
}

static bool read_ttl(const char *text, uint32_t *ret_seconds)
{
    char *end = NULL;
    unsigned long seconds = text ? strtoul(text, &end, 10) : 0;

    if (text && (end == text || *end || seconds == 0 || seconds > UINT32_MAX)) {
        fprintf(stderr, "comb: --ttl is a number of seconds, 1 to 60\n");
        return false;
    }
    *ret_seconds = (uint32_t)seconds;
    return true;
}

int cli_url(struct cli *cli, int argc, char **argv)
{
    const char *ttl = NULL;
    const struct cli_option options[] = {{"--ttl", true, &ttl}, {NULL, false, NULL}};
    struct comb_v1_data_presign_request *request = comb_v1_data_presign_request_new(cli->arena);
    struct comb_v1_data_presign_response *response = NULL;

    if (!request)
        return cli_no_memory();
    if (!cli_arguments(options, &argc, argv, 1, 1, "comb url [--ttl SECONDS] REF") ||
        !read_ttl(ttl, &request->ttl_seconds) || !cli_connect(cli))
        return CLI_USAGE;
    request->node = cli_ref(cli, argv[0]);
    if (!request->node)
        return CLI_USAGE;
    if (comb_v1_data_presign(cli_channel(cli), cli->arena, NULL, request, &response, &cli->err) !=
        GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        print_urls(response);
    return CLI_OK;
}
