/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "server/registry/registry_driver.h"

/* They become parts of keys and of URLs: a small alphabet spares all of them the escaping. */
static enum comb_status check_name(const char *what, comb_str name, struct comb_error *err)
{
    bool good = name.len > 0 && name.len <= COMB_REGISTRY_NAME_BYTES_MAX;
    for (size_t i = 0; i < name.len && good; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        good = c < 0x80 && (isalnum(c) || (c != '\0' && strchr("-_.", c)));
    }
    if (good)
        return COMB_OK;
    return comb_error_field(err, what, "must be 1 to %d letters, digits, \"-\", \"_\" or \".\"",
                            COMB_REGISTRY_NAME_BYTES_MAX);
}

static enum comb_status check_key(const struct comb_ctx *ctx, comb_str service, comb_str id,
                                  struct comb_error *err)
{
    enum comb_status status = check_name("service", service, err);
    if (status == COMB_OK)
        status = check_name("id", id, err);
    return status == COMB_OK ? comb_ctx_check(ctx, err) : status;
}

enum comb_status comb_registry_put(struct comb_registry *registry, struct comb_ctx *ctx,
                                   const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                   uint32_t *ret_ttl_ms, struct comb_error *err)
{
    enum comb_status status = check_key(ctx, entry->service, entry->id, err);
    uint32_t granted_ms = 0;
    if (status != COMB_OK)
        return status;
    if (ttl_ms < COMB_REGISTRY_TTL_MS_MIN || ttl_ms > COMB_REGISTRY_TTL_MS_MAX)
        return comb_error_field(err, "ttl_ms", "must be %d to %d", COMB_REGISTRY_TTL_MS_MIN,
                                COMB_REGISTRY_TTL_MS_MAX);
    if (entry->body.len > COMB_REGISTRY_BODY_BYTES_MAX)
        return comb_error_field(err, "entry", "must have at most %d bytes",
                                COMB_REGISTRY_BODY_BYTES_MAX);
    status = registry->driver->put(registry, ctx, entry, ttl_ms, &granted_ms, err);
    if (status == COMB_OK) {
        assert(granted_ms >= ttl_ms);
        *ret_ttl_ms = granted_ms;
    }
    return status;
}

enum comb_status comb_registry_heartbeat(struct comb_registry *registry, struct comb_ctx *ctx,
                                         comb_str service, comb_str id, struct comb_error *err)
{
    enum comb_status status = check_key(ctx, service, id, err);
    return status == COMB_OK ? registry->driver->heartbeat(registry, ctx, service, id, err)
                             : status;
}

enum comb_status comb_registry_remove(struct comb_registry *registry, struct comb_ctx *ctx,
                                      comb_str service, comb_str id, struct comb_error *err)
{
    enum comb_status status = check_key(ctx, service, id, err);
    return status == COMB_OK ? registry->driver->remove(registry, ctx, service, id, err) : status;
}

enum comb_status comb_registry_watch(struct comb_registry *registry,
                                     const struct comb_registry_watcher *watcher,
                                     struct comb_error *err)
{
    return registry->driver->watch(registry, watcher, err);
}

void comb_registry_unwatch(struct comb_registry *registry)
{
    registry->driver->unwatch(registry);
}

enum comb_status comb_registry_check(struct comb_registry *registry, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    enum comb_status status = comb_ctx_check(ctx, err);
    return status == COMB_OK ? registry->driver->check(registry, ctx, err) : status;
}

void comb_registry_status(struct comb_registry *registry, struct comb_store_status *ret_status)
{
    registry->driver->status(registry, ret_status);
}

void comb_registry_close(struct comb_registry *registry)
{
    if (registry)
        registry->driver->close(registry);
}
