/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the kernel, good for keys and secrets. */
#ifndef COMB_CORE_RANDOM_H
#define COMB_CORE_RANDOM_H

#include <stddef.h>

/* Fills data. Cannot fail once the machine has booted; aborts where the kernel has no such call.
 * Threads: any. */
void comb_random(void *data, size_t size);

#endif
