/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/facts/suites.h"

int main(void)
{
    int failed = run_suite_lookup();
    failed += run_suite_coherence();
    failed += run_suite_history();
    return failed;
}
