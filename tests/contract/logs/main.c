/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/logs/suites.h"

int main(void)
{
    return run_append() + run_own() + run_query() + run_follow();
}
