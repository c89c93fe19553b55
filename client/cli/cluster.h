/* SPDX-License-Identifier: Apache-2.0 */
/* What `comb cluster top` knows of an installation at one moment, and how it shows it. */
#ifndef COMB_CLI_CLUSTER_H
#define COMB_CLI_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What is more is left off, which the head of the table tells. */
enum {
    CLUSTER_REPLICAS_MAX = 64,
    CLUSTER_STORES_MAX = 16,
    CLUSTER_LEASES_MAX = 64,
    CLUSTER_BUCKETS_MAX = 64,
    CLUSTER_TEXT_MAX = 128,
};

/* A row of a replica, as that replica sees it. */
struct cluster_store {
    char row[16];
    char server[64]; /* "PostgreSQL 15.5" */
    char error[CLUSTER_TEXT_MAX];
    bool up;
    uint64_t requests, failures;
    uint32_t in_flight;
};

/* How many calls took at most so long, and longer than the bucket before. */
struct cluster_bucket {
    uint64_t max_us; /* UINT64_MAX: the last one */
    uint64_t calls;
};

struct cluster_replica {
    char id[65], address[CLUSTER_TEXT_MAX], admin[CLUSTER_TEXT_MAX], version[65];
    char error[CLUSTER_TEXT_MAX]; /* "": its administration answers, and what follows is there */
    bool draining;
    int64_t start_s; /* since 1970 */
    int64_t read_ms; /* when it answered, by a clock that does not jump */
    uint64_t started, failed, shed, in_flight, connections, queue, operations, lag;
    struct cluster_bucket buckets[CLUSTER_BUCKETS_MAX];
    size_t n_buckets; /* 0: it does not measure */
    struct cluster_store stores[CLUSTER_STORES_MAX];
    size_t n_stores;
};

/* Work that one replica at a time does. */
struct cluster_lease {
    char name[65], holder[65]; /* holder "": nobody */
    uint64_t lag, lag_ms, set_aside;
};

struct cluster_sample {
    bool stale; /* the registry's store is away */
    struct cluster_replica replicas[CLUSTER_REPLICAS_MAX];
    size_t n_replicas, n_left_off;
    struct cluster_lease leases[CLUSTER_LEASES_MAX];
    size_t n_leases;
    bool leases_known;
};

/* What happened between two samples of a replica, per second. */
struct cluster_rates {
    bool known;
    double calls, failed, shed;
    uint64_t p50_us,
        p99_us; /* 0: no calls, or it does not measure; UINT64_MAX: beyond the buckets */
};

/* `before` may be NULL or of another replica: then nothing is known. */
void cluster_rates(const struct cluster_replica *before, const struct cluster_replica *now,
                   struct cluster_rates *ret);
/* The replica of that id in a sample; NULL. */
const struct cluster_replica *cluster_find(const struct cluster_sample *sample, const char *id);

/* For people. `end` is put before each end of a line: what clears the rest of it, or "". */
void cluster_print(FILE *out, const struct cluster_sample *before, const struct cluster_sample *now,
                   const char *end);
/* For programs, one object a line. */
void cluster_print_json(FILE *out, const struct cluster_sample *before,
                        const struct cluster_sample *now);

#endif
