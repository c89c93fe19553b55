/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/vault/fixture.h"

enum comb_status vault_fixture_open(struct vault_fixture *fixture)
{
    static int places;
    if (fixture->place[0] == '\0')
        snprintf(fixture->place, sizeof fixture->place, "%s/vault-%d", getenv("TEST_TMPDIR"),
                 places++);
    const struct comb_store_options options = {.url = comb_str_from(fixture->place)};
    return comb_vault_json_open(&options, &fixture->vault, &fixture->err);
}
