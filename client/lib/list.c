/* SPDX-License-Identifier: Apache-2.0 */
/* Lists without pages. */
#include <string.h>

#include "client/lib/internal.h"
#include "comb/lists.h"

enum { LIST_PAGE_SIZE = 1000 };

struct comb_list {
    struct comb_client *client;
    struct grpcc_arena *kept;     /* the request */
    struct grpcc_arena *pages[2]; /* the page that is read, and the one before: its token */
    unsigned turn;
    struct comb_v1_tree_list_request *request;
    const struct comb_v1_tree_list_response *page; /* NULL: none yet */
    size_t at;
};

enum grpcc_status comb_list_open(struct comb_client *client,
                                 const struct comb_v1_tree_list_request *request,
                                 struct comb_list **ret_list, struct grpcc_error *err)
{
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    struct comb_list *list = calloc(1, sizeof(*list));
    if (!list)
        return comb_error_memory(err);
    list->client = comb_client_ref(client);
    list->kept = grpcc_arena_new(0);
    list->pages[0] = grpcc_arena_new(0);
    list->pages[1] = grpcc_arena_new(0);
    if (list->kept && list->pages[0] && list->pages[1])
        list->request = comb_v1_tree_list_request_dup(list->kept, request);
    if (!list->request) {
        comb_list_close(list);
        return comb_error_memory(err);
    }
    list->request->page_size = LIST_PAGE_SIZE;
    comb_v1_tree_list_request_set_page_token(list->request, NULL);
    *ret_list = list;
    return GRPCC_OK;
}

static enum grpcc_status next_page(struct comb_list *list, struct grpcc_error *err)
{
    struct comb_v1_tree_list_response *page = NULL;
    struct grpcc_arena *arena = list->pages[list->turn ^= 1];
    if (list->page)
        comb_v1_tree_list_request_set_page_token(list->request, list->page->next_page_token);
    grpcc_arena_reset(arena);
    enum grpcc_status status =
        comb_v1_tree_list(list->client->channel, arena, NULL, list->request, &page, err);
    if (status)
        return status;
    list->page = page;
    list->at = 0;
    return GRPCC_OK;
}

int comb_list_next(struct comb_list *list, const struct comb_v1_node **ret_node,
                   struct grpcc_error *err)
{
    /* A page may be empty and have a next one. */
    while (!list->page || list->at == list->page->n_nodes) {
        if (list->page && !*list->page->next_page_token)
            return 0;
        if (next_page(list, err))
            return -1;
    }
    *ret_node = list->page->nodes[list->at++];
    return 1;
}

void comb_list_close(struct comb_list *list)
{
    if (!list)
        return;
    grpcc_arena_free(list->kept);
    grpcc_arena_free(list->pages[0]);
    grpcc_arena_free(list->pages[1]);
    comb_client_unref(list->client);
    free(list);
}
