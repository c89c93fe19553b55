/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration row: JSON values by path, each with the revision that set it, and what they
 * were before. Drivers: json (a file that people may edit), etcd.
 *
 * There is one counter of revisions for all paths; it only grows, and may leave numbers out. All
 * slots but `status`: any thread, may block, obey ctx's deadline. A store that is away is
 * UNAVAILABLE, never NOT_FOUND; err->ambiguous where a write may have happened: the same request
 * key tells.
 */
#ifndef COMB_CONFIG_DRIVER_H
#define COMB_CONFIG_DRIVER_H

#include "server/core/hash.h"
#include "server/core/store.h"

struct comb_config_store;

/* "/a/b": parts of letters, digits, "-", "_" and ".", not "." and not "..". */
#define COMB_CONFIG_PATH_BYTES_MAX 512
#define COMB_CONFIG_PATH_DEPTH_MAX 16
/* One value as JSON text, and how deep its arrays and objects may lie in each other. */
#define COMB_CONFIG_VALUE_BYTES_MAX 65536
#define COMB_CONFIG_VALUE_DEPTH_MAX 32
/* Paths of one call, and their values together: with their history they fit into a transaction of
 * etcd (128 operations, 1.5 MiB). */
#define COMB_CONFIG_CHANGES_MAX 32
#define COMB_CONFIG_CALL_BYTES_MAX (512 * 1024)
/* Paths that have a value. */
#define COMB_CONFIG_ENTRIES_MAX 10000
/* States of one path that are kept, the present one included. */
#define COMB_CONFIG_HISTORY_MAX 32
/* Who did it, as text; what is longer is cut. */
#define COMB_CONFIG_ACTOR_BYTES_MAX 128
/* A request key and a mark's name. */
#define COMB_CONFIG_REQUEST_BYTES_MAX 256
#define COMB_CONFIG_MARK_BYTES_MAX 64

/* One path at one revision. */
struct comb_config_entry {
    comb_str path;
    comb_str value;   /* compact JSON with sorted keys; ptr NULL: there is none any more */
    int64_t revision; /* that set or deleted it */
    int64_t time_us;  /* wall clock; 0: not known */
    comb_str actor;   /* login; "file": edited by hand; "": not known */
};

struct comb_config_entries {
    const struct comb_config_entry *items;
    size_t n;
    bool more;        /* behind the last one */
    int64_t revision; /* of all paths, when they were read */
};

struct comb_config_change {
    comb_str path;
    comb_str value;    /* ptr NULL: delete */
    bool compare_only; /* change nothing, but see to it that `expected` holds */
    bool has_expected;
    int64_t expected; /* the path's revision before; 0: it has no value */
};

struct comb_config_batch {
    const struct comb_config_change *changes; /* of different paths */
    size_t n;
    comb_str actor;
    /* Who asks for what: the same key gives the first outcome again for 24 hours. */
    comb_str request;
    uint8_t hash[COMB_SHA256_SIZE]; /* of the request */
};

struct comb_config_outcome {
    int64_t revision; /* of all paths of the batch */
    bool replayed;    /* done before, by the same request */
};

/* Called one after the other, on a thread of the driver's or of who writes; must not call the store
 * and not block. What they are given lives until they return. Who returns false has no memory for
 * it, and is told everything again. */
struct comb_config_observer {
    /* First, and whenever the driver cannot say what happened meanwhile. */
    bool (*everything)(void *self, const struct comb_config_entry *entries, size_t n,
                       int64_t revision);
    /* In the order of revisions, each once. */
    bool (*changed)(void *self, const struct comb_config_entry *entries, size_t n,
                    int64_t revision);
    /* NULL: what was told is current. Else the store is away, and why. */
    void (*state)(void *self, const struct comb_error *err);
    void *self;
};

