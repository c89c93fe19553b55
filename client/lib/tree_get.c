/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a tree to disk. All is done relative to open folders, each opened in its parent without
 * following links: what another process puts in the way is refused, not followed out of the target.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/tree.h"
#include "comb/lists.h"

/* References: its own job, and one per job of what it holds. Freed by the last one, which also
 * gives it its mode and time: writing into it would change that. */
struct folder {
    struct folder *parent; /* NULL: the top */
    atomic_uint refs;
    struct grpcc_arena *arena;
    const struct comb_v1_node *node;
    char *path; /* local, for people */
    int fd;
};

struct job {
    struct comb_tree_job base;
    struct folder *folder; /* of a folder: itself; of a file: that it is in */
    struct grpcc_arena *arena;
    struct comb_v1_node *node;
};

static struct folder *folder_new(struct comb_tree *tree, struct folder *parent,
                                 const struct comb_v1_node *node, const char *path)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (folder && arena) {
        folder->node = comb_v1_node_dup(arena, node);
        folder->path = parent ? comb_tree_join(tree, parent->path, node->name) : strdup(path);
    }
    if (!folder || !folder->node || !folder->path) {
        comb_tree_no_memory(tree);
        grpcc_arena_free(arena);
        if (folder)
            free(folder->path);
        free(folder);
        return NULL;
    }
    folder->arena = arena;
    folder->fd = -1;
    folder->parent = parent;
    if (parent)
        atomic_fetch_add(&parent->refs, 1);
    atomic_store(&folder->refs, 1);
    return folder;
}

static void folder_unref(struct folder *folder)
{
    while (folder && atomic_fetch_sub(&folder->refs, 1) == 1) {
        struct folder *parent = folder->parent;
        if (folder->fd >= 0) {
            comb_posix_apply(folder->fd, folder->node);
            close(folder->fd);
        }
        grpcc_arena_free(folder->arena);
        free(folder->path);
        free(folder);
        folder = parent;
    }
}

/* ---- files ---- */

/* When the content was written, as far as it is known. */
static struct timespec time_of(const struct comb_v1_node *node)
{
    struct timespec time = {0};
    (void)comb_posix_mtime(node, &time);
    return time;
}

static bool is_unchanged(const struct comb_tree *tree, const struct folder *folder,
                         const struct comb_v1_node *node)
{
    struct stat info;
    struct timespec time = time_of(node);
    return !tree->options.overwrite &&
           fstatat(folder->fd, node->name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(info.st_mode) && (uint64_t)info.st_size == node->size &&
           info.st_mtim.tv_sec == time.tv_sec && info.st_mtim.tv_nsec == time.tv_nsec;
}

static void write_file(struct comb_tree *tree, struct job *job)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char *path = comb_tree_join(tree, job->folder->path, job->node->name);
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(job->arena);
    if (!path || !ref) {
        comb_tree_no_memory(tree);
        free(path);
        return;
    }
    comb_v1_node_ref_set_id(ref, job->node->id);
    enum grpcc_status status =
        comb_get_local(tree->client, job->arena, ref, job->folder->fd, job->node->name, job->node,
                       &tree->meter, path, NULL, &err);
    if (!status) {
        comb_tree_count(tree, 1, 0, job->node->size, 0);
        if (!comb_meter_add(&tree->meter, path, 0, 1))
            status = comb_meter_cancelled(&err);
    }
    if (status)
        comb_tree_failed(tree, path, status, &err);
    free(path);
}

static void run_file(struct comb_tree *tree, struct comb_tree_job *base, bool dropped)
{
    struct job *job = (struct job *)base;
    if (!dropped)
        write_file(tree, job);
    folder_unref(job->folder);
    grpcc_arena_free(job->arena);
    free(job);
}

/* ---- folders ---- */

static void run_folder(struct comb_tree *tree, struct comb_tree_job *base, bool dropped);

/* Takes folder's reference. */
static void push_folder(struct comb_tree *tree, struct folder *folder)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job) {
        comb_tree_no_memory(tree);
        folder_unref(folder);
        return;
    }
    job->base.run = run_folder;
    job->folder = folder;
    comb_tree_push(tree, &job->base);
}

