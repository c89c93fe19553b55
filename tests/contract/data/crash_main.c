/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>

#include "tests/contract/data/suite.h"

int main(void)
{
    /* As in the server: a file beyond RLIMIT_FSIZE is an error, not a signal. */
    signal(SIGXFSZ, SIG_IGN);
    return suite_crash() == 0 ? 0 : 1;
}
