/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "tests/contract/vault/fixture.h"
#include "tests/support/vault_server.h"

/* One server for all; a place is a mount of it. Its test's sandbox ends it. */
static struct vault_server server;

enum comb_status vault_fixture_open(struct vault_fixture *fixture)
{
    static int places;
    static char urls[64][128];
    if (!server.port)
        vault_server_start(&server);
    if (fixture->place[0] == '\0') {
        char path[64];
        snprintf(fixture->place, sizeof fixture->place, "mount-%d", places++);
        snprintf(path, sizeof path, "sys/mounts/%.32s", fixture->place);
        vault_server_post(&server, path, "{\"type\":\"kv\",\"options\":{\"version\":\"2\"}}");
        vault_server_await_engine(&server, fixture->place);
    }
    snprintf(urls[places], sizeof urls[places], "vault://127.0.0.1:%d/%.32s", server.port,
             fixture->place);
    const struct comb_store_options options = {.url = comb_str_from(urls[places]),
                                               .credentials = comb_str_from(server.root_token)};
    return comb_vault_hashivault_open(&options, &fixture->vault, &fixture->err);
}
