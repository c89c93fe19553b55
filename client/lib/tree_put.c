/* SPDX-License-Identifier: Apache-2.0 */
/* Sending a tree from disk. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "client/lib/selection.h"
#include "client/lib/tree.h"
#include "comb/lists.h"

enum { JOB_ARENA_MAX = 8 << 20, CHILDREN_MIN = 16 };

/* Folders are kept to the end of the transfer: what is below knows them by pointers. */
struct folder {
    struct folder *parent; /* NULL: the top */
    struct folder *next;   /* of all */
    char *local;
    char *remote;         /* for people */
    const char *relative; /* in local, below the top: "" for the top */
    char id[COMB_ID_LENGTH + 1];
    dev_t device;
    ino_t inode;
    bool whole; /* all that it holds is meant */
    bool made;  /* by us, just now: there is nothing to list */
};

struct put_tree {
    struct comb_tree tree;
    struct comb_selection selection;
    pthread_mutex_t lock; /* folders, selection */
    struct folder *folders;
};

struct folder_job {
    struct comb_tree_job base;
    struct folder *folder;
};

struct file_job {
    struct comb_tree_job base;
    struct folder *folder;
    char *local;
    const char *name; /* in local */
};

/* ---- what is there ---- */

/* The children of a remote folder, sorted by name. */
struct children {
    struct grpcc_arena *arena;
    struct comb_v1_node **nodes;
    size_t n, capacity;
};

static int compare_nodes(const void *a, const void *b)
{
    return strcmp((*(struct comb_v1_node *const *)a)->name,
                  (*(struct comb_v1_node *const *)b)->name);
}

static struct comb_v1_node *find_child(const struct children *children, const char *name)
{
    size_t low = 0, high = children->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(children->nodes[middle]->name, name);
        if (order == 0)
            return children->nodes[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool add_child(struct children *children, const struct comb_v1_node *node)
{
    if (children->n == children->capacity) {
        size_t capacity = children->capacity ? children->capacity * 2 : CHILDREN_MIN;
        struct comb_v1_node **nodes = reallocarray(children->nodes, capacity, sizeof(*nodes));
        if (!nodes)
            return false;
        children->nodes = nodes;
        children->capacity = capacity;
    }
    struct comb_v1_node *copy = comb_v1_node_dup(children->arena, node);
    if (!copy)
        return false;
    children->nodes[children->n++] = copy;
    return true;
}

static void children_done(struct children *children)
{
    grpcc_arena_free(children->arena);
    free(children->nodes);
}

static bool read_children(struct comb_tree *tree, const struct folder *folder,
                          struct children *children)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    int result = -1;
    /* As large as the folder is: its own limit is the machine's memory. */
    children->arena = grpcc_arena_new(SIZE_MAX);
    if (!children->arena) {
        comb_tree_no_memory(tree);
        return false;
    }
    if (folder->made)
        return true;
    if (comb_tree_list(tree, children->arena, folder->id, &list, &err) == GRPCC_OK)
        while ((result = comb_list_next(list, &node, &err)) > 0)
            if (!add_child(children, node)) {
                comb_error_memory(&err);
                result = -1;
                break;
            }
    if (result < 0)
        comb_tree_failed(tree, folder->remote, err.status, &err);
    comb_list_close(list);
    if (children->n > 0)
        qsort(children->nodes, children->n, sizeof(struct comb_v1_node *), compare_nodes);
    return result == 0;
}

static bool has_time(const struct comb_v1_node *node, const struct stat *info)
{
    struct timespec time;
    return comb_posix_mtime(node, &time) && time.tv_sec == info->st_mtim.tv_sec &&
           time.tv_nsec == info->st_mtim.tv_nsec;
}

static bool has_mode(const struct comb_v1_node *node, const struct stat *info)
{
    mode_t mode;
    return comb_posix_mode(node, &mode) && mode == (info->st_mode & 07777);
}

/* Mode and time of what is there already and need not be sent. */
static void set_metadata(struct comb_tree *tree, const char *path, const char *id,
                         const struct stat *info)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_tree_set_metadata_response *response = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(JOB_ARENA_MAX);
    struct comb_v1_tree_set_metadata_request *request =
        arena ? comb_v1_tree_set_metadata_request_new(arena) : NULL;
    struct comb_v1_node_ref *ref = request ? comb_v1_node_ref_new(arena) : NULL;
    if (ref) {
        comb_v1_node_ref_set_id(ref, id);
        request->node = ref;
        request->set = comb_posix_metadata(arena, info);
        request->n_set = COMB_POSIX_METADATA;
    }
    enum grpcc_status status = ref && request->set
                                   ? comb_v1_tree_set_metadata(tree->client->channel, arena, NULL,
                                                               request, &response, &err)
                                   : comb_error_memory(&err);
    if (status)
        comb_tree_failed(tree, path, status, &err);
    grpcc_arena_free(arena);
}

