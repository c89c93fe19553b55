/* SPDX-License-Identifier: Apache-2.0 */
/* comb admin consumers, set-aside, retry: what is derived from the change feed, and how it fares.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/admin_verbs.h"
#include "comb/v1/admin.grpcc.h"

#define PLACES_MAX 50

/* ---- consumers ---- */

static const char *rebuild_text(enum comb_v1_admin_rebuild rebuild)
{
    switch (rebuild) {
    case COMB_V1_ADMIN_REBUILD_NEW:
        return "building: there was nothing yet";
    case COMB_V1_ADMIN_REBUILD_EXPIRED:
        return "building anew: the feed no longer went back to where it was";
    case COMB_V1_ADMIN_REBUILD_HISTORY:
        return "building anew: the sql row was restored";
    case COMB_V1_ADMIN_REBUILD_REQUESTED:
        return "building anew: an administrator wanted it";
    default:
        return NULL;
    }
}

static const char *age_text(uint64_t ms, char *text, size_t size)
{
    if (ms < 120 * 1000)
        snprintf(text, size, "%.1f s", (double)ms / 1000);
    else if (ms < 120 * 60 * 1000)
        snprintf(text, size, "%" PRIu64 " min", ms / 60000);
    else
        snprintf(text, size, "%" PRIu64 " h", ms / 3600000);
    return text;
}

static void print_consumer(const struct comb_v1_admin_consumer *consumer)
{
    const char *rebuild = rebuild_text(consumer->rebuild);
    char age[32];
    printf("%-16s %-6s ", cli_name(consumer->name), consumer->held ? "held" : "free");
    if (consumer->lag_entries == 0)
        printf("up to date");
    else
        printf("%s%" PRIu64 " behind, the oldest for %s",
               consumer->lag_entries >= CLI_LAG_MAX ? "at least " : "", consumer->lag_entries,
               age_text(consumer->lag_ms, age, sizeof age));
    printf(", %" PRIu64 " set aside\n", consumer->set_aside);
    if (consumer->held)
        printf("                 by %s%s until %s, fence %" PRIu64 "\n",
               consumer->holder_replica_id, consumer->this_replica ? " (this one)" : "",
               cli_time(consumer->held_until_time), consumer->fence);
    if (consumer->place)
        printf("                 at %" PRIu64 ":%" PRIu64 " since %s\n",
               consumer->place->incarnation, consumer->place->sequence,
               cli_time(consumer->advance_time));
    if (rebuild)
        printf("                 %s\n", rebuild);
    if (consumer->attempts > 1)
        printf("                 %u holders in a row did not get beyond this place\n",
               consumer->attempts);
    if (consumer->error_code != 0)
        printf("                 %s: %s\n", cli_time(consumer->error_time),
               cli_name(consumer->error));
}

int cli_admin_consumers(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_consumers_request *request =
        comb_v1_admin_consumers_request_new(cli->arena);
    struct comb_v1_admin_consumers_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 0, 0, "comb admin consumers [--server ADDRESS]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (comb_v1_admin_consumers(cli_channel(cli), cli->arena, NULL, request, &response,
                                &cli->err) != GRPCC_OK)
        return cli_fail(cli, cli->server);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    for (size_t i = 0; !cli->json && i < response->n_consumers; i++)
        print_consumer(response->consumers[i]);
    return CLI_OK;
}

/* ---- what was set aside ---- */

static void print_entry(const struct comb_v1_admin_set_aside *entry)
{
    char place[48];
    snprintf(place, sizeof place, "%" PRIu64 ":%" PRIu64, entry->place->incarnation,
             entry->place->sequence);
    printf("%-16s %-11s %s revision %" PRIu64 ", made %s\n", place, cli_name(entry->kind),
           cli_name(entry->subject_id), entry->revision, cli_time(entry->time));
    printf("                 %s: %s%s\n", cli_time(entry->set_aside_time), cli_name(entry->message),
           entry->retrying ? " (will be tried again)" : "");
}

int cli_admin_set_aside(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_list_set_aside_request *request =
        comb_v1_admin_list_set_aside_request_new(cli->arena);
    if (!cli_arguments(options, &argc, argv, 1, 1,
                       "comb admin set-aside [--server ADDRESS] CONSUMER") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_admin_list_set_aside_request_set_consumer(request, argv[0]);
    do {
        struct comb_v1_admin_list_set_aside_response *response = NULL;
        if (comb_v1_admin_list_set_aside(cli_channel(cli), cli->arena, NULL, request, &response,
                                         &cli->err) != GRPCC_OK)
            return cli_fail(cli, argv[0]);
        for (size_t i = 0; i < response->n_entries; i++) {
            if (cli->json)
                cli_print_json(stdout, &response->entries[i]->base);
            else
                print_entry(response->entries[i]);
        }
        request->page_token = response->next_page_token;
    } while (request->page_token[0]);
    return CLI_OK;
}

/* INCARNATION:SEQUENCE, as the list prints it. */
static struct comb_v1_admin_feed_place *read_place(struct cli *cli, const char *text)
{
    struct comb_v1_admin_feed_place *place = comb_v1_admin_feed_place_new(cli->arena);
    char rest;
    if (!place)
        return NULL;
    if (sscanf(text, "%" SCNu64 ":%" SCNu64 "%c", &place->incarnation, &place->sequence, &rest) !=
        2) {
        fprintf(stderr, "comb: %s: an entry is given as comb admin set-aside prints it, 1:4711\n",
                text);
        return NULL;
    }
    return place;
}

int cli_admin_retry(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {{"--server", true, &cli->server}, {NULL, false, NULL}};
    struct comb_v1_admin_retry_set_aside_request *request =
        comb_v1_admin_retry_set_aside_request_new(cli->arena);
    struct comb_v1_admin_retry_set_aside_response *response = NULL;
    if (!cli_arguments(options, &argc, argv, 1, 1 + PLACES_MAX,
                       "comb admin retry [--server ADDRESS] CONSUMER [ENTRY...]") ||
        !cli_connect_admin(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    comb_v1_admin_retry_set_aside_request_set_consumer(request, argv[0]);
    for (int i = 1; i < argc; i++) {
        struct comb_v1_admin_feed_place *place = read_place(cli, argv[i]);
        if (!place)
            return CLI_USAGE;
        if (!comb_v1_admin_retry_set_aside_request_add_places(cli->arena, request, place))
            return cli_no_memory();
    }
    if (comb_v1_admin_retry_set_aside(cli_channel(cli), cli->arena, NULL, request, &response,
                                      &cli->err) != GRPCC_OK)
        return cli_fail(cli, argv[0]);
    if (cli->json)
        cli_print_json(stdout, &response->base);
    else
        printf("%" PRIu64 " will be handled again\n", response->entries);
    return CLI_OK;
}
