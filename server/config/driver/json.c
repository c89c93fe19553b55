/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The json driver: the whole document in memory, the whole file written with every change. A thread
 * waits for people who edit the file.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "server/config/driver/json_doc.h"
#include "server/config/driver/json_file.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"

static const char domain[] = "config.json";

/* Where the kernel tells nothing (file systems on a network), the file is looked at so often. */
enum { LOOK_MS = 2000 };
/* All of a file, parsed for a moment. */
enum { ARENA_MAX = 256 << 20 };

struct json_store {
    struct comb_config_store base;
    int wake; /* an eventfd: closing */
    int notify;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock; /* of all below */
    struct config_file file;
    json_t *doc;
    /* Not OK: the file was edited and is of no use; doc goes on, and nothing is written. */
    struct comb_error edit;
    struct comb_config_observer observer; /* everything NULL: none */
    bool untold;                          /* there was no memory to tell it everything */
    struct comb_store_status status;
};

static enum comb_status with_domain(enum comb_status status, struct comb_error *err)
{
    if (status != COMB_OK && err)
        err->domain = domain;
    return status;
}

/* ---- telling the observer ---- */

static void tell_everything_locked(struct json_store *store)
{
    struct grpcc_arena *arena = grpcc_arena_new(ARENA_MAX);
    struct comb_config_entries all;

    if (store->observer.everything)
        store->untold =
            !arena ||
            config_doc_list(store->doc, arena, STR("/"), (comb_str){0}, COMB_CONFIG_ENTRIES_MAX,
                            &all, NULL) != COMB_OK ||
            !store->observer.everything(store->observer.self, all.items, all.n, all.revision);
    grpcc_arena_free(arena);
}

static bool append_change(const json_t *doc, struct grpcc_arena *arena, const char *path,
                          struct comb_config_entry *entries, size_t *n)
{
    struct comb_error err;
    if (!config_doc_find(doc, arena, comb_str_from(path), &entries[*n], &err))
        return false;
    *n += entries[*n].revision == config_doc_revision(doc);
    return true;
}

/* What has the document's newest revision. */
static void tell_changes_locked(struct json_store *store)
{
    json_t *history = json_object_get(store->doc, "history"), *states;
    struct grpcc_arena *arena = grpcc_arena_new(ARENA_MAX);
    struct comb_config_entry *entries =
        arena ? grpcc_arena_calloc(arena, json_object_size(history) + 1, sizeof *entries) : NULL;
    size_t n = 0;
    const char *path;
    bool whole = entries != NULL;

    if (!store->observer.changed) {
        grpcc_arena_free(arena);
        return;
    }
    json_object_foreach(history, path, states)
    {
        json_t *last = json_array_get(states, json_array_size(states) - 1);
        if (whole && json_integer_value(json_object_get(last, "revision")) ==
                         config_doc_revision(store->doc))
            whole = append_change(store->doc, arena, path, entries, &n);
    }
    if (whole && n > 0)
        whole = store->observer.changed(store->observer.self, entries, n,
                                        config_doc_revision(store->doc));
    grpcc_arena_free(arena);
    if (!whole)
        tell_everything_locked(store);
}

static void set_state_locked(struct json_store *store, const struct comb_error *err)
{
    comb_store_status_set(&store->status, err ? COMB_STORE_DOWN : COMB_STORE_UP, err);
    if (store->observer.state)
        store->observer.state(store->observer.self, err);
}

/* ---- reading and writing the file ---- */

/* doc, which is taken, becomes the state once it is on disk. */
static enum comb_status save_locked(struct json_store *store, json_t *doc, struct comb_error *err)
{
    char *text = config_doc_text(doc);
    enum comb_status status = text ? config_file_write(&store->file, comb_str_from(text), err)
                                   : comb_error_no_memory(err);

    free(text);
    /* Where it is open which file a loss of power leaves, memory goes with the likelier one. */
    if (status != COMB_OK && !err->ambiguous) {
        json_decref(doc);
        return status;
    }
    json_decref(store->doc);
    store->doc = doc;
    return status;
}

