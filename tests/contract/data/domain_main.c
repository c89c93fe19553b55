/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/domain.h"

int main(void)
{
    return suite_domain_file() + suite_domain_upload() + suite_domain_sweep() +
                       suite_domain_encrypt() ==
                   0
               ? 0
               : 1;
}
