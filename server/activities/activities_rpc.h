/* SPDX-License-Identifier: Apache-2.0 */
/* comb.v1.Activities: from messages to the domain and back. */
#ifndef COMB_ACTIVITIES_RPC_H
#define COMB_ACTIVITIES_RPC_H

#include "grpcc/server.h"
#include "server/activities/activities.h"

struct comb_sealer;

struct comb_activities_rpc {
    struct comb_activities *activities;
    struct comb_access *access;
    struct comb_sealer *sealer;
    /* The id of a user by id or login. NOT_FOUND (USER_NOT_FOUND). */
    enum comb_status (*find_user)(void *data, struct comb_ctx *ctx, comb_str id_or_login,
                                  struct comb_uuid *ret_id, struct comb_error *err);
    void *data;
};

/* rpc must live longer than the server. */
enum comb_status comb_activities_rpc_register(struct grpcc_server *server,
                                              struct comb_activities_rpc *rpc,
                                              struct comb_error *err) COMB_MUST_CHECK;

#endif
