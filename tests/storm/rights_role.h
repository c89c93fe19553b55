/* SPDX-License-Identifier: Apache-2.0 */
/* One who lets a guest read a folder, and not any more, and guests who try. */
#ifndef TESTS_STORM_RIGHTS_ROLE_H
#define TESTS_STORM_RIGHTS_ROLE_H

#include "tests/storm/storm.h"

extern const struct storm_role storm_granter, storm_guests;

#endif
