/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CONTRACT_ACTIVITIES_RIGHTS_H
#define TESTS_CONTRACT_ACTIVITIES_RIGHTS_H

/* Users, folders, grants and moves at random: what each user is told is what an oracle of the
 * test's own says that he may read. cmocka's; state: the fixture. */
void random_rights_are_kept(void **state);

#endif
