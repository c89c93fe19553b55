/* SPDX-License-Identifier: Apache-2.0 */
/* How `comb cluster top` shows what it knows. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "client/cli/cli.h"
#include "client/cli/cluster.h"

/* Of an id people need what tells it from others: its end. */
enum { ID_SHOWN = 8 };
/* Of a number as text. */
enum { TEXT_SIZE = 32 };

const struct cluster_replica *cluster_find(const struct cluster_sample *sample, const char *id)
{
    for (size_t i = 0; sample && i < sample->n_replicas; i++)
        if (strcmp(sample->replicas[i].id, id) == 0)
            return &sample->replicas[i];
    return NULL;
}

/* The upper bound of the bucket in which the call is that so many of a hundred are faster than. */
static uint64_t quantile_us(const struct cluster_replica *before, const struct cluster_replica *now,
                            unsigned percent)
{
    uint64_t all = 0, so_far = 0;
    for (size_t i = 0; i < now->n_buckets; i++)
        all += now->buckets[i].calls - before->buckets[i].calls;
    for (size_t i = 0; i < now->n_buckets && all > 0; i++) {
        so_far += now->buckets[i].calls - before->buckets[i].calls;
        if (so_far * 100 >= all * percent)
            return now->buckets[i].max_us;
    }
    return 0;
}

static double per_second(uint64_t before, uint64_t now, double seconds)
{
    return now > before ? (double)(now - before) / seconds : 0;
}

void cluster_rates(const struct cluster_replica *before, const struct cluster_replica *now,
                   struct cluster_rates *ret)
{
    *ret = (struct cluster_rates){0};
    if (!before || before->error[0] || now->error[0] || now->read_ms <= before->read_ms ||
        strcmp(before->id, now->id) != 0)
        return;
    double seconds = (double)(now->read_ms - before->read_ms) / 1000;
    ret->known = true;
    ret->calls = per_second(before->started, now->started, seconds);
    ret->failed = per_second(before->failed, now->failed, seconds);
    ret->shed = per_second(before->shed, now->shed, seconds);
    if (now->n_buckets == before->n_buckets) {
        ret->p50_us = quantile_us(before, now, 50);
        ret->p99_us = quantile_us(before, now, 99);
    }
}

/* ---- for people ---- */

static const char *short_id(const char *id)
{
    size_t length = strlen(id);
    return length > ID_SHOWN ? id + length - ID_SHOWN : length ? id : "-";
}

static const char *span_text(char text[TEXT_SIZE], uint64_t us)
{
    if (us == 0)
        return "-";
    if (us == UINT64_MAX)
        return "long";
    if (us < 1000)
        snprintf(text, TEXT_SIZE, "%" PRIu64 " us", us);
    else if (us < 1000000)
        snprintf(text, TEXT_SIZE, "%.4g ms", (double)us / 1000);
    else
        snprintf(text, TEXT_SIZE, "%.3g s", (double)us / 1000000);
    return text;
}

