/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/identity_store.h"

void comb_identity_store_close(struct comb_identity_store *store)
{
    if (store && store->driver->close)
        store->driver->close(store);
}