/* ---- files ---- */

static enum grpcc_status send_file(struct comb_tree *tree, struct file_job *job, const char *remote,
                                   struct grpcc_arena *arena, struct grpcc_error *err)
{
    struct comb_v1_node *node = NULL;
    struct comb_v1_upload_target *target = comb_v1_upload_target_new(arena);
    struct comb_v1_node_ref *parent = comb_v1_node_ref_new(arena);
    if (!target || !parent)
        return comb_error_memory(err);
    comb_v1_node_ref_set_id(parent, job->folder->id);
    target->parent = parent;
    comb_v1_upload_target_set_name(target, job->name);
    enum grpcc_status status =
        comb_put_local(tree->client, arena, job->local, target, &tree->meter, remote, &node, err);
    if (status)
        return status;
    comb_tree_count(tree, 1, 0, node ? node->size : 0, 0);
    return comb_meter_add(&tree->meter, remote, 0, 1) ? GRPCC_OK : comb_meter_cancelled(err);
}

static void run_file(struct comb_tree *tree, struct comb_tree_job *base, bool dropped)
{
    struct file_job *job = (struct file_job *)base;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = dropped ? NULL : grpcc_arena_new(JOB_ARENA_MAX);
    char *remote = arena ? comb_tree_join(tree, job->folder->remote, job->name) : NULL;
    if (remote) {
        enum grpcc_status status = send_file(tree, job, remote, arena, &err);
        if (status)
            comb_tree_failed(tree, job->local, status, &err);
    } else if (!dropped) {
        comb_tree_no_memory(tree);
    }
    grpcc_arena_free(arena);
    free(remote);
    free(job->local);
    free(job);
}

static void take_file(struct comb_tree *tree, struct folder *folder, const char *local,
                      const char *name, const struct stat *info, const struct comb_v1_node *there)
{
    if (there && there->kind != COMB_V1_NODE_KIND_FILE) {
        comb_tree_problem(tree, local, "a folder is in its place");
        return;
    }
    if (there && !tree->options.overwrite && there->size == (uint64_t)info->st_size &&
        has_time(there, info)) {
        if (!has_mode(there, info))
            set_metadata(tree, local, there->id, info);
        comb_tree_count(tree, 0, 0, 0, 1);
        return;
    }
    struct file_job *job = calloc(1, sizeof(*job));
    if (job)
        job->local = strdup(local);
    if (!job || !job->local) {
        comb_tree_no_memory(tree);
        free(job);
        return;
    }
    job->base.run = run_file;
    job->folder = folder;
    job->name = job->local + strlen(local) - strlen(name);
    comb_meter_expect(&tree->meter, (uint64_t)info->st_size, 1);
    comb_tree_push(tree, &job->base);
}

/* ---- folders ---- */

static void run_folder(struct comb_tree *tree, struct comb_tree_job *base, bool dropped);

static void push_folder(struct comb_tree *tree, struct folder *folder)
{
    struct folder_job *job = calloc(1, sizeof(*job));
    if (!job) {
        comb_tree_no_memory(tree);
        return;
    }
    job->base.run = run_folder;
    job->folder = folder;
    comb_tree_push(tree, &job->base);
}

static struct folder *folder_new(struct put_tree *put, struct folder *parent, const char *local,
                                 const char *remote, const struct stat *info)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (folder) {
        folder->local = strdup(local);
        folder->remote =
            parent ? comb_tree_join(&put->tree, parent->remote, remote) : strdup(remote);
    }
    if (!folder || !folder->local || !folder->remote) {
        comb_tree_no_memory(&put->tree);
        if (folder) {
            free(folder->local);
            free(folder->remote);
        }
        free(folder);
        return NULL;
    }
    folder->parent = parent;
    folder->device = info->st_dev;
    folder->inode = info->st_ino;
    folder->relative = folder->local + strlen(local);
    if (parent) {
        /* Behind the top's path and its slash. */
        const struct folder *top = parent;
        while (top->parent)
            top = top->parent;
        folder->relative = folder->local + strlen(top->local);
        folder->relative += strspn(folder->relative, "/");
    }
    pthread_mutex_lock(&put->lock);
    folder->next = put->folders;
    put->folders = folder;
    pthread_mutex_unlock(&put->lock);
    return folder;
}