static const char *age_text(char text[TEXT_SIZE], int64_t seconds)
{
    if (seconds < 0)
        seconds = 0;
    if (seconds < 120)
        snprintf(text, TEXT_SIZE, "%" PRId64 " s", seconds);
    else if (seconds < 2 * 3600)
        snprintf(text, TEXT_SIZE, "%" PRId64 " min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(text, TEXT_SIZE, "%" PRId64 " h", seconds / 3600);
    else
        snprintf(text, TEXT_SIZE, "%" PRId64 " d", seconds / 86400);
    return text;
}

static const char *rate_text(char text[TEXT_SIZE], const struct cluster_rates *rates, double rate)
{
    if (!rates->known)
        return "-";
    snprintf(text, TEXT_SIZE, "%.1f", rate);
    return text;
}

static void print_replica(FILE *out, const struct cluster_sample *before,
                          const struct cluster_replica *now, const char *end)
{
    char up[TEXT_SIZE], calls[TEXT_SIZE], failed[TEXT_SIZE], p50[TEXT_SIZE], p99[TEXT_SIZE];
    struct cluster_rates rates;
    cluster_rates(cluster_find(before, now->id), now, &rates);
    fprintf(out, "%-9s %-21s ", short_id(now->id), cli_name(now->address));
    if (now->error[0]) {
        fprintf(out, "silent   %s%s\n", cli_name(now->error), end);
        return;
    }
    fprintf(out, "%-8s %7s %9s %8s %7" PRIu64 " %9s %9s %6" PRIu64 " %6" PRIu64 " %6" PRIu64 "%s\n",
            now->draining ? "drains" : "serves", age_text(up, (int64_t)time(NULL) - now->start_s),
            rate_text(calls, &rates, rates.calls),
            rate_text(failed, &rates, rates.failed + rates.shed), now->in_flight,
            span_text(p50, rates.p50_us), span_text(p99, rates.p99_us), now->lag, now->operations,
            now->connections, end);
}

/* A row of all replicas: how many reach its store, and what they ask of it. */
struct row_sum {
    const char *server, *error;
    unsigned seen, up;
    double requests, failures;
    uint64_t in_flight;
};

static const struct cluster_store *find_store(const struct cluster_replica *replica,
                                              const char *row)
{
    for (size_t i = 0; replica && i < replica->n_stores; i++)
        if (strcmp(replica->stores[i].row, row) == 0)
            return &replica->stores[i];
    return NULL;
}

static void add_store(struct row_sum *sum, const struct cluster_replica *before,
                      const struct cluster_replica *now, const struct cluster_store *store)
{
    const struct cluster_store *earlier = find_store(before, store->row);
    sum->seen++;
    sum->up += store->up;
    sum->in_flight += store->in_flight;
    if (store->server[0])
        sum->server = store->server;
    if (!store->up && store->error[0])
        sum->error = store->error;
    if (earlier && now->read_ms > before->read_ms) {
        double seconds = (double)(now->read_ms - before->read_ms) / 1000;
        sum->requests += per_second(earlier->requests, store->requests, seconds);
        sum->failures += per_second(earlier->failures, store->failures, seconds);
    }
}

static void sum_row(const struct cluster_sample *before, const struct cluster_sample *now,
                    const char *row, struct row_sum *ret)
{
    *ret = (struct row_sum){.server = "", .error = ""};
    for (size_t i = 0; i < now->n_replicas; i++) {
        const struct cluster_replica *replica = &now->replicas[i];
        const struct cluster_store *store = find_store(replica, row);
        if (store && !replica->error[0])
            add_store(ret, cluster_find(before, replica->id), replica, store);
    }
}

/* The first replica that answers names the rows; all of an installation have the same. */
static const struct cluster_replica *any_replica(const struct cluster_sample *sample)
{
    for (size_t i = 0; i < sample->n_replicas; i++)
        if (!sample->replicas[i].error[0])
            return &sample->replicas[i];
    return NULL;
}

static void print_stores(FILE *out, const struct cluster_sample *before,
                         const struct cluster_sample *now, const char *end)
{
    const struct cluster_replica *any = any_replica(now);
    fprintf(out, "%s\n%-9s %-30s %6s %11s %9s %8s%s\n", end, "STORE", "SERVER", "UP ON",
            "REQUESTS/S", "FAILED/S", "RUNNING", end);
    for (size_t i = 0; any && i < any->n_stores; i++) {
        struct row_sum sum;
        sum_row(before, now, any->stores[i].row, &sum);
        fprintf(out, "%-9s %-30.30s %3u of %u %9.1f %9.1f %8" PRIu64 "%s%s%s\n", any->stores[i].row,
                cli_name(sum.server), sum.up, sum.seen, sum.requests, sum.failures, sum.in_flight,
                sum.up < sum.seen ? "  " : "", sum.up < sum.seen ? cli_name(sum.error) : "", end);
    }
}

static void print_leases(FILE *out, const struct cluster_sample *now, const char *end)
{
    fprintf(out, "%s\n%-25s %-9s %9s %9s %9s%s\n", end, "LEASE", "HOLDER", "BEHIND", "SINCE",
            "SET ASIDE", end);
    if (!now->leases_known)
        fprintf(out, "no replica tells%s\n", end);
    for (size_t i = 0; i < now->n_leases; i++) {
        const struct cluster_lease *lease = &now->leases[i];
        char since[TEXT_SIZE], behind[TEXT_SIZE];
        snprintf(behind, sizeof behind, "%" PRIu64 "%s", lease->lag,
                 lease->lag >= CLI_LAG_MAX ? "+" : "");
        fprintf(out, "%-25s %-9s %9s %9s %9" PRIu64 "%s\n", cli_name(lease->name),
                short_id(lease->holder), behind,
                lease->lag ? span_text(since, lease->lag_ms * 1000) : "-", lease->set_aside, end);
    }
}

void cluster_print(FILE *out, const struct cluster_sample *before, const struct cluster_sample *now,
                   const char *end)
{
    char text[32];
    time_t seconds = time(NULL);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    fprintf(out, "%s  %zu replica%s%s%s\n", text, now->n_replicas, now->n_replicas == 1 ? "" : "s",
            now->stale ? ", as last known: the registry's store is away" : "", end);
    if (now->n_left_off)
        fprintf(out, "%zu more are not shown%s\n", now->n_left_off, end);
    fprintf(out, "%s\n%-9s %-21s %-8s %7s %9s %8s %7s %9s %9s %6s %6s %6s%s\n", end, "REPLICA",
            "ADDRESS", "STATE", "UP", "CALLS/S", "FAILED/S", "RUNNING", "P50", "P99", "LAG", "OPS",
            "CONNS", end);
    for (size_t i = 0; i < now->n_replicas; i++)
        print_replica(out, before, &now->replicas[i], end);
    print_stores(out, before, now, end);
    print_leases(out, now, end);
}

/* ---- for programs ---- */

static void put_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\":\"", name);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < 0x20)
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

