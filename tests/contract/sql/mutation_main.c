/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sql/mutation_fixture.h"

int main(void)
{
    test_fault_install();
    return run_suite_mutation() + run_suite_replay() + run_suite_feed();
}
