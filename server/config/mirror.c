/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/mirror.h"

#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/log.h"
#include "server/core/memory.h"

static const char domain[] = "config";

void config_mirror_init(struct config_mirror *mirror, void (*wake)(void *data), void *data)
{
    *mirror = (struct config_mirror){.wake = wake, .data = data, .stale = true};
    pthread_mutex_init(&mirror->lock, NULL);
    comb_map_init(&mirror->entries, 2 * COMB_CONFIG_ENTRIES_MAX, comb_memory_free);
}

void config_mirror_done(struct config_mirror *mirror)
{
    for (size_t i = 0; i < COMB_CONFIG_RECENT_MAX; i++)
        comb_memory_free(mirror->recent[i]);
    comb_map_done(&mirror->entries);
    pthread_mutex_destroy(&mirror->lock);
}

/* ---- what the store tells ---- */

static comb_str put_text(char **at, comb_str text)
{
    char *begin = *at;
    if (!text.ptr)
        return text;
    if (text.len > 0)
        memcpy(begin, text.ptr, text.len);
    begin[text.len] = '\0';
    *at = begin + text.len + 1;
    return comb_str_of(begin, text.len);
}

static struct config_kept *keep(const struct comb_config_entry *entry)
{
    struct config_kept *kept =
        comb_memory_alloc(sizeof *kept + entry->path.len + entry->value.len + entry->actor.len + 3);
    if (!kept)
        return NULL;
    char *at = kept->texts;
    kept->entry = *entry;
    kept->sequence = 0;
    kept->entry.path = put_text(&at, entry->path);
    kept->entry.value = put_text(&at, entry->value);
    kept->entry.actor = put_text(&at, entry->actor);
    return kept;
}

static bool set_locked(struct config_mirror *mirror, const struct comb_config_entry *entry)
{
    if (!entry->value.ptr) {
        comb_map_remove(&mirror->entries, entry->path);
        return true;
    }
    struct config_kept *kept = keep(entry);
    if (kept && comb_map_put(&mirror->entries, entry->path, kept, NULL) == COMB_OK)
        return true;
    comb_memory_free(kept);
    return false;
}

/* Without memory the mirror says that it knows nothing, rather than something wrong. */
static void fail_locked(struct config_mirror *mirror)
{
    comb_log(COMB_LOG_ERROR, domain, "the configuration does not fit into memory",
             comb_log_integer("entries", (int64_t)mirror->entries.n));
    mirror->known = false;
    mirror->stale = true;
}

static bool on_everything(void *self, const struct comb_config_entry *entries, size_t n,
                          int64_t revision)
{
    struct config_mirror *mirror = self;

    pthread_mutex_lock(&mirror->lock);
    comb_map_clear(&mirror->entries);
    mirror->known = true;
    mirror->anew = ++mirror->sequence;
    mirror->revision = mirror->anew_revision = revision;
    for (size_t i = 0; i < n && mirror->known; i++) {
        if (!set_locked(mirror, &entries[i]))
            fail_locked(mirror);
    }
    bool known = mirror->known;
    pthread_mutex_unlock(&mirror->lock);
    mirror->wake(mirror->data);
    return known;
}

static bool on_changed(void *self, const struct comb_config_entry *entries, size_t n,
                       int64_t revision)
{
    struct config_mirror *mirror = self;

    pthread_mutex_lock(&mirror->lock);
    for (size_t i = 0; i < n && mirror->known; i++) {
        struct config_kept *change = keep(&entries[i]);
        if (!change || !set_locked(mirror, &entries[i])) {
            comb_memory_free(change);
            fail_locked(mirror);
            break;
        }
        change->sequence = ++mirror->sequence;
        struct config_kept **place = &mirror->recent[change->sequence % COMB_CONFIG_RECENT_MAX];
        comb_memory_free(*place);
        *place = change;
    }
    mirror->revision = revision;
    bool known = mirror->known;
    pthread_mutex_unlock(&mirror->lock);
    mirror->wake(mirror->data);
    return known;
}

static void on_state(void *self, const struct comb_error *err)
{
    struct config_mirror *mirror = self;

    pthread_mutex_lock(&mirror->lock);
    mirror->stale = err != NULL;
    pthread_mutex_unlock(&mirror->lock);
    mirror->wake(mirror->data);
}

struct comb_config_observer config_mirror_observer(struct config_mirror *mirror)
{
    return (struct comb_config_observer){
        .everything = on_everything, .changed = on_changed, .state = on_state, .self = mirror};
}

