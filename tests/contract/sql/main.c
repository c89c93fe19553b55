/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/sql/fixture.h"

int main(void)
{
    return run_suite_read() + run_suite_write() + run_suite_migrate() + run_suite_time();
}
