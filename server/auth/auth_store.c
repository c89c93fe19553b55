/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/auth_store.h"

void comb_auth_store_close(struct comb_auth_store *store)
{
    if (store && store->driver->close)
        store->driver->close(store);
}
