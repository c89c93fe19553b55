/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault row: secrets by path, versioned. Drivers: json (a file, sealed with a key of its own)
 * and vault (HashiCorp Vault). The keys that sign tokens, seal page tokens and derive secrets
 * live here, credentials of other rows may, and what administrators keep.
 *
 * Versions count from 1 and are never given again. A version may be deleted, which hides its value,
 * undeleted, and destroyed, which is for good. Of a version that is deleted or destroyed, `get`
 * says NOT_FOUND; a vault that is sealed or away is UNAVAILABLE, never NOT_FOUND.
 *
 * All slots: any thread, may block, obey ctx's deadline. What they return lives in ctx's arena,
 * values are wiped with it.
 */
#ifndef COMB_VAULT_DRIVER_H
#define COMB_VAULT_DRIVER_H

#include "server/core/store.h"

struct comb_vault;

/* Longest path, part of it between "/" (stores keep a part as a file's name, sealed), value, and
 * request id; bytes. */
#define COMB_VAULT_PATH_MAX 256
#define COMB_VAULT_PART_MAX 100
#define COMB_VAULT_VALUE_MAX 65536
#define COMB_VAULT_REQUEST_ID_MAX 64
/* Versions named in one change, and names of one page. */
#define COMB_VAULT_CHANGES_MAX 100
#define COMB_VAULT_LIST_MAX 1000

struct comb_vault_secret {
    comb_str value;
    comb_str request_id; /* of the put that made the version; empty: none */
    uint32_t version;    /* 1, 2, … */
    int64_t create_us;   /* wall clock of the store */
};

struct comb_vault_version {
    uint32_t version;
    int64_t create_us;
    int64_t delete_us; /* 0: not deleted */
    bool destroyed;    /* its value is gone for good */
};

struct comb_vault_put {
    comb_str value;
    uint32_t expected;   /* the newest version so far, deleted ones too; 0: there is none */
    comb_str request_id; /* kept with the version, so that a repetition is known; may be empty */
};

/* A page of a folder: "name" of a secret, "name/" of a folder, in bytewise order. */
struct comb_vault_names {
    comb_str *names;
    size_t n;
    bool more;     /* after the last one */
    comb_str last; /* where the next page goes on; set by comb_vault_list() */
};

enum comb_vault_change { COMB_VAULT_DELETE, COMB_VAULT_UNDELETE, COMB_VAULT_DESTROY };

struct comb_vault_driver {
    const char *name; /* the URL's scheme: "json" */
    uint32_t caps;
    /* version 0: the newest. NOT_FOUND is expected. */
    enum comb_status (*get)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                            uint32_t version, struct comb_vault_secret *ret_secret,
                            struct comb_error *err);
    /* Makes version put->expected + 1. ABORTED where the newest one is another: compare and set.
     * Durable when it returns OK; err->ambiguous where it may have been made. A crash leaves the
     * version whole or not at all. */
    enum comb_status (*put)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                            const struct comb_vault_put *put, uint32_t *ret_version,
                            struct comb_error *err);
    /* The versions that the store knows of, oldest first; a store may forget the oldest. NOT_FOUND:
     * there never was such a secret. */
    enum comb_status (*versions)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                                 struct comb_vault_version **ret_versions, size_t *ret_n,
                                 struct comb_error *err);
    /* Names right below folder ("" or "a/b") that come after `after`, at most limit. A folder that
     * is not there is empty. Secrets whose versions are all deleted are listed too. */
    enum comb_status (*list)(struct comb_vault *self, struct comb_ctx *ctx, comb_str folder,
                             comb_str after, size_t limit, struct comb_vault_names *ret_names,
                             struct comb_error *err);
    /* Versions that there are not, or that are so already, are passed over: repeating is harmless.
     * NOT_FOUND: no such secret. Durable when it returns OK. */
    enum comb_status (*change)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                               enum comb_vault_change change, const uint32_t *versions,
                               size_t n_versions, struct comb_error *err);
    /* As server/core/store.h says. */
    enum comb_status (*check)(struct comb_vault *self, struct comb_ctx *ctx,
                              struct comb_error *err);
    void (*status)(struct comb_vault *self, struct comb_store_status *ret_status);
    /* No call may be running. */
    void (*close)(struct comb_vault *self);
};
/* caps: other processes see the same secrets. */
#define COMB_VAULT_CAP_SHARED 1u

