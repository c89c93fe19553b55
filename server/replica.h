/* SPDX-License-Identifier: Apache-2.0 */
/* This process as an entry of the registry. */
#ifndef COMB_REPLICA_H
#define COMB_REPLICA_H

#include "grpcc/server.h"
#include "server/admin/admin.h"
#include "server/registry/directory.h"

struct comb_replica {
    struct comb_directory *directory;
    const struct comb_admin *info;
    struct grpcc_server *api;
    char id[COMB_UUID_TEXT_LENGTH + 1];
};

/* Enters the process with its addresses, and keeps it entered. All that is given must live until
 * _withdraw. */
enum comb_status comb_replica_announce(struct comb_replica *replica,
                                       struct comb_directory *directory,
                                       const struct comb_admin *info, struct grpcc_server *api,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* It drains now: tells it. Fine where it was not announced. */
void comb_replica_refresh(struct comb_replica *replica);
/* Takes it out. Fine where it was not announced. */
void comb_replica_withdraw(struct comb_replica *replica);

#endif
