/* SPDX-License-Identifier: Apache-2.0 */
/* Peers whose x-forwarded-client-cert is believed. */
#ifndef GRPCC_SRC_FORWARDER_H
#define GRPCC_SRC_FORWARDER_H

#include <stdbool.h>

#include "grpcc/status.h"

enum { GRPCC_FORWARDERS_MAX = 1024 };

struct grpcc_forwarders;

/* NULL-terminated: "unix", an address, a network in CIDR, a SPIFFE ID or pattern. INVALID_ARGUMENT
 * names what is none of these. Pairs with _free. */
enum grpcc_status grpcc_forwarders_new(const char *const *from, struct grpcc_forwarders **ret,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;
void grpcc_forwarders_free(struct grpcc_forwarders *forwarders);
/* peer: as core writes it, "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:". */
bool grpcc_forwarders_has_peer(const struct grpcc_forwarders *forwarders, const char *peer);
/* Whether _has_id is worth asking. */
bool grpcc_forwarders_has_ids(const struct grpcc_forwarders *forwarders);
bool grpcc_forwarders_has_id(const struct grpcc_forwarders *forwarders, const char *spiffe_id);

#endif
