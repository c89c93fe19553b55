/* SPDX-License-Identifier: Apache-2.0 */
/* `comb cluster top`: the whole installation on one screen. */
#include "client/cli/cluster.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "comb/v1/admin.grpcc.h"
#include "comb/v1/registry.grpcc.h"

#define USAGE "comb cluster top [--once] [--interval SECONDS]"

/* How long a replica may take to tell; one that is frozen is shown as silent.
 */
enum { ASK_MS = 2000, PAGE_SIZE = 100, INTERVAL_S_DEFAULT = 2, INTERVAL_S_MAX = 3600 };

/* Where terminals go to the top, clear the rest of a line, and of the screen.
 */
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

/* The administration of a replica, which stays connected. */
struct link {
    char admin[CLUSTER_TEXT_MAX];
    struct comb_client *client;
};

struct top {
    struct cli *cli;
    struct grpcc_arena *arena; /* of one sample */
    struct link links[CLUSTER_REPLICAS_MAX];
    struct cluster_sample samples[2];
};

static void copy(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static int64_t steady_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- one replica ---- */

/* The client for an address of administration; a replica that is gone leaves
 * its place. NULL: *err says why. */
static struct comb_client *client_for(struct top *top, const char *admin, struct grpcc_error *err)
{
    const struct comb_client_options options = {
        .size = sizeof options,
        .timeout_ms = ASK_MS,
        .attempts_max = 1,
        .credentials_file = top->cli->credentials_file,
        .tls = top->cli->tls,
        .ca_file = top->cli->ca_file,
        .trust_servers = true,
        .pinned = true,
        .user_agent = "comb",
    };
    struct link *link = NULL;
    for (size_t i = 0; i < CLUSTER_REPLICAS_MAX; i++) {
        if (top->links[i].client && strcmp(top->links[i].admin, admin) == 0)
            return top->links[i].client;
        if (!link && !top->links[i].client)
            link = &top->links[i];
    }
    if (!link) {
        link = &top->links[0];
        comb_client_close(link->client);
        link->client = NULL;
    }
    copy(link->admin, sizeof link->admin, admin);
    return comb_client_open(admin, &options, &link->client, err) == GRPCC_OK ? link->client : NULL;
}

static uint64_t *number_of(struct cluster_replica *replica, const char *group, const char *name)
{
    const struct {
        const char *group, *name;
        uint64_t *number;
    } all[] = {
        {"calls", "started", &replica->started},
        {"calls", "failed", &replica->failed},
        {"calls", "shed", &replica->shed},
        {"calls", "in_flight", &replica->in_flight},
        {"calls", "connections", &replica->connections},
        {"calls", "queue_length", &replica->queue},
        {"operations", "running", &replica->operations},
        {"feed", "lag", &replica->lag},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i].group, group) == 0 && strcmp(all[i].name, name) == 0)
            return all[i].number;
    return NULL;
}

/* "le_5000": microseconds; "le_inf". */
static void add_bucket(struct cluster_replica *replica, const struct comb_v1_admin_counter *counter)
{
    if (replica->n_buckets == CLUSTER_BUCKETS_MAX || strncmp(counter->name, "le_", 3) != 0)
        return;
    struct cluster_bucket *bucket = &replica->buckets[replica->n_buckets++];
    bucket->max_us =
        strcmp(counter->name, "le_inf") == 0 ? UINT64_MAX : strtoull(counter->name + 3, NULL, 10);
    bucket->calls = counter->value;
}

static void take_statistics(struct cluster_replica *replica,
                            const struct comb_v1_admin_statistics_response *response)
{
    for (size_t i = 0; i < response->n_groups; i++) {
        const struct comb_v1_admin_statistics_group *group = response->groups[i];
        for (size_t j = 0; j < group->n_counters; j++) {
            uint64_t *number = number_of(replica, group->name, group->counters[j]->name);
            if (number)
                *number = group->counters[j]->value;
            else if (strcmp(group->name, "durations") == 0)
                add_bucket(replica, group->counters[j]);
        }
    }
}

