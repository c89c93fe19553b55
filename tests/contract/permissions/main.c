/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/permissions/fixture.h"

int main(void)
{
    int failed = run_suite_access();
    failed += run_suite_changes();
    failed += run_suite_check();
    failed += run_suite_reach();
    return failed;
}
