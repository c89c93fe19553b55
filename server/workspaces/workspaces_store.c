/* SPDX-License-Identifier: Apache-2.0 */
#include "server/workspaces/workspaces_store.h"

void comb_workspaces_store_close(struct comb_workspaces_store *store)
{
    if (store && store->driver->close)
        store->driver->close(store);
}
