/* SPDX-License-Identifier: Apache-2.0 */
#include "server/operations/operations_store.h"

void comb_operations_store_close(struct comb_operations_store *store)
{
    if (store)
        store->driver->close(store);
}