static enum comb_status read_locked(struct json_store *store, struct grpcc_arena *arena,
                                    json_t **ret_doc, struct comb_error *err)
{
    comb_str text = {0};
    enum comb_status status = config_file_read(&store->file, arena, &text, err);

    *ret_doc = NULL;
    if (status == COMB_OK && text.ptr)
        status = config_doc_parse(text, store->file.path, ret_doc, err);
    return status;
}

/* Takes over what people have written into the file. */
static enum comb_status take_edit_locked(struct json_store *store, struct grpcc_arena *arena,
                                         struct comb_error *err)
{
    json_t *read = NULL, *next = NULL;
    enum comb_status status = read_locked(store, arena, &read, err);

    if (status == COMB_OK && !read)
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "the file is gone: put its copy (.bak) back: %s", store->file.path);
    if (status == COMB_OK)
        status = config_doc_merge(store->doc, read, comb_clock_wall_us(), &next, err);
    json_decref(read);
    if (status == COMB_OK && next) {
        status = save_locked(store, next, err);
        if (status == COMB_OK) {
            comb_log(COMB_LOG_INFO, domain, "the file was edited",
                     comb_log_integer("revision", config_doc_revision(store->doc)));
            tell_changes_locked(store);
        }
    }
    return status;
}

/* Looks whether the file was edited. An edit that is of no use changes nothing but store->edit. */
static void look_locked(struct json_store *store)
{
    struct comb_error err = {0};

    if (store->untold)
        tell_everything_locked(store);
    if (!config_file_has_changed(&store->file))
        return;
    struct grpcc_arena *arena = grpcc_arena_new(ARENA_MAX);
    enum comb_status status =
        arena ? take_edit_locked(store, arena, &err) : comb_error_no_memory(&err);
    grpcc_arena_free(arena);
    store->edit = err;
    if (status != COMB_OK) {
        store->edit.domain = domain;
        comb_log_error(COMB_LOG_ERROR, domain,
                       "the file was edited and cannot be used; what was "
                       "before holds",
                       &store->edit);
    }
    set_state_locked(store, status != COMB_OK ? &store->edit : NULL);
}

static void *look_all(void *data)
{
    struct json_store *store = data;
    struct pollfd fds[] = {{.fd = store->wake, .events = POLLIN},
                           {.fd = store->notify, .events = POLLIN}};
    char events[4096];

    for (;;) {
        (void)!poll(fds, 2, LOOK_MS);
        if (fds[0].revents)
            return NULL;
        if (fds[1].revents)
            (void)!read(store->notify, events, sizeof events);
        pthread_mutex_lock(&store->lock);
        look_locked(store);
        pthread_mutex_unlock(&store->lock);
    }
}

/* ---- slots ---- */

static enum comb_status json_get(struct comb_config_store *self, struct comb_ctx *ctx,
                                 comb_str path, struct comb_config_entry *ret_entry,
                                 struct comb_error *err)
{
    struct json_store *store = (struct json_store *)self;
    struct comb_config_entry entry = {0};
    struct comb_error local = {0};

    pthread_mutex_lock(&store->lock);
    store->status.requests++;
    look_locked(store);
    bool found = config_doc_find(store->doc, ctx->arena, path, &entry, &local);
    pthread_mutex_unlock(&store->lock);
    if (!found && local.status != COMB_OK)
        return comb_error_no_memory(err);
    if (!found || !entry.value.ptr)
        return with_domain(
            comb_error_set(err, COMB_NOT_FOUND, 0, "%.*s has no value", COMB_STR_ARG(path)), err);
    *ret_entry = entry;
    return COMB_OK;
}

static enum comb_status json_list(struct comb_config_store *self, struct comb_ctx *ctx,
                                  comb_str prefix, comb_str after, size_t limit,
                                  struct comb_config_entries *ret_entries, struct comb_error *err)
{
    struct json_store *store = (struct json_store *)self;

