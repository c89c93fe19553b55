/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interceptor that decides who may call what, from a table:
 *
 *     static const struct grpcc_rule rules[] = {
 *         {GRPCC_ALLOW, "anyone", "/grpc.health.v1.Health/"},
 *         {GRPCC_ALLOW, "spiffe://example.org/ns/web/", "/shop.v1.Cart/"},
 *         {GRPCC_DENY, "spiffe://example.org/ns/web/sa/trial", "/shop.v1.Cart/Pay"},
 *     };
 *
 * Where a rule denies, the call is refused; else where one allows, it goes on; else it is refused:
 * the order of the rules does not matter. Refused are UNAUTHENTICATED where the caller is not
 * known, PERMISSION_DENIED where it is. Add the interceptor before those that do work.
 */
#ifndef GRPCC_AUTHORIZE_H
#define GRPCC_AUTHORIZE_H

#include <stddef.h>

#include "grpcc/identity.h"
#include "grpcc/server.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum grpcc_effect { GRPCC_DENY = 0, GRPCC_ALLOW = 1 };

struct grpcc_rule {
    enum grpcc_effect effect;
    /*
     * "anyone", "authenticated" (anyone whose identity is known), "spiffe://example.org/a" (that
     * SPIFFE ID), "spiffe://example.org/a/" (those below it), "dns:NAME" (one of the certificate's
     * names, in full), "cn:NAME" (its common name; never matches a forwarded identity).
     */
    const char *principal;
    /*
     * "/pkg.Service/Method", "/pkg.Service/" (all its methods), "*" (all methods). A "*" that
     * allows leaves out the services of packages grpc.* (health, reflection): name those.
     */
    const char *methods;
};

struct grpcc_authorizer;

enum { GRPCC_RULES_MAX = 10000 };

/* Copies n rules. INVALID_ARGUMENT names the rule that is not one. Pairs with _free. */
struct grpcc_authorizer *grpcc_authorizer_new(const struct grpcc_rule *rules, size_t n,
                                              struct grpcc_error *err) GRPCC_MUST_CHECK;
/* After the server that uses it. NULL is fine. */
void grpcc_authorizer_free(struct grpcc_authorizer *authorizer);

/* OK, or why not. Any thread. */
enum grpcc_status grpcc_authorizer_check(const struct grpcc_authorizer *authorizer,
                                         const struct grpcc_identity *identity, const char *path,
                                         struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Its self is a struct grpcc_authorizer:
 * grpcc_server_add_interceptor(server, &grpcc_authorize, authorizer, &err). */
extern const struct grpcc_interceptor grpcc_authorize;

#ifdef __cplusplus
}
#endif

#endif
