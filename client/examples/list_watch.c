/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists a folder, then shows so many changes of it as they happen:
 *
 *     cc list_watch.c $(pkg-config --cflags --libs comb) -o list_watch
 *     COMB_PASSWORD=... ./list_watch 127.0.0.1:7070 admin /personal 10
 */
#include <stdio.h>
#include <stdlib.h>

#include "comb/lists.h"

static int list(struct comb_client *client, struct grpcc_arena *arena, struct comb_v1_node_ref *ref,
                struct grpcc_error *err)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_list *children = NULL;
    const struct comb_v1_node *node = NULL;
    int result = -1;
    request->folder = ref;
    if (comb_list_open(client, request, &children, err))
        return -1;
    while ((result = comb_list_next(children, &node, err)) > 0)
        printf("%s%s\n", node->name, node->kind == COMB_V1_NODE_KIND_FOLDER ? "/" : "");
    comb_list_close(children);
    return result;
}

static int watch(struct comb_client *client, struct grpcc_arena *arena,
                 struct comb_v1_node_ref *ref, long n, struct grpcc_error *err)
{
    struct comb_v1_tree_watch_request *request = comb_v1_tree_watch_request_new(arena);
    const struct comb_v1_tree_watch_response *event = NULL;
    struct comb_watch *changes = NULL;
    int result = 1;
    request->folder = ref;
    if (comb_watch_open(client, request, &changes, err))
        return -1;
    printf("watching\n");
    fflush(stdout);
    while (n > 0 && (result = comb_watch_next(changes, &event, err)) > 0) {
        if (event->event_case != COMB_V1_TREE_WATCH_RESPONSE_EVENT_CHANGE)
            continue;
        printf("%s %s\n", comb_v1_change_kind_name((int)event->change->kind),
               event->change->node->name);
        n--;
    }
    comb_watch_close(changes);
    return result;
}

int main(int argc, char **argv)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    const char *password = getenv("COMB_PASSWORD");
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node_ref *ref = arena ? comb_v1_node_ref_new(arena) : NULL;
    if (argc != 5 || !ref) {
        fprintf(stderr, "usage: %s SERVER LOGIN FOLDER CHANGES\n", argv[0]);
        return 2;
    }
    comb_v1_node_ref_set_path(ref, argv[3]);
    bool good = !comb_client_open(argv[1], NULL, &client, &err) &&
                !comb_client_login(client, argv[2], password ? password : "", "example", &err) &&
                list(client, arena, ref, &err) == 0 &&
                watch(client, arena, ref, strtol(argv[4], NULL, 10), &err) > 0;
    if (!good)
        fprintf(stderr, "%s: %s\n", grpcc_status_name(err.status), err.message);
    comb_client_close(client);
    grpcc_arena_free(arena);
    return good ? 0 : 1;
}
