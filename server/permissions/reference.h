/* SPDX-License-Identifier: Apache-2.0 */
/* What a comb.v1.NodeRef says, taken apart and checked; it touches no store. */
#ifndef COMB_PERMISSIONS_REFERENCE_H
#define COMB_PERMISSIONS_REFERENCE_H

#include "comb/v1/node.grpcc.h"
#include "server/core/error.h"
#include "server/core/str.h"
#include "server/core/uuid.h"

struct comb_reference {
    bool top;            /* "/": the list of workspaces; all else is empty */
    struct comb_uuid id; /* where the path begins; nil: at the workspace of slug */
    comb_str slug;
    const comb_str *parts; /* behind the slug, or behind the id; views of ref->path */
    size_t n_parts;
};

/* field: of the request, for errors. Errors: INVALID_ARGUMENT (FIELD_INVALID, PATH_INVALID) with
 * what is wrong and where. parts lives in arena. */
enum comb_status comb_reference_parse(struct grpcc_arena *arena, const struct comb_v1_node_ref *ref,
                                      const char *field, struct comb_reference *ret_reference,
                                      struct comb_error *err) COMB_MUST_CHECK;

#endif