struct comb_vault {
    const struct comb_vault_driver *driver;
};

enum comb_status comb_vault_get(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                uint32_t version, struct comb_vault_secret *ret_secret,
                                struct comb_error *err) COMB_MUST_CHECK;
/* Without a request id. */
enum comb_status comb_vault_put(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                comb_str value, uint32_t expected, uint32_t *ret_version,
                                struct comb_error *err) COMB_MUST_CHECK;
/* A repetition, known by its request id, answers the version that it made before; with another
 * value comb_vault_reused(). */
enum comb_status comb_vault_put_once(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                     const struct comb_vault_put *put, uint32_t *ret_version,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* INVALID_ARGUMENT, REQUEST_ID_REUSED. */
enum comb_status comb_vault_reused(struct comb_error *err);
enum comb_status comb_vault_versions(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                     struct comb_vault_version **ret_versions, size_t *ret_n,
                                     struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_list(struct comb_vault *vault, struct comb_ctx *ctx, comb_str folder,
                                 comb_str after, size_t limit, struct comb_vault_names *ret_names,
                                 struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_change(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                   enum comb_vault_change change, const uint32_t *versions,
                                   size_t n_versions, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_vault_check(struct comb_vault *vault, struct comb_ctx *ctx,
                                  struct comb_error *err) COMB_MUST_CHECK;
void comb_vault_status(struct comb_vault *vault, struct comb_store_status *ret_status);
void comb_vault_close(struct comb_vault *vault);

/*
 * Opens "json:PATH": the file and, without credentials, the key file PATH.key (mode 0600) beside it
 * are made at first start. Credentials are a passphrase, which takes the key file's place. Both a
 * key file and a passphrase: the vault is sealed with the passphrase from then on. PATH.key.next:
 * the key to change to (README). FAILED_PRECONDITION where key or passphrase are missing or the
 * wrong ones, or the key file is readable by others.
 */
enum comb_status comb_vault_json_open(const struct comb_store_options *options,
                                      struct comb_vault **ret_vault,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Opens "vault://HOST:PORT/MOUNT"; credentials: a token, or "ROLE_ID:SECRET_ID". All of it is in
 * the driver's README. */
enum comb_status comb_vault_hashivault_open(const struct comb_store_options *options,
                                            struct comb_vault **ret_vault,
                                            struct comb_error *err) COMB_MUST_CHECK;

/*
 * A key under a name: made at first use (32 random bytes), then always the same one. For the
 * sealer, the token signer, derived secrets. Blocks.
 */
enum comb_status comb_vault_key(struct comb_vault *vault, struct comb_ctx *ctx, comb_str name,
                                uint8_t ret_key[32], uint32_t *ret_version,
                                struct comb_error *err) COMB_MUST_CHECK;

/*
 * What "PATH#KEY" refers to, as credentials of another row do: the member KEY, a string, of the
 * newest version of the secret at PATH, which is a JSON object; or all of the secret where the
 * reference has no "#". In ctx's arena, wiped with it. NOT_FOUND, INVALID_ARGUMENT (and what get
 * says), with what to do.
 */
enum comb_status comb_vault_reference(struct comb_vault *vault, struct comb_ctx *ctx,
                                      comb_str reference, comb_str *ret_value,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* Whether a path is the server's own, which its service must not show or change. */
bool comb_vault_path_is_reserved(comb_str path);

/* For drivers: from now on the process' jansson wipes memory when it gives it back, since it copies
 * what it reads and writes. Call before parsing or writing secrets, any number of times. */
void comb_vault_wipe_json(void);
/* For drivers: a copy in arena that is wiped with it; NULL: no room. */
char *comb_vault_dup_secret(struct grpcc_arena *arena, const void *data,
                            size_t size) COMB_MUST_CHECK;

#endif
