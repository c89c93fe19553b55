/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real HashiCorp Vault on a loopback port of its own (vault_slim/main.go), with a KV engine of
 * version 2 at "kv", AppRole, and the policy that Comb's README gives. Kill, freeze and thaw it by
 * its process (store_process.h); after a kill it comes back sealed.
 */
#ifndef TESTS_SUPPORT_VAULT_SERVER_H
#define TESTS_SUPPORT_VAULT_SERVER_H

#include "tests/support/store_process.h"

struct vault_server {
    struct store_process process;
    int port;
    char url[64];         /* "vault://127.0.0.1:PORT/kv" */
    char root_token[128]; /* may everything */
    char unseal_key[128];
    char app_role[256];      /* "ROLE_ID:SECRET_ID" with the policy "comb" */
    const char *role_ttl_s;  /* of the AppRole's tokens, "5"; set before the first start */
    const char *role_most_s; /* the end of their life */
};

/* Starts it: initialised, unsealed and set up at first, else sealed. */
void vault_server_start(struct vault_server *server);
void vault_server_unseal(struct vault_server *server);
void vault_server_seal(struct vault_server *server);
/* POSTs body (JSON) to /v1/path as root; fails on any answer but 2xx. */
void vault_server_post(struct vault_server *server, const char *path, const char *body);
/* Waits for a new engine of version 2, which is not ready at once. */
void vault_server_await_engine(struct vault_server *server, const char *mount);
/* A new token with a policy, "comb" or one that the test has made. In text. */
void vault_server_token(struct vault_server *server, const char *policy, char ret_text[128]);
/* Stops it where it runs; the folder stays. */
void vault_server_done(struct vault_server *server);

#endif
