/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/audit_store.h"

void comb_audit_store_close(struct comb_audit_store *store)
{
    if (store && store->driver->close)
        store->driver->close(store);
}