static void put_stores(FILE *out, const struct cluster_replica *replica)
{
    fputs(",\"stores\":[", out);
    for (size_t i = 0; i < replica->n_stores; i++) {
        const struct cluster_store *store = &replica->stores[i];
        fputs(i ? ",{" : "{", out);
        put_text(out, "row", store->row);
        fprintf(out, ",\"up\":%s,\"requests\":%" PRIu64 ",\"failures\":%" PRIu64 ",\"running\":%u,",
                store->up ? "true" : "false", store->requests, store->failures, store->in_flight);
        put_text(out, "server", store->server);
        fputc(',', out);
        put_text(out, "error", store->up ? "" : store->error);
        fputc('}', out);
    }
    fputc(']', out);
}

static void put_replica(FILE *out, const struct cluster_sample *before,
                        const struct cluster_replica *now)
{
    struct cluster_rates rates;
    cluster_rates(cluster_find(before, now->id), now, &rates);
    fputc('{', out);
    put_text(out, "id", now->id);
    fputc(',', out);
    put_text(out, "address", now->address);
    fputc(',', out);
    put_text(out, "admin", now->admin);
    fprintf(out, ",\"answers\":%s,\"draining\":%s", now->error[0] ? "false" : "true",
            now->draining ? "true" : "false");
    if (now->error[0]) {
        fputc(',', out);
        put_text(out, "error", now->error);
    } else {
        fprintf(out,
                ",\"running\":%" PRIu64 ",\"connections\":%" PRIu64 ",\"lag\":%" PRIu64
                ",\"operations\":%" PRIu64 ",\"calls\":%" PRIu64 ",\"failed\":%" PRIu64,
                now->in_flight, now->connections, now->lag, now->operations, now->started,
                now->failed);
        put_stores(out, now);
    }
    if (rates.known)
        fprintf(out, ",\"callsPerSecond\":%.3f,\"failedPerSecond\":%.3f", rates.calls,
                rates.failed + rates.shed);
    if (rates.p99_us && rates.p99_us != UINT64_MAX)
        fprintf(out, ",\"p50Us\":%" PRIu64 ",\"p99Us\":%" PRIu64, rates.p50_us, rates.p99_us);
    fputc('}', out);
}

void cluster_print_json(FILE *out, const struct cluster_sample *before,
                        const struct cluster_sample *now)
{
    fprintf(out, "{\"stale\":%s,\"replicas\":[", now->stale ? "true" : "false");
    for (size_t i = 0; i < now->n_replicas; i++) {
        if (i)
            fputc(',', out);
        put_replica(out, before, &now->replicas[i]);
    }
    fputs("],\"leases\":[", out);
    for (size_t i = 0; i < now->n_leases; i++) {
        fputs(i ? ",{" : "{", out);
        put_text(out, "name", now->leases[i].name);
        fputc(',', out);
        put_text(out, "holder", now->leases[i].holder);
        fprintf(out, ",\"lagEntries\":%" PRIu64 ",\"lagMs\":%" PRIu64 ",\"setAside\":%" PRIu64 "}",
                now->leases[i].lag, now->leases[i].lag_ms, now->leases[i].set_aside);
    }
    fputs("]}\n", out);
}
