/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client/cli/cli.h"
#include "comb/lists.h"

static const char *verb_of(enum comb_v1_change_kind kind)
{
    switch (kind) {
    case COMB_V1_CHANGE_KIND_CREATED:
        return "created";
    case COMB_V1_CHANGE_KIND_CONTENT:
        return "content";
    case COMB_V1_CHANGE_KIND_MOVED:
        return "moved";
    case COMB_V1_CHANGE_KIND_METADATA:
        return "metadata";
    case COMB_V1_CHANGE_KIND_RECYCLED:
        return "recycled";
    case COMB_V1_CHANGE_KIND_RESTORED:
        return "restored";
    case COMB_V1_CHANGE_KIND_DELETED:
        return "deleted";
    case COMB_V1_CHANGE_KIND_PERMISSIONS:
        return "rights";
    case COMB_V1_CHANGE_KIND_LOCKED:
        return "locked";
    case COMB_V1_CHANGE_KIND_UNLOCKED:
        return "unlocked";
    default:
        return "changed";
    }
}

static void print_change(const struct comb_v1_change *change)
{
    const struct comb_v1_node *node = change->node;
    printf("%s  %-9s %s  %s", cli_time(change->time), verb_of(change->kind), node ? node->id : "-",
           node ? cli_name(node->name) : "");
    if (change->old_name[0])
        printf("  (was %s)", cli_name(change->old_name));
    putchar('\n');
}

static void print_event(const struct comb_v1_tree_watch_response *event)
{
    switch (event->event_case) {
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_PRESENT:
        printf("%s  %-9s %s  %s\n", cli_time(event->present->update_time), "present",
               event->present->id, cli_name(event->present->name));
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE:
        print_change(event->change);
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_ADDED:
        printf("%19s  %-9s %s  %s\n", "", "added", event->added->node->id,
               cli_name(event->added->node->name));
        break;
    case COMB_V1_TREE_WATCH_RESPONSE_EVENT_REMOVED:
        printf("%19s  %-9s %s\n", "", "removed", event->removed->node_id);
        break;
    default:
        break; /* heartbeats and the end of the snapshot are for programs */
    }
}

int cli_watch(struct cli *cli, int argc, char **argv)
{
    const char *recursive = NULL, *snapshot = NULL, *cursor = NULL;
    const struct cli_option options[] = {{"-r", false, &recursive},
                                         {"--snapshot", false, &snapshot},
                                         {"--from", true, &cursor},
                                         {NULL, false, NULL}};
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(cli->arena);
    const struct comb_v1_tree_watch_response *event = NULL;
    struct comb_watch *watch = NULL;
    int more = -1;
    if (!cli_arguments(options, &argc, argv, 0, 1,
                       "comb watch [-r] [--snapshot] [--from CURSOR] [REF]") ||
        !cli_connect(cli))
        return CLI_USAGE;
    if (!request)
        return cli_no_memory();
    if (argc && !(request->folder = cli_ref(cli, argv[0])))
        return CLI_USAGE;
    request->recursive = recursive != NULL;
    request->snapshot = snapshot != NULL;
    comb_v1_tree_watch_request_set_cursor(request, cursor);
    if (comb_watch_open(cli->client, request, &watch, &cli->err) != GRPCC_OK)
        return cli_fail(cli, argc ? argv[0] : "watch");
    while ((more = comb_watch_next(watch, &event, &cli->err)) == 1) {
        if (cli->json)
            cli_print_json(stdout, &event->base);
        else
            print_event(event);
        fflush(stdout);
        if (ferror(stdout))
            break;
    }
    /* The error's details live in the watch. */
    int status = more < 0 ? cli_fail(cli, argc ? argv[0] : "watch") : CLI_OK;
    comb_watch_close(watch);
    return status;
}