    pthread_mutex_lock(&store->lock);
    store->status.requests++;
    look_locked(store);
    enum comb_status status =
        config_doc_list(store->doc, ctx->arena, prefix, after, limit, ret_entries, err);
    pthread_mutex_unlock(&store->lock);
    return with_domain(status, err);
}

static enum comb_status may_write_locked(struct json_store *store, struct comb_error *err)
{
    store->status.requests++;
    look_locked(store);
    if (store->edit.status != COMB_OK)
        *err = store->edit;
    return store->edit.status;
}

static enum comb_status apply_locked(struct json_store *store,
                                     const struct comb_config_batch *batch,
                                     struct comb_config_outcome *ret_outcome,
                                     struct comb_error *err)
{
    struct comb_config_outcome outcome = {0};
    json_t *next = NULL;
    enum comb_status status = may_write_locked(store, err);

    if (status == COMB_OK)
        status = config_doc_apply(store->doc, batch, comb_clock_wall_us(), &next, &outcome, err);
    if (status == COMB_OK && next)
        status = save_locked(store, next, err);
    if (status == COMB_OK && next)
        tell_changes_locked(store);
    if (status == COMB_OK)
        *ret_outcome = outcome;
    return status;
}

static enum comb_status json_apply(struct comb_config_store *self, struct comb_ctx *ctx,
                                   const struct comb_config_batch *batch,
                                   struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    (void)ctx; /* a deadline ends no write to a local file */
    struct json_store *store = (struct json_store *)self;
    struct comb_error local = {0};

    pthread_mutex_lock(&store->lock);
    enum comb_status status = apply_locked(store, batch, ret_outcome, &local);
    store->status.failures += status != COMB_OK;
    pthread_mutex_unlock(&store->lock);
    if (status != COMB_OK && err)
        *err = local;
    return with_domain(status, err);
}

static enum comb_status json_history(struct comb_config_store *self, struct comb_ctx *ctx,
                                     comb_str path, int64_t before, size_t limit,
                                     struct comb_config_entries *ret_entries,
                                     struct comb_error *err)
{
    struct json_store *store = (struct json_store *)self;

    pthread_mutex_lock(&store->lock);
    store->status.requests++;
    look_locked(store);
    enum comb_status status =
        config_doc_history(store->doc, ctx->arena, path, before, limit, ret_entries, err);
    pthread_mutex_unlock(&store->lock);
    return with_domain(status, err);
}

static enum comb_status json_mark(struct comb_config_store *self, struct comb_ctx *ctx,
                                  comb_str name, uint64_t value, uint64_t *ret_highest,
                                  struct comb_error *err)
{
    (void)ctx;
    struct json_store *store = (struct json_store *)self;
    struct comb_error local = {0};
    json_t *next = NULL;

    pthread_mutex_lock(&store->lock);
    enum comb_status status = may_write_locked(store, &local);
    if (status == COMB_OK)
        status = config_doc_raise_mark(store->doc, name, value, &next, ret_highest, &local);
    if (status == COMB_OK && next)
        status = save_locked(store, next, &local);
    pthread_mutex_unlock(&store->lock);
    if (status != COMB_OK && err)
        *err = local;
    return with_domain(status, err);
}

static enum comb_status json_watch(struct comb_config_store *self,
                                   const struct comb_config_observer *observer,
                                   struct comb_error *err)
{
    struct json_store *store = (struct json_store *)self;
    (void)err;

    pthread_mutex_lock(&store->lock);
    store->observer = observer ? *observer : (struct comb_config_observer){0};
    tell_everything_locked(store);
    set_state_locked(store, store->edit.status != COMB_OK ? &store->edit : NULL);
    pthread_mutex_unlock(&store->lock);
    return COMB_OK;
}