static void push_file(struct comb_tree *tree, struct folder *folder,
                      const struct comb_v1_node *node)
{
    struct job *job = calloc(1, sizeof(*job));
    if (job)
        job->arena = grpcc_arena_new(0);
    if (job && job->arena)
        job->node = comb_v1_node_dup(job->arena, node);
    if (!job || !job->node) {
        comb_tree_no_memory(tree);
        if (job)
            grpcc_arena_free(job->arena);
        free(job);
        return;
    }
    job->base.run = run_file;
    job->folder = folder;
    atomic_fetch_add(&folder->refs, 1);
    comb_meter_expect(&tree->meter, node->size, 1);
    comb_tree_push(tree, &job->base);
}

/* Whether a name stays in the folder that it is written into. */
static bool is_safe(const char *name)
{
    return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static void take_child(struct comb_tree *tree, struct folder *folder,
                       const struct comb_v1_node *node)
{
    if (!is_safe(node->name)) {
        comb_tree_problem(tree, folder->path, "holds \"%s\", which is no name here", node->name);
    } else if (node->kind == COMB_V1_NODE_KIND_FOLDER) {
        struct folder *child = folder_new(tree, folder, node, NULL);
        if (child)
            push_folder(tree, child);
    } else if (is_unchanged(tree, folder, node)) {
        comb_tree_count(tree, 0, 0, 0, 1);
    } else {
        push_file(tree, folder, node);
    }
}

static void list_folder(struct comb_tree *tree, struct folder *folder)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    int result = -1;
    if (comb_tree_list(tree, folder->arena, folder->node->id, &list, &err) == GRPCC_OK)
        while ((result = comb_list_next(list, &node, &err)) > 0 && !comb_tree_has_failed(tree))
            take_child(tree, folder, node);
    if (result < 0)
        comb_tree_failed(tree, folder->path, err.status, &err);
    comb_list_close(list);
}

/* Makes the folder, or finds it there, and opens it. */
static bool open_folder(struct comb_tree *tree, struct folder *folder)
{
    int parent = folder->parent ? folder->parent->fd : AT_FDCWD;
    const char *name = folder->parent ? folder->node->name : folder->path;
    /* The top may be a link: the program named it. */
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (folder->parent ? O_NOFOLLOW : 0);
    bool made = mkdirat(parent, name, S_IRWXU) == 0;
    if (made || errno == EEXIST)
        folder->fd = openat(parent, name, flags);
    if (folder->fd < 0) {
        comb_tree_problem(tree, folder->path, "%s",
                          errno == ENOTDIR || errno == ELOOP ? "something else is in its place"
                                                             : strerror(errno));
        return false;
    }
    if (made)
        comb_tree_count(tree, 0, 1, 0, 0);
    return true;
}

static void run_folder(struct comb_tree *tree, struct comb_tree_job *base, bool dropped)
{
    struct job *job = (struct job *)base;
    if (!dropped && open_folder(tree, job->folder))
        list_folder(tree, job->folder);
    folder_unref(job->folder);
    free(job);
}

enum grpcc_status comb_get_tree(struct comb_client *client, const char *path, const char *local,
                                const struct comb_tree_options *options,
                                struct comb_tree_report *ret_report, struct grpcc_error *err)
{
    struct comb_tree tree;
    struct comb_v1_node *node = NULL;
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_memory(err);
    comb_tree_init(&tree, client, options);
    status = comb_tree_stat(&tree, arena, path, &node, &own);
    if (!status && node->kind != COMB_V1_NODE_KIND_FOLDER)
        status = grpcc_error_set(&own, GRPCC_FAILED_PRECONDITION, "%s is no folder", path);
    if (!status) {
        struct folder *top = folder_new(&tree, NULL, node, local);
        if (top)
            push_folder(&tree, top);
        status = comb_tree_run(&tree, ret_report, &own);
    }
    if (status && err) {
        *err = own;
        err->details = NULL; /* the arena that they lie in ends here */
    }
    comb_tree_done(&tree);
    grpcc_arena_free(arena);
    return status;
}