static void take_stores(struct cluster_replica *replica,
                        const struct comb_v1_admin_stores_response *response)
{
    for (size_t i = 0; i < response->n_stores && i < CLUSTER_STORES_MAX; i++) {
        const struct comb_v1_admin_store *from = response->stores[i];
        struct cluster_store *store = &replica->stores[replica->n_stores++];
        copy(store->row, sizeof store->row, from->row);
        copy(store->server, sizeof store->server, from->server);
        copy(store->error, sizeof store->error, from->error);
        store->up = from->state == COMB_V1_ADMIN_STORE_STATE_UP;
        store->requests = from->requests;
        store->failures = from->failures;
        store->in_flight = from->in_flight;
    }
}

static void take_leases(struct cluster_sample *sample,
                        const struct comb_v1_admin_consumers_response *response)
{
    sample->leases_known = true;
    for (size_t i = 0; i < response->n_consumers && i < CLUSTER_LEASES_MAX; i++) {
        const struct comb_v1_admin_consumer *from = response->consumers[i];
        struct cluster_lease *lease = &sample->leases[sample->n_leases++];
        copy(lease->name, sizeof lease->name, from->name);
        copy(lease->holder, sizeof lease->holder, from->held ? from->holder_replica_id : "");
        lease->lag = from->lag_entries;
        lease->lag_ms = from->lag_ms;
        lease->set_aside = from->set_aside;
    }
}

/* A replica that was killed stays in the registry for a while, and another may have its address. */
static enum grpcc_status check_id(struct top *top, struct grpcc_channel *channel,
                                  const struct cluster_replica *replica, struct grpcc_error *err)
{
    struct comb_v1_admin_info_request *request = comb_v1_admin_info_request_new(top->arena);
    struct comb_v1_admin_info_response *info = NULL;
    if (!request)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    enum grpcc_status status = comb_v1_admin_info(channel, top->arena, NULL, request, &info, err);
    if (status == GRPCC_OK && strcmp(info->replica_id, replica->id) != 0)
        status = grpcc_error_set(err, GRPCC_UNAVAILABLE, "another replica answers there now");
    return status;
}

static enum grpcc_status ask(struct top *top, struct comb_client *client,
                             struct cluster_sample *sample, struct cluster_replica *replica,
                             struct grpcc_error *err)
{
    struct grpcc_channel *channel = comb_client_channel(client);
    struct comb_v1_admin_statistics_request *about_all =
        comb_v1_admin_statistics_request_new(top->arena);
    struct comb_v1_admin_stores_request *about_stores =
        comb_v1_admin_stores_request_new(top->arena);
    struct comb_v1_admin_consumers_request *about_leases =
        comb_v1_admin_consumers_request_new(top->arena);
    struct comb_v1_admin_statistics_response *statistics = NULL;
    struct comb_v1_admin_stores_response *stores = NULL;
    struct comb_v1_admin_consumers_response *leases = NULL;
    struct grpcc_error other = GRPCC_ERROR_INIT;
    if (!about_all || !about_stores || !about_leases)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory");
    enum grpcc_status status = check_id(top, channel, replica, err);
    if (status == GRPCC_OK)
        status = comb_v1_admin_statistics(channel, top->arena, NULL, about_all, &statistics, err);
    if (status == GRPCC_OK)
        status = comb_v1_admin_stores(channel, top->arena, NULL, about_stores, &stores, err);
    if (status != GRPCC_OK)
        return status;
    replica->read_ms = steady_ms();
    take_statistics(replica, statistics);
    take_stores(replica, stores);
    /* They are the installation's: one replica is enough, and without the sql row
     * none tells. */
    if (!sample->leases_known && comb_v1_admin_consumers(channel, top->arena, NULL, about_leases,
                                                         &leases, &other) == GRPCC_OK)
        take_leases(sample, leases);
    return GRPCC_OK;
}

static void add_replica(struct top *top, struct cluster_sample *sample,
                        const struct comb_v1_registry_entry *entry)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (sample->n_replicas == CLUSTER_REPLICAS_MAX) {
        sample->n_left_off++;
        return;
    }
    struct cluster_replica *replica = &sample->replicas[sample->n_replicas++];
    *replica = (struct cluster_replica){.draining = entry->draining};
    copy(replica->id, sizeof replica->id, entry->id);
    copy(replica->version, sizeof replica->version, entry->version);
    copy(replica->address, sizeof replica->address, entry->n_addresses ? entry->addresses[0] : "-");
    copy(replica->admin, sizeof replica->admin,
         entry->n_admin_addresses ? entry->admin_addresses[0] : "");
    replica->start_s = entry->start_time ? entry->start_time->seconds : 0;
    if (!replica->admin[0]) {
        copy(replica->error, sizeof replica->error, "it has no administration");
        return;
    }
    struct comb_client *client = client_for(top, replica->admin, &err);
    if (!client || ask(top, client, sample, replica, &err) != GRPCC_OK)
        copy(replica->error, sizeof replica->error, err.message[0] ? err.message : "no answer");
}

