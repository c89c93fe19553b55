/* SPDX-License-Identifier: Apache-2.0 */
/* Lists without pages, and watches without end. */
#ifndef COMB_LISTS_H
#define COMB_LISTS_H

#include "comb/client.h"
#include "comb/v1/tree.grpcc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Iterates the children of a folder, page by page as they are asked for. request is copied; its
 * page fields are ours. */
struct comb_list;
enum grpcc_status comb_list_open(struct comb_client *client,
                                 const struct comb_v1_tree_list_request *request,
                                 struct comb_list **ret_list,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* 1: *ret_node, alive until the next call on this list; 0: no more; -1: failed, err says how. */
int comb_list_next(struct comb_list *list, const struct comb_v1_node **ret_node,
                   struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_list_close(struct comb_list *list);

/* Watches a folder. When the replica goes away the watch goes on from its last cursor on another;
 * when the cursor has expired it takes a new snapshot by itself (events `present` and
 * `snapshot_end` come again). */
struct comb_watch;
enum grpcc_status comb_watch_open(struct comb_client *client,
                                  const struct comb_v1_tree_watch_request *request,
                                  struct comb_watch **ret_watch,
                                  struct grpcc_error *err) GRPCC_MUST_CHECK;
/* 1: *ret_event, alive until the next call on this watch; 0: comb_watch_cancel() was called; -1:
 * failed. Blocks. */
int comb_watch_next(struct comb_watch *watch, const struct comb_v1_tree_watch_response **ret_event,
                    struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Any thread: ends the wait of _next. */
void comb_watch_cancel(struct comb_watch *watch);
/* The newest cursor, to open another watch from. Borrowed until the next call on this watch. */
const char *comb_watch_cursor(const struct comb_watch *watch);
void comb_watch_close(struct comb_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
