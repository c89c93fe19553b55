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
    return comb_vault_json_open(comb_str_from(fixture->place), &fixture->vault, &fixture->err);
}