/* Whether a folder is one of those that it lies in, by a link. */
static bool is_loop(const struct folder *folder, const struct stat *info)
{
    for (; folder; folder = folder->parent)
        if (folder->device == info->st_dev && folder->inode == info->st_ino)
            return true;
    return false;
}

static enum grpcc_status create(struct comb_tree *tree, struct grpcc_arena *arena,
                                const struct folder *folder, const char *name, bool parents,
                                const struct stat *info,
                                struct comb_v1_tree_create_folder_response **ret_response,
                                struct grpcc_error *err)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    if (!request || !ref)
        return comb_error_memory(err);
    if (folder->parent) {
        comb_v1_node_ref_set_id(ref, folder->parent->id);
    } else {
        /* "/personal/a/b": below the workspace, all that is missing. */
        const char *below = strchr(folder->remote + 1, '/');
        comb_v1_node_ref_set_path(
            ref, grpcc_arena_strndup(arena, folder->remote, (size_t)(below - folder->remote)));
        name = below + 1;
    }
    request->parent = ref;
    comb_v1_tree_create_folder_request_set_name(request, name);
    request->create_parents = parents;
    request->exist_ok = true;
    request->metadata = comb_posix_metadata(arena, info);
    request->n_metadata = COMB_POSIX_METADATA;
    if (!request->metadata)
        return comb_error_memory(err);
    return comb_v1_tree_create_folder(tree->client->channel, arena, NULL, request, ret_response,
                                      err);
}

static bool take_id(struct folder *folder, const struct comb_v1_node *node)
{
    if (!node || strlen(node->id) != COMB_ID_LENGTH)
        return false;
    memcpy(folder->id, node->id, COMB_ID_LENGTH + 1);
    return true;
}

/* Makes the folder there, or finds it; false: it was told why not. */
static bool make_folder(struct comb_tree *tree, struct folder *folder, const char *name,
                        const struct stat *info)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_tree_create_folder_response *response = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(JOB_ARENA_MAX);
    enum grpcc_status status =
        arena ? create(tree, arena, folder, name, !folder->parent, info, &response, &err)
              : comb_error_memory(&err);
    if (!status && !take_id(folder, response->node))
        status = grpcc_error_set(&err, GRPCC_INTERNAL, "the server sent no folder");
    if (!status) {
        folder->made = response->created;
        comb_tree_count(tree, 0, response->created, 0, 0);
    } else {
        comb_tree_failed(tree, folder->local, status, &err);
    }
    grpcc_arena_free(arena);
    return !status;
}

static void take_folder(struct put_tree *put, struct folder *parent, const char *local,
                        const char *name, const struct stat *info, bool whole,
                        const struct comb_v1_node *there)
{
    struct comb_tree *tree = &put->tree;
    if (is_loop(parent, info)) {
        comb_tree_problem(tree, local, "a loop: it is one of the folders that it lies in");
        return;
    }
    if (there && there->kind != COMB_V1_NODE_KIND_FOLDER) {
        comb_tree_problem(tree, local, "a file is in its place");
        return;
    }
    struct folder *folder = folder_new(put, parent, local, name, info);
    if (!folder)
        return;
    folder->whole = whole;
    if (there && !take_id(folder, there)) {
        comb_tree_problem(tree, local, "the server gave it no id");
        return;
    }
    if (there && !(has_time(there, info) && has_mode(there, info)))
        set_metadata(tree, local, there->id, info);
    if (there || make_folder(tree, folder, name, info))
        push_folder(tree, folder);
}

/* ---- one folder's job ---- */

static bool is_selected(struct put_tree *put, const struct folder *folder, const char *name,
                        bool *ret_whole)
{
    *ret_whole = folder->whole;
    if (folder->whole)
        return true;
    char *relative =
        *folder->relative ? comb_tree_join(&put->tree, folder->relative, name) : strdup(name);
    if (!relative) {
        comb_tree_no_memory(&put->tree);
        return false;
    }
    pthread_mutex_lock(&put->lock);
    enum comb_selected selected = comb_selection_judge(&put->selection, relative);
    pthread_mutex_unlock(&put->lock);
    free(relative);
    *ret_whole = selected == COMB_SELECTED_WHOLE;
    return selected != COMB_SELECTED_NOT;
}

static const char *kind_of(mode_t mode)
{
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return "a device";
}

