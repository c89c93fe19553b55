/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vault row: secrets by path, versioned. Drivers: json (a file, encrypted with a key of its
 * own); HashiCorp Vault comes beside it. The keys that sign tokens, seal page tokens and derive
 * secrets live here.
 *
 * All slots: any thread, may block, obey ctx's deadline.
 */
#ifndef COMB_VAULT_DRIVER_H
#define COMB_VAULT_DRIVER_H

#include "server/core/ctx.h"

struct comb_vault;

struct comb_vault_secret {
    comb_str value;   /* in ctx's arena, wiped with it */
    uint32_t version; /* 1, 2, … */
    int64_t create_us;
};

/* Longest path and value. */
#define COMB_VAULT_PATH_MAX 256
#define COMB_VAULT_VALUE_MAX 65536

struct comb_vault_driver {
    const char *name; /* the URL's scheme: "json" */
    uint32_t caps;
    /* version 0: the newest. NOT_FOUND is expected; a vault that is sealed or away is UNAVAILABLE,
     * never NOT_FOUND. */
    enum comb_status (*get)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                            uint32_t version, struct comb_vault_secret *ret_secret,
                            struct comb_error *err);
    /* Makes the next version. expected: the newest version before (0: none), ABORTED where it is
     * another: compare and set. Durable when it returns OK. */
    enum comb_status (*put)(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                            comb_str value, uint32_t expected, uint32_t *ret_version,
                            struct comb_error *err);
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
enum comb_status comb_vault_put(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                comb_str value, uint32_t expected, uint32_t *ret_version,
                                struct comb_error *err) COMB_MUST_CHECK;
void comb_vault_close(struct comb_vault *vault);

/* Opens "json:PATH": the file and, beside it, the key file PATH.key (mode 0600) are made at first
 * start. FAILED_PRECONDITION where the key file is missing, readable by others, or the wrong one.
 */
enum comb_status comb_vault_json_open(comb_str path, struct comb_vault **ret_vault,
                                      struct comb_error *err) COMB_MUST_CHECK;

/*
 * A key under a name: made at first use (32 random bytes), then always the same one. For the
 * sealer, the token signer, derived secrets. Blocks.
 */
enum comb_status comb_vault_key(struct comb_vault *vault, struct comb_ctx *ctx, comb_str name,
                                uint8_t ret_key[32], uint32_t *ret_version,
                                struct comb_error *err) COMB_MUST_CHECK;

#endif
