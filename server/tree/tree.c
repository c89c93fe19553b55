/* SPDX-License-Identifier: Apache-2.0 */
/* The tree as an object: what it is made of, and its threads. */

#include "server/core/cond.h"
#include "server/core/memory.h"
#include "server/tree/internal.h"

/* On the poll's thread, for each entry that it brings, and where it may have missed some. */
static void on_feed(void *data, const struct comb_feed_record *record)
{
    struct comb_tree *tree = data;

    (void)record;
    tree_background_wake(tree);
    tree_watches_wake(tree->watches);
}

enum comb_status comb_tree_new(const struct comb_tree_options *options, struct comb_tree **ret_tree,
                               struct comb_error *err)
{
    struct comb_tree *tree = comb_memory_zalloc(sizeof *tree);
    enum comb_status status;

    if (!tree)
        return comb_error_no_memory(err);
    tree->use = *options;
    pthread_mutex_init(&tree->lock, NULL);
    comb_cond_init(&tree->wake);
    comb_cond_init(&tree->settled);
    status = tree_watches_new(tree, &tree->watches, err);
    if (status == COMB_OK)
        status = comb_facts_listen(options->facts, on_feed, tree, err);
    if (status != COMB_OK) {
        comb_tree_free(tree);
        return status;
    }
    *ret_tree = tree;
    return COMB_OK;
}

void comb_tree_set_hooks(struct comb_tree *tree, const struct comb_tree_hooks *hooks)
{
    tree->hooks = *hooks;
}

enum comb_status comb_tree_start(struct comb_tree *tree, struct comb_error *err)
{
    enum comb_status status = tree_background_start(tree, err);

    return status == COMB_OK ? tree_watches_start(tree->watches, err) : status;
}

void comb_tree_drain(struct comb_tree *tree)
{
    tree_watches_drain(tree->watches);
}

void comb_tree_stop(struct comb_tree *tree)
{
    if (!tree)
        return;
    tree_watches_stop(tree->watches);
    tree_background_stop(tree);
}

void comb_tree_free(struct comb_tree *tree)
{
    if (!tree)
        return;
    comb_tree_stop(tree);
    tree_watches_free(tree->watches);
    pthread_cond_destroy(&tree->settled);
    pthread_cond_destroy(&tree->wake);
    pthread_mutex_destroy(&tree->lock);
    comb_memory_free(tree);
}
