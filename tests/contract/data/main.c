/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/suite.h"

int main(void)
{
    return suite_content() + suite_names() + suite_store() == 0 ? 0 : 1;
}
