/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of replicas, asked for through any one of them by a call like all others: it is repeated
 * on another replica, and carries the session. Only one answer is under way at a time.
 */
#include <string.h>

#include "client/lib/internal.h"
#include "comb/v1/registry.grpcc.h"

/* The first time a little after the client was opened: a program that makes one call and ends does
 * not need it. While it cannot be had it is asked for more and more rarely; soon after a replica
 * failed. */
enum {
    FIRST_MS = 200,
    HURRY_MS = 300,
    INTERVAL_MS_DEFAULT = 5000,
    FAILED_MS_MAX = 60000,
    CALL_MS = 5000,
    PAGE_SIZE = 1000,
    BYTES_MAX = 4 << 20
};
/* As server/registry enters replicas. */
static const char REPLICA_SERVICE[] = "comb";

struct inquiry {
    struct comb_client *client;
    struct grpcc_arena *arena;
};

/* ---- which addresses may be used ---- */

static bool is_loopback(const char *target)
{
    return strncmp(target, "127.", 4) == 0 || strncmp(target, "[::1]", 5) == 0 ||
           strncmp(target, "localhost:", 10) == 0 || strncmp(target, "unix:", 5) == 0;
}

static bool names_loopback(const char *servers)
{
    while (*servers) {
        if (is_loopback(servers))
            return true;
        servers += strcspn(servers, ", ");
        servers += strspn(servers, ", ");
    }
    return false;
}

/* HOST:PORT that is no wildcard. An address of "this machine" means another one than the replica's
 * unless the program itself reaches Comb there: tokens must not go to whoever listens here. */
static bool is_usable(const struct comb_client *client, const char *address)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1] || strpbrk(address, ", "))
        return false;
    if (is_loopback(address))
        return names_loopback(client->servers);
    return !strchr(address, '/') && strncmp(address, "0.0.0.0:", 8) != 0 &&
           strncmp(address, "[::]:", 5) != 0;
}

/* The first address of an entry that may be used; NULL: none. */
static const char *address_of(const struct comb_client *client,
                              const struct comb_v1_registry_entry *entry)
{
    for (size_t i = 0; i < entry->n_addresses; i++)
        if (is_usable(client, entry->addresses[i]))
            return entry->addresses[i];
    return NULL;
}

/* ---- answers ---- */

static void apply(struct comb_client *client, const struct comb_v1_registry_list_response *response)
{
    const char *targets[COMB_REPLICAS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < response->n_entries && n < COMB_REPLICAS_MAX; i++) {
        const struct comb_v1_registry_entry *entry = response->entries[i];
        const char *target = entry->draining || strcmp(entry->service, REPLICA_SERVICE) != 0
                                 ? NULL
                                 : address_of(client, entry);
        if (target)
            targets[n++] = target;
    }
    /* Without one address that can be reached from here there is nothing to choose from. */
    comb_replicas_update(client, targets, n,
                         n == 0 || response->stale || *response->next_page_token);
}

/* Around ms, so that clients do not ask all at once. */
static int64_t about_ns(int64_t ns)
{
    return ns - ns / 10 + (int64_t)(comb_random32() % 1000) * (ns / 5000);
}

static void answered(void *data, enum grpcc_status status,
                     struct comb_v1_registry_list_response *response, const struct grpcc_error *err)
{
    struct inquiry *inquiry = data;
    struct comb_client *client = inquiry->client;
    struct comb_discovery *discovery = &client->discovery;
    int64_t wait_ns = discovery->interval_ns;
    (void)err;
    atomic_fetch_add(&client->counters.discoveries, 1);
    if (status == GRPCC_OK) {
        apply(client, response);
        atomic_store(&discovery->failures, 0);
    } else {
        unsigned failures = atomic_fetch_add(&discovery->failures, 1);
        int64_t max_ns = FAILED_MS_MAX * COMB_NS_PER_MS;
        while (failures-- > 0 && wait_ns < max_ns)
            wait_ns *= 2;
        wait_ns = wait_ns < max_ns ? wait_ns : max_ns;
        atomic_fetch_add(&client->counters.discoveries_failed, 1);
    }
    atomic_store(&discovery->next_ns, comb_now_ns() + about_ns(wait_ns));
    atomic_store(&discovery->running, false);
    grpcc_arena_free(inquiry->arena);
    free(inquiry);
    comb_client_unref(client);
}

/* ---- questions ---- */

void comb_discovery_init(struct comb_client *client, const struct comb_client_options *options)
{
    struct comb_discovery *discovery = &client->discovery;
    int64_t interval_ms = options->discovery_ms > 0 ? options->discovery_ms : INTERVAL_MS_DEFAULT;
    discovery->interval_ns = interval_ms * COMB_NS_PER_MS;
    /* A name service keeps its own list. */
    discovery->on = !options->pinned && !strstr(client->servers, ":///");
    atomic_store(&discovery->next_ns, comb_now_ns() + FIRST_MS * COMB_NS_PER_MS);
}

void comb_discovery_tick(struct comb_client *client, int64_t now_ns)
{
    struct comb_discovery *discovery = &client->discovery;
    if (!discovery->on || atomic_load(&discovery->next_ns) > now_ns ||
        !comb_session_has_token(&client->session) || atomic_exchange(&discovery->running, true))
        return;
    struct inquiry *inquiry = calloc(1, sizeof(*inquiry));
    struct grpcc_arena *arena = grpcc_arena_new(BYTES_MAX);
    struct comb_v1_registry_list_request *request =
        arena ? comb_v1_registry_list_request_new(arena) : NULL;
    if (!inquiry || !request) {
        free(inquiry);
        grpcc_arena_free(arena);
        atomic_store(&discovery->next_ns, now_ns + discovery->interval_ns);
        atomic_store(&discovery->running, false);
        return;
    }
    *inquiry = (struct inquiry){comb_client_ref(client), arena};
    comb_v1_registry_list_request_set_service(request, REPLICA_SERVICE);
    request->page_size = PAGE_SIZE;
    struct grpcc_call_options options = {.size = sizeof(options), .timeout_ms = CALL_MS};
    comb_v1_registry_list_start(client->channel, arena, &options, request, answered, inquiry, NULL);
}

void comb_discovery_hurry(struct comb_client *client)
{
    struct comb_discovery *discovery = &client->discovery;
    int64_t soon_ns = comb_now_ns() + HURRY_MS * COMB_NS_PER_MS;
    if (atomic_load(&discovery->failures) == 0 && atomic_load(&discovery->next_ns) > soon_ns)
        atomic_store(&discovery->next_ns, soon_ns);
}
