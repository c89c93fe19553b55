/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HashiCorp Vault over HTTP: log-in and renewal, sealed or not, native errors. Knows no engine but
 * what it checks at the operator's wish; the driver of the vault row stands on it.
 *
 * A thread of its own keeps the token alive: it is renewed after two thirds of its lease, and an
 * AppRole logs in again where Vault grants less than it did at log-in (a token's life has an end).
 */
#ifndef COMB_BACKEND_HASHIVAULT_H
#define COMB_BACKEND_HASHIVAULT_H

#include <jansson.h>

#include "server/core/store.h"

struct comb_hashivault;

/* What Vault answered: 200 and 204, 400, 404. Everything else is an error. */
struct comb_hashivault_answer {
    long code;
    json_t *body; /* the caller's to json_decref(); NULL: none */
};

/*
 * options->url is "vault://HOST[:PORT][,…]/MOUNT[?tls=1&ca=PATH&cert=PATH&key=PATH]", the paths
 * being those of PEM files; options->credentials a token or "ROLE_ID:SECRET_ID". Asks nobody yet.
 * INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
 */
enum comb_status comb_hashivault_open(const struct comb_store_options *options,
                                      struct comb_hashivault **ret_vault,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. */
void comb_hashivault_close(struct comb_hashivault *vault);
/* "secret/comb": where the engine is mounted. */
comb_str comb_hashivault_mount(const struct comb_hashivault *vault);

/*
 * Blocks. Target is what follows "/v1/", escaped. body: NULL, or sent as JSON; borrowed. A token
 * that Vault does not know any more is replaced, once, where there is an AppRole. Errors as the
 * table in hashivault_error.c; err->ambiguous as comb_http_call() says.
 */
enum comb_status comb_hashivault_call(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                      const char *method, comb_str target, const json_t *body,
                                      struct comb_hashivault_answer *ret_answer,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Whether an answer's "errors" hold text. */
bool comb_hashivault_says(const struct comb_hashivault_answer *answer, const char *text);
/* An answer that its caller has no use for, as an error. */
enum comb_status comb_hashivault_refuse(const struct comb_hashivault_answer *answer,
                                        struct comb_error *err);

/* Sealed? Token or AppRole? A KV engine of version 2 at the mount, and the rights that it takes to
 * work there? Says what to do. */
enum comb_status comb_hashivault_check(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* Never blocks. */
void comb_hashivault_status(struct comb_hashivault *vault, struct comb_store_status *ret_status);

#endif