/* ---- the installation ---- */

static int take_sample(struct top *top, struct cluster_sample *sample)
{
    struct comb_v1_registry_list_response *response = NULL;
    struct comb_v1_registry_list_request *request;
    grpcc_arena_reset(top->arena);
    memset(sample, 0, sizeof *sample);
    request = comb_v1_registry_list_request_new(top->arena);
    if (!request)
        return cli_no_memory();
    comb_v1_registry_list_request_set_service(request, "comb");
    request->page_size = PAGE_SIZE;
    do {
        if (comb_v1_registry_list(cli_channel(top->cli), top->arena, NULL, request, &response,
                                  &top->cli->err) != GRPCC_OK)
            return cli_fail(top->cli, "registry");
        sample->stale = response->stale;
        for (size_t i = 0; i < response->n_entries; i++)
            add_replica(top, sample, response->entries[i]);
        comb_v1_registry_list_request_set_page_token(request, response->next_page_token);
    } while (response->next_page_token[0]);
    return CLI_OK;
}

/* Until it is interrupted, or the output is gone. */
static int show(struct top *top, bool once, unsigned interval_s)
{
    const bool screen = !once && !top->cli->json && isatty(STDOUT_FILENO);
    const struct cluster_sample *before = NULL;
    int status = CLI_OK;
    for (unsigned n = 0; status == CLI_OK && !ferror(stdout); n++) {
        struct cluster_sample *now = &top->samples[n % 2];
        status = take_sample(top, now);
        /* Rates need two samples, and who asks once wants rates. */
        if (status == CLI_OK && (before || !once)) {
            if (top->cli->json)
                cluster_print_json(stdout, before, now);
            else {
                fputs(screen ? HOME : "", stdout);
                cluster_print(stdout, before, now, screen ? CLEAR_LINE : "");
                fputs(screen ? CLEAR_BELOW : once ? "" : "\n", stdout);
            }
            fflush(stdout);
            if (once)
                break;
        }
        before = now;
        if (status == CLI_OK)
            poll(NULL, 0, (int)interval_s * 1000);
    }
    return status;
}

static int cluster_top(struct cli *cli, int argc, char **argv)
{
    const char *once = NULL, *interval = NULL;
    const struct cli_option options[] = {
        {"--once", false, &once}, {"--interval", true, &interval}, {NULL, false, NULL}};
    if (!cli_arguments(options, &argc, argv, 0, 0, USAGE))
        return CLI_USAGE;
    char *end = NULL;
    unsigned long interval_s = interval ? strtoul(interval, &end, 10)
                               : once   ? 1
                                        : INTERVAL_S_DEFAULT;
    if ((interval && (*end || end == interval)) || interval_s < 1 || interval_s > INTERVAL_S_MAX) {
        fprintf(stderr, "comb: --interval takes 1 to %d seconds\nusage: " USAGE "\n",
                INTERVAL_S_MAX);
        return CLI_USAGE;
    }
    if (!cli_connect(cli))
        return CLI_USAGE;
    struct top *top = calloc(1, sizeof *top);
    if (top)
        top->arena = grpcc_arena_new(0);
    if (!top || !top->arena) {
        free(top);
        return cli_no_memory();
    }
    top->cli = cli;
    int status = show(top, once != NULL, (unsigned)interval_s);
    for (size_t i = 0; i < CLUSTER_REPLICAS_MAX; i++)
        comb_client_close(top->links[i].client);
    grpcc_arena_free(top->arena);
    free(top);
    return status;
}

int cli_cluster(struct cli *cli, int argc, char **argv)
{
    static const struct cli_verb verbs[] = {{"top", cluster_top}, {NULL, NULL}};
    return cli_subverb(cli, verbs, "cluster", argc, argv);
}