static enum comb_status json_check(struct comb_config_store *self, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    (void)ctx;
    struct json_store *store = (struct json_store *)self;
    struct comb_error local = {0};

    pthread_mutex_lock(&store->lock);
    enum comb_status status = may_write_locked(store, &local);
    char *text = config_doc_text(store->doc);
    if (status == COMB_OK)
        status = text ? config_file_try(&store->file, comb_str_from(text), &local)
                      : comb_error_no_memory(&local);
    free(text);
    comb_store_status_set(&store->status, status == COMB_OK ? COMB_STORE_UP : COMB_STORE_DOWN,
                          status == COMB_OK ? NULL : &local);
    pthread_mutex_unlock(&store->lock);
    if (status != COMB_OK && err)
        *err = local;
    return with_domain(status, err);
}

static void json_status(struct comb_config_store *self, struct comb_store_status *ret_status)
{
    struct json_store *store = (struct json_store *)self;

    pthread_mutex_lock(&store->lock);
    *ret_status = store->status;
    pthread_mutex_unlock(&store->lock);
}

static void json_close(struct comb_config_store *self)
{
    struct json_store *store = (struct json_store *)self;

    if (store->has_thread) {
        (void)!eventfd_write(store->wake, 1);
        pthread_join(store->thread, NULL);
    }
    if (store->wake >= 0)
        close(store->wake);
    if (store->notify >= 0)
        close(store->notify);
    json_decref(store->doc);
    config_file_close(&store->file);
    pthread_mutex_destroy(&store->lock);
    comb_memory_free(store);
}

static const struct comb_config_driver driver = {.name = "json",
                                                 .caps = 0,
                                                 .get = json_get,
                                                 .list = json_list,
                                                 .apply = json_apply,
                                                 .history = json_history,
                                                 .mark = json_mark,
                                                 .watch = json_watch,
                                                 .check = json_check,
                                                 .status = json_status,
                                                 .close = json_close};

/* ---- open ---- */

/* What the file holds; edits since the server wrote it last become a revision. */
static enum comb_status load(struct json_store *store, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(ARENA_MAX);
    json_t *read = NULL, *next = NULL;
    enum comb_status status =
        arena ? read_locked(store, arena, &read, err) : comb_error_no_memory(err);

    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    store->doc = read ? read : config_doc_new();
    if (!store->doc)
        return comb_error_no_memory(err);
    status = config_doc_merge(store->doc, store->doc, comb_clock_wall_us(), &next, err);
    return status == COMB_OK && next ? save_locked(store, next, err) : status;
}

static enum comb_status start(struct json_store *store, struct comb_error *err)
{
    store->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    store->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (store->wake < 0 || store->notify < 0 ||
        inotify_add_watch(store->notify, store->file.folder,
                          IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) < 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "cannot watch %s: raise the limits of open files and of inotify",
                              store->file.folder);
    if (pthread_create(&store->thread, NULL, look_all, store) != 0)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for %s",
                              store->file.path);
    store->has_thread = true;
    return COMB_OK;
}

enum comb_status comb_config_json_open(const struct comb_store_options *options,
                                       struct comb_config_store **ret_store, struct comb_error *err)
{
    struct json_store *store = comb_memory_zalloc(sizeof *store);
    struct comb_error local = {0};
    comb_str path = options->url;

    if (!store)
        return comb_error_no_memory(err);
    if (comb_str_starts_with(path, STR("json:")))
        path = comb_str_of(path.ptr + 5, path.len - 5);
    store->base.driver = &driver;
    store->wake = store->notify = store->file.lock = -1;
    store->status = (struct comb_store_status){.driver = driver.name};
    pthread_mutex_init(&store->lock, NULL);
    enum comb_status status = config_file_open(path, &store->file, &local);
    if (status == COMB_OK)
        status = load(store, &local);
    if (status == COMB_OK)
        status = start(store, &local);
    if (status == COMB_OK) {
        comb_store_status_set(&store->status, COMB_STORE_UP, NULL);
        *ret_store = &store->base;
        return COMB_OK;
    }
    json_close(&store->base);
    if (err)
        *err = local;
    return with_domain(status, err);
}
