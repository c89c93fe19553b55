/* SPDX-License-Identifier: Apache-2.0 */
/* Clients who make, move and remove the same few names at once, in rounds. */
#ifndef TESTS_STORM_NAMES_ROLE_H
#define TESTS_STORM_NAMES_ROLE_H

#include "tests/storm/storm.h"

extern const struct storm_role storm_namers;

#endif
