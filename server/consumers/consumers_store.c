/* SPDX-License-Identifier: Apache-2.0 */
#include "server/consumers/consumers_store.h"

void comb_consumers_store_close(struct comb_consumers_store *store)
{
    if (store)
        store->driver->close(store);
}
