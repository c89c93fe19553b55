/* SPDX-License-Identifier: Apache-2.0 */
/* Transfers of trees: what sending and writing share. Jobs (a folder, a file) lie on a stack that
 * several threads work off; a folder's job pushes those of what it holds. */
#ifndef COMB_LIB_TREE_H
#define COMB_LIB_TREE_H

#include "client/lib/transfer.h"
#include "comb/lists.h"

enum { COMB_PARALLEL_DEFAULT = 8, COMB_PARALLEL_MAX = 64 };

struct comb_tree;

struct comb_tree_job {
    struct comb_tree_job *next;
    /* Does it, or, where the transfer has failed already, only gives back what it holds. Frees the
     * job. */
    void (*run)(struct comb_tree *tree, struct comb_tree_job *job, bool dropped);
};

struct comb_tree {
    struct comb_client *client;
    struct comb_tree_options options;
    struct comb_meter meter;
    void *owner; /* of the direction */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct comb_tree_job *jobs;
    unsigned busy; /* threads that run a job */
    enum grpcc_status status;
    struct grpcc_error err; /* of what ended the transfer; without details */
    struct comb_tree_report report;
};

void comb_tree_init(struct comb_tree *tree, struct comb_client *client,
                    const struct comb_tree_options *options);
/* Takes the job. */
void comb_tree_push(struct comb_tree *tree, struct comb_tree_job *job);
/* Runs all jobs to their end; gives the report, and what ended the transfer early. */
enum grpcc_status comb_tree_run(struct comb_tree *tree, struct comb_tree_report *ret_report,
                                struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Frees what _init made. */
void comb_tree_done(struct comb_tree *tree);

/* One thing that is left out, with why. Any thread. */
void comb_tree_problem(struct comb_tree *tree, const char *path, const char *format, ...)
    GRPCC_FORMAT(3, 4);
/* What one thing's failure means: a problem with it, or the end of the transfer. */
void comb_tree_failed(struct comb_tree *tree, const char *path, enum grpcc_status status,
                      const struct grpcc_error *err);
void comb_tree_no_memory(struct comb_tree *tree);
bool comb_tree_has_failed(struct comb_tree *tree);
/* Counts. */
void comb_tree_count(struct comb_tree *tree, uint64_t files, uint64_t folders, uint64_t bytes,
                     uint64_t unchanged);

/* "FOLDER/NAME", to be freed; ends the transfer and gives NULL without memory. */
char *comb_tree_join(struct comb_tree *tree, const char *folder, const char *name);
/* Lists a folder by id, with metadata. */
enum grpcc_status comb_tree_list(struct comb_tree *tree, struct grpcc_arena *arena, const char *id,
                                 struct comb_list **ret_list,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Finds out what a path leads to, with metadata. */
enum grpcc_status comb_tree_stat(struct comb_tree *tree, struct grpcc_arena *arena,
                                 const char *path, struct comb_v1_node **ret_node,
                                 struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
