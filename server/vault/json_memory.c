/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "server/core/memory.h"
#include "server/vault/vault_driver.h"

/* malloc's own functions stay below, which is why it does no harm that the setting is the whole
 * process's, and that memory may have been taken before. */
static void wiping_free(void *pointer)
{
    if (!pointer)
        return;
    comb_memory_wipe(pointer, malloc_usable_size(pointer));
    free(pointer);
}

static void set_wiping_free(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

void comb_vault_wipe_json(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, set_wiping_free);
}
