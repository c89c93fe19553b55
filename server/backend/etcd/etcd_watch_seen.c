/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/etcd/etcd_watch_seen.h"

/* etcd's limit of a request bounds its keys. */
enum { KEY_BYTES_MAX = COMB_ETCD_REQUEST_BYTES_MAX };
enum { EVENT_DELETE = 1 };

void etcd_seen_init(struct etcd_seen *seen)
{
    *seen = (struct etcd_seen){0};
    comb_map_init(&seen->versions, COMB_ETCD_WATCH_KEYS_MAX, NULL);
    comb_buf_init(&seen->last_key, KEY_BYTES_MAX);
}

void etcd_seen_done(struct etcd_seen *seen)
{
    comb_map_done(&seen->versions);
    comb_buf_done(&seen->last_key);
}

static bool remember(struct etcd_seen *seen, const struct etcdserverpb_key_value *kv)
{
    return comb_map_put(&seen->versions, comb_etcd_str(kv->key), (void *)(intptr_t)kv->version,
                        NULL) == COMB_OK;
}

static bool set_last(struct etcd_seen *seen, const struct etcdserverpb_key_value *kv,
                     bool was_delete)
{
    comb_buf_clear(&seen->last_key);
    seen->last_revision = kv->mod_revision;
    seen->last_was_delete = was_delete;
    return comb_buf_append(&seen->last_key, kv->key.data, kv->key.len);
}

enum comb_status etcd_seen_reset(struct etcd_seen *seen, struct etcdserverpb_key_value *const *kvs,
                                 size_t n, int64_t revision, uint64_t cluster,
                                 struct comb_error *err)
{
    const struct etcdserverpb_key_value *last = NULL;

    comb_map_clear(&seen->versions);
    seen->revision = seen->newest = revision;
    seen->cluster = cluster;
    seen->last_revision = 0;
    comb_buf_clear(&seen->last_key);
    for (size_t i = 0; i < n; i++) {
        if (!remember(seen, kvs[i]))
            return comb_error_no_memory(err);
        if (!last || kvs[i]->mod_revision > last->mod_revision)
            last = kvs[i];
    }
    if (last && !set_last(seen, last, false))
        return comb_error_no_memory(err);
    return COMB_OK;
}

enum etcd_seen_verdict etcd_seen_take(struct etcd_seen *seen,
                                      const struct etcdserverpb_event *event)
{
    const struct etcdserverpb_key_value *kv = event->kv;
    bool is_delete = event->type == EVENT_DELETE;

    if (!kv || kv->mod_revision < seen->newest)
        return kv && kv->mod_revision <= seen->revision ? ETCD_SEEN_BEFORE : ETCD_SEEN_GAP;
    if (kv->mod_revision <= seen->revision)
        return ETCD_SEEN_BEFORE;
    intptr_t known = (intptr_t)comb_map_get(&seen->versions, comb_etcd_str(kv->key));
    if (is_delete ? known == 0 : kv->version != known + 1)
        return ETCD_SEEN_GAP;
    if (is_delete)
        comb_map_remove(&seen->versions, comb_etcd_str(kv->key));
    else if (!remember(seen, kv))
        return ETCD_SEEN_GAP;
    if (!set_last(seen, kv, is_delete))
        return ETCD_SEEN_GAP;
    seen->newest = kv->mod_revision;
    return ETCD_SEEN_NEW;
}

void etcd_seen_advance(struct etcd_seen *seen)
{
    if (seen->newest > seen->revision)
        seen->revision = seen->newest;
}
