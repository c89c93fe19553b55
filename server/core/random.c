/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void comb_random(void *data, size_t size)
{
    unsigned char *at = data;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            /* Going on without randomness would hand out guessable secrets. */
            abort();
        }
    }
}
