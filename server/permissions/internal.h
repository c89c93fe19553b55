/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the permissions domain share. */
#ifndef COMB_PERMISSIONS_INTERNAL_H
#define COMB_PERMISSIONS_INTERNAL_H

#include "server/permissions/permissions.h"

struct comb_permissions {
    struct comb_permissions_parts parts;
};

#endif