/* ---- reading ---- */

static bool copy_text(struct grpcc_arena *arena, comb_str text, comb_str *ret_text)
{
    if (!text.ptr)
        return true;
    ret_text->ptr = comb_str_dup(arena, text);
    ret_text->len = text.len;
    return ret_text->ptr != NULL;
}

bool config_entry_copy(struct grpcc_arena *arena, const struct comb_config_entry *entry,
                       struct comb_config_entry *ret_entry)
{
    struct comb_config_entry copy = *entry;

    if (!copy_text(arena, entry->path, &copy.path) ||
        !copy_text(arena, entry->value, &copy.value) ||
        !copy_text(arena, entry->actor, &copy.actor))
        return false;
    *ret_entry = copy;
    return true;
}

bool config_path_is_at(comb_str path, comb_str at)
{
    return comb_str_starts_with(path, at) &&
           (at.len == 0 || path.len == at.len || path.ptr[at.len] == '/');
}

static enum comb_status check_known_locked(const struct config_mirror *mirror,
                                           struct comb_error *err)
{
    if (mirror->known)
        return COMB_OK;
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "the configuration's store has not answered since this server started");
    if (err)
        err->retryable = true;
    return COMB_UNAVAILABLE;
}

static enum comb_status get_locked(struct config_mirror *mirror, struct grpcc_arena *arena,
                                   comb_str path, struct comb_config_entry *ret_entry,
                                   struct comb_error *err)
{
    enum comb_status status = check_known_locked(mirror, err);
    const struct config_kept *kept = comb_map_get(&mirror->entries, path);

    if (status != COMB_OK)
        return status;
    if (!kept)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "%.*s has no value", COMB_STR_ARG(path));
    return config_entry_copy(arena, &kept->entry, ret_entry) ? COMB_OK : comb_error_no_memory(err);
}

enum comb_status config_mirror_get(struct config_mirror *mirror, struct grpcc_arena *arena,
                                   comb_str path, struct comb_config_entry *ret_entry,
                                   struct comb_error *err)
{
    pthread_mutex_lock(&mirror->lock);
    enum comb_status status = get_locked(mirror, arena, path, ret_entry, err);
    pthread_mutex_unlock(&mirror->lock);
    return status;
}

static int by_path(const void *a, const void *b)
{
    const struct config_kept *const *first = a, *const *second = b;
    return strcmp((*first)->entry.path.ptr, (*second)->entry.path.ptr);
}

static enum comb_status list_locked(struct config_mirror *mirror, struct grpcc_arena *arena,
                                    comb_str path, bool with_self, comb_str after, size_t limit,
                                    struct comb_config_entries *ret_entries, struct comb_error *err)
{
    enum comb_status status = check_known_locked(mirror, err);
    struct comb_map_cursor cursor = {0};
    const struct config_kept **found =
        grpcc_arena_calloc(arena, mirror->entries.n + 1, sizeof(struct config_kept *));
    struct comb_config_entry *items = grpcc_arena_calloc(arena, limit + 1, sizeof *items);
    size_t n = 0, bytes = 0, i = 0;
    comb_str key;
    void *value;

    if (status != COMB_OK)
        return status;
    if (!found || !items)
        return comb_error_no_memory(err);
    while (comb_map_next(&mirror->entries, &cursor, &key, &value)) {
        if (config_path_is_at(key, path) && (with_self || key.len > path.len) &&
            (after.len == 0 || comb_str_compare(key, after) > 0))
            found[n++] = value;
    }
    qsort(found, n, sizeof found[0], by_path);
    for (; i < n && i < limit; i++) {
        bytes += found[i]->entry.value.len;
        if (i > 0 && bytes > COMB_CONFIG_PAGE_BYTES_MAX)
            break;
        if (!config_entry_copy(arena, &found[i]->entry, &items[i]))
            return comb_error_no_memory(err);
    }
    *ret_entries = (struct comb_config_entries){
        .items = items, .n = i, .more = i < n, .revision = mirror->revision};
    return COMB_OK;
}

enum comb_status config_mirror_list(struct config_mirror *mirror, struct grpcc_arena *arena,
                                    comb_str path, bool with_self, comb_str after, size_t limit,
                                    struct comb_config_entries *ret_entries, struct comb_error *err)
{
    pthread_mutex_lock(&mirror->lock);
    enum comb_status status =
        list_locked(mirror, arena, path, with_self, after, limit, ret_entries, err);
    pthread_mutex_unlock(&mirror->lock);
    return status;
}
