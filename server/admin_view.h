/* SPDX-License-Identifier: Apache-2.0 */
/* What comb.v1.Admin tells of this replica: the functions that struct comb_admin wants. */
#ifndef COMB_ADMIN_VIEW_H
#define COMB_ADMIN_VIEW_H

#include "server/admin/admin.h"
#include "server/observe.h"
#include "server/services.h"

/* All borrowed; they live as long as Admin is served. */
struct comb_admin_view {
    const struct comb_rows *rows;
    struct comb_services *services;
    struct comb_observe *observe; /* set before Admin is served, as api */
    struct grpcc_server *api;     /* whose calls are counted; set before Admin is served */
};

/* Sets admin's functions of the view, and the view. */
void comb_admin_view_init(struct comb_admin_view *view, struct comb_admin *admin);

#endif
