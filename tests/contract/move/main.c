/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/move/fixture.h"

int main(void)
{
    int failed = suite_sql();
    failed += suite_data();
    failed += suite_backup();
    return failed;
}
