/* SPDX-License-Identifier: Apache-2.0 */
/* What the suite of the vault knows of a driver: how to open one that is empty, and again. */
#ifndef COMB_TESTS_CONTRACT_VAULT_FIXTURE_H
#define COMB_TESTS_CONTRACT_VAULT_FIXTURE_H

#include "server/vault/vault_driver.h"

struct vault_fixture {
    struct comb_vault *vault;
    struct comb_ctx ctx;
    struct comb_error err;
    char place[256];
};

/* Opens the vault at fixture->place; the same place gives the same secrets. One file per driver. */
enum comb_status vault_fixture_open(struct vault_fixture *fixture);

#endif
