/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: an interceptor that applies each method's rule. See rpc.h for what it does around
 * a handler.
 */
#ifndef COMB_RPC_DISPATCH_H
#define COMB_RPC_DISPATCH_H

#include "grpcc/server.h"
#include "server/core/ctx.h"

struct comb_audit;
struct comb_dispatch;

/* How the dispatcher learns who calls: the auth area, or a test. */
struct comb_authenticator {
    /* From memory alone; false: not known, ask `authenticate`. Must not block. */
    bool (*peek)(void *self, struct comb_ctx *ctx, comb_str bearer,
                 const struct comb_principal **ret_principal);
    /* May block. UNAUTHENTICATED with TOKEN_INVALID, TOKEN_EXPIRED or TOKEN_REVOKED. The principal
     * lives in ctx's arena. */
    enum comb_status (*authenticate)(void *self, struct comb_ctx *ctx, comb_str bearer,
                                     const struct comb_principal **ret_principal,
                                     struct comb_error *err);
    void *self;
};

/* incarnation: of the sql store, for comb-token. */
enum comb_status comb_dispatch_new(const struct comb_authenticator *authenticator,
                                   uint64_t incarnation, struct comb_dispatch **ret_dispatch,
                                   struct comb_error *err) COMB_MUST_CHECK;

/* From now on refusals, and what changes other stores than SQL (comb.v1.AuditRule), are recorded.
 * Before the first call; borrowed. */
void comb_dispatch_set_audit(struct comb_dispatch *dispatch, struct comb_audit *audit);

/* The sql store has another incarnation from now on. Any thread. */
void comb_dispatch_set_incarnation(struct comb_dispatch *dispatch, uint64_t incarnation);

/*
 * Adds the dispatcher to a server and configures all methods of its services by their rules. Before
 * grpcc_server_start, after the services were added. FAILED_PRECONDITION: a method's rule is
 * missing.
 */
enum comb_status comb_dispatch_attach(struct comb_dispatch *dispatch, struct grpcc_server *server,
                                      const struct grpcc_service *const *services,
                                      size_t n_services, struct comb_error *err) COMB_MUST_CHECK;

/* The login of who makes the call, as far as it is known; "" for nobody's. For the call's
 * observers: one thread at a time. Lives as long as the call. */
const char *comb_dispatch_user(struct grpcc_call *call);

/* After the servers that it was attached to are freed. NULL is fine. */
void comb_dispatch_free(struct comb_dispatch *dispatch);

#endif