struct comb_config_driver {
    const char *name; /* the URL's scheme: "json" */
    uint32_t caps;
    /* NOT_FOUND is expected. Linearizable. The entry lives in ctx's arena, as all that is returned.
     */
    enum comb_status (*get)(struct comb_config_store *self, struct comb_ctx *ctx, comb_str path,
                            struct comb_config_entry *ret_entry, struct comb_error *err);
    /* A page of the paths that begin with prefix, which ends with "/", behind `after` ("": from the
     * first), in the order of their bytes. Linearizable. */
    enum comb_status (*list)(struct comb_config_store *self, struct comb_ctx *ctx, comb_str prefix,
                             comb_str after, size_t limit, struct comb_config_entries *ret_entries,
                             struct comb_error *err);
    /*
     * All changes at one revision, or none. Durable when it returns OK. FAILED_PRECONDITION, reason
     * ETAG_MISMATCH, with the path as subject: an `expected` does not hold. INVALID_ARGUMENT,
     * reason REQUEST_ID_REUSED: the request key was used with another hash. ABORTED, reason
     * CONTENTION. Deleting without `expected` what is not there is no error. A crash leaves all or
     * nothing.
     */
    enum comb_status (*apply)(struct comb_config_store *self, struct comb_ctx *ctx,
                              const struct comb_config_batch *batch,
                              struct comb_config_outcome *ret_outcome, struct comb_error *err);
    /* What path was, newest first, below revision `before` (0: from the newest). None is no error.
     */
    enum comb_status (*history)(struct comb_config_store *self, struct comb_ctx *ctx, comb_str path,
                                int64_t before, size_t limit,
                                struct comb_config_entries *ret_entries, struct comb_error *err);
    /* A number that never falls, such as the highest incarnation of another row: raises the mark to
     * value where that is more, and gives what it is then; value 0 only asks. */
    enum comb_status (*mark)(struct comb_config_store *self, struct comb_ctx *ctx, comb_str name,
                             uint64_t value, uint64_t *ret_highest, struct comb_error *err);
    /* From now on the observer is told; NULL: it is not called any more when this has returned. One
     * at a time; observer is copied. */
    enum comb_status (*watch)(struct comb_config_store *self,
                              const struct comb_config_observer *observer, struct comb_error *err);
    /* As server/core/store.h says. */
    enum comb_status (*check)(struct comb_config_store *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    void (*status)(struct comb_config_store *self, struct comb_store_status *ret_status);
    /* No call may be running. */
    void (*close)(struct comb_config_store *self);
};
/* caps: other processes see and change the same values. */
#define COMB_CONFIG_CAP_SHARED 1u

struct comb_config_store {
    const struct comb_config_driver *driver;
};

/* The slots, with arguments, deadline and results checked. */
enum comb_status comb_config_store_get(struct comb_config_store *store, struct comb_ctx *ctx,
                                       comb_str path, struct comb_config_entry *ret_entry,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_list(struct comb_config_store *store, struct comb_ctx *ctx,
                                        comb_str prefix, comb_str after, size_t limit,
                                        struct comb_config_entries *ret_entries,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_apply(struct comb_config_store *store, struct comb_ctx *ctx,
                                         const struct comb_config_batch *batch,
                                         struct comb_config_outcome *ret_outcome,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_history(struct comb_config_store *store, struct comb_ctx *ctx,
                                           comb_str path, int64_t before, size_t limit,
                                           struct comb_config_entries *ret_entries,
                                           struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_mark(struct comb_config_store *store, struct comb_ctx *ctx,
                                        comb_str name, uint64_t value, uint64_t *ret_highest,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_watch(struct comb_config_store *store,
                                         const struct comb_config_observer *observer,
                                         struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_store_check(struct comb_config_store *store, struct comb_ctx *ctx,
                                         struct comb_error *err) COMB_MUST_CHECK;
void comb_config_store_status(struct comb_config_store *store,
                              struct comb_store_status *ret_status);
void comb_config_store_close(struct comb_config_store *store);

/* A path as above. */
bool comb_config_path_is_valid(comb_str path);
/* As a path, with "/" at its end, or "/" alone. */
bool comb_config_prefix_is_valid(comb_str prefix);

/* The drivers; server/config/driver/README.md says what their URLs look like. */
enum comb_status comb_config_json_open(const struct comb_store_options *options,
                                       struct comb_config_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_config_etcd_open(const struct comb_store_options *options,
                                       struct comb_config_store **ret_store,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
