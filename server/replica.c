/* SPDX-License-Identifier: Apache-2.0 */
#include "server/replica.h"

#include <stdio.h>

#include "server/core/timestamp.h"
#include "server/registry/registry_rpc.h"

/* What a client may want to know before it chooses: the drivers, as "sql=postgres". */
static bool add_capabilities(const struct comb_replica *replica, struct grpcc_arena *arena,
                             struct comb_v1_registry_entry *entry)
{
    const struct comb_admin *info = replica->info;
    struct comb_admin_store *stores =
        grpcc_arena_calloc(arena, COMB_ADMIN_ROWS_MAX, sizeof *stores);
    size_t n = stores ? info->read_stores(info->view, stores) : 0;
    for (size_t i = 0; i < n; i++) {
        char *text = grpcc_arena_printf(arena, "%s=%s", stores[i].row, stores[i].status.driver);
        if (!text || !comb_v1_registry_entry_add_capabilities(arena, entry, text))
            return false;
    }
    return stores != NULL;
}

/* Steps of ten: an entry that changes with every call would be written with every heartbeat. */
static uint32_t coarse(uint64_t number)
{
    return (uint32_t)((number + 9) / 10 * 10);
}

static bool add_load(const struct comb_replica *replica, struct grpcc_arena *arena,
                     struct comb_v1_registry_entry *entry)
{
    struct grpcc_server_stats calls;
    grpcc_server_get_stats(replica->api, &calls);
    entry->load = comb_v1_registry_load_new(arena);
    if (!entry->load)
        return false;
    entry->load->calls_in_flight = coarse(calls.calls_in_flight);
    entry->load->connections = coarse(calls.connections);
    return true;
}

static comb_str tell_body(void *data, struct grpcc_arena *arena)
{
    const struct comb_replica *replica = data;
    const struct comb_admin *info = replica->info;
    struct comb_v1_registry_entry *entry = comb_v1_registry_entry_new(arena);
    if (!entry)
        return (comb_str){0};
    comb_v1_registry_entry_set_version(entry, COMB_VERSION);
    entry->installation_id = comb_uuid_text(arena, &info->installation);
    entry->start_time = comb_timestamp_new(arena, info->start_us);
    entry->draining = info->is_draining(info->data);
    if (!entry->installation_id || !entry->start_time ||
        !comb_v1_registry_entry_add_addresses(arena, entry, info->advertise) ||
        !comb_v1_registry_entry_add_admin_addresses(arena, entry, info->admin_listen) ||
        !add_capabilities(replica, arena, entry) || !add_load(replica, arena, entry))
        return (comb_str){0};
    return comb_registry_body(arena, entry);
}

enum comb_status comb_replica_announce(struct comb_replica *replica,
                                       struct comb_directory *directory,
                                       const struct comb_admin *info, struct grpcc_server *api,
                                       struct comb_error *err)
{
    *replica = (struct comb_replica){.directory = directory, .info = info, .api = api};
    comb_uuid_format(&info->replica, replica->id);
    const struct comb_directory_self self = {comb_str_from(replica->id), tell_body, replica};
    return comb_directory_announce(directory, &self, err);
}

void comb_replica_refresh(struct comb_replica *replica)
{
    if (replica->directory)
        comb_directory_refresh(replica->directory);
}

void comb_replica_withdraw(struct comb_replica *replica)
{
    if (replica->directory)
        comb_directory_withdraw(replica->directory);
    replica->directory = NULL;
}