static void take_entry(struct put_tree *put, struct folder *folder, const char *local,
                       const char *name, bool whole, const struct children *children)
{
    struct comb_tree *tree = &put->tree;
    struct stat info;
    const struct comb_v1_node *there = find_child(children, name);
    if (stat(local, &info) != 0) {
        struct stat link;
        bool dangling = (errno == ENOENT || errno == ELOOP) && lstat(local, &link) == 0 &&
                        S_ISLNK(link.st_mode);
        comb_tree_problem(tree, local, "%s", dangling ? "a link to nowhere" : strerror(errno));
    } else if (!comb_name_is_good(name)) {
        comb_tree_problem(tree, local, "its name is not UTF-8, and Comb keeps no other");
    } else if (S_ISDIR(info.st_mode)) {
        take_folder(put, folder, local, name, &info, whole, there);
    } else if (!whole) {
        comb_tree_problem(tree, local, "is no folder, and files below it are asked for");
    } else if (S_ISREG(info.st_mode)) {
        take_file(tree, folder, local, name, &info, there);
    } else {
        comb_tree_problem(tree, local, "%s, not a file", kind_of(info.st_mode));
    }
}

static void read_entries(struct put_tree *put, struct folder *folder, DIR *entries,
                         const struct children *children)
{
    struct dirent *entry;
    while ((entry = readdir(entries)) && !comb_tree_has_failed(&put->tree)) {
        bool whole = false;
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
            !is_selected(put, folder, name, &whole))
            continue;
        char *local = comb_tree_join(&put->tree, folder->local, name);
        if (local)
            take_entry(put, folder, local, name, whole, children);
        free(local);
    }
}

static void run_folder(struct comb_tree *tree, struct comb_tree_job *base, bool dropped)
{
    struct folder_job *job = (struct folder_job *)base;
    struct put_tree *put = tree->owner;
    struct folder *folder = job->folder;
    struct children children = {0};
    free(job);
    if (dropped)
        return;
    DIR *entries = opendir(folder->local);
    if (!entries) {
        comb_tree_problem(tree, folder->local, "%s", strerror(errno));
        return;
    }
    if (read_children(tree, folder, &children))
        read_entries(put, folder, entries, &children);
    closedir(entries);
    children_done(&children);
}

/* ---- the whole ---- */

/* The top: made with all that is missing above it; a workspace itself is there. */
static enum grpcc_status begin(struct put_tree *put, const char *local, const char *path,
                               struct grpcc_error *err)
{
    struct comb_tree *tree = &put->tree;
    struct stat info;
    if (stat(local, &info) != 0 || !S_ISDIR(info.st_mode))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s is no folder", local);
    if (path[0] != '/' || !path[1])
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "\"%.256s\": a path begins with a workspace, as in \"/personal/a\"",
                               path);
    struct folder *top = folder_new(put, NULL, local, path, &info);
    if (!top)
        return comb_error_memory(err);
    size_t n = strlen(top->remote);
    while (n > 1 && top->remote[n - 1] == '/')
        top->remote[--n] = '\0';
    top->whole = put->selection.all;
    if (strchr(top->remote + 1, '/')) {
        if (make_folder(tree, top, NULL, &info))
            push_folder(tree, top);
        return GRPCC_OK;
    }
    struct comb_v1_node *node = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(JOB_ARENA_MAX);
    enum grpcc_status status =
        arena ? comb_tree_stat(tree, arena, top->remote, &node, err) : comb_error_memory(err);
    if (!status && take_id(top, node))
        push_folder(tree, top);
    if (err)
        err->details = NULL; /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

static void name_missing(struct put_tree *put, const char *local)
{
    for (size_t i = 0; i < put->selection.n; i++) {
        char *path = put->selection.found[i]
                         ? NULL
                         : comb_tree_join(&put->tree, local, put->selection.paths[i]);
        if (path)
            comb_tree_problem(&put->tree, path, "there is no such file");
        free(path);
    }
}

static void put_done(struct put_tree *put)
{
    while (put->folders) {
        struct folder *folder = put->folders;
        put->folders = folder->next;
        free(folder->local);
        free(folder->remote);
        free(folder);
    }
    comb_selection_done(&put->selection);
    pthread_mutex_destroy(&put->lock);
    comb_tree_done(&put->tree);
}

enum grpcc_status comb_put_tree(struct comb_client *client, const char *local, const char *path,
                                const struct comb_tree_options *options,
                                struct comb_tree_report *ret_report, struct grpcc_error *err)
{
    struct put_tree put = {0};
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    comb_tree_init(&put.tree, client, options);
    put.tree.owner = &put;
    pthread_mutex_init(&put.lock, NULL);
    if (!comb_selection_init(&put.selection, put.tree.options.files))
        status = comb_error_memory(err);
    if (!status)
        status = begin(&put, local, path, err);
    if (!status)
        status = comb_tree_run(&put.tree, NULL, err);
    if (!status)
        name_missing(&put, local);
    if (!status && ret_report)
        *ret_report = put.tree.report;
    put_done(&put);
    return status;
}
