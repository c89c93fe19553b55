/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/tree/suites.h"

int main(void)
{
    return run_names() + run_moves() + run_trash() + run_lists() + run_metadata() + run_feed() +
           run_watches() + run_totals();
}
