/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared libraries that only some stores need, found when the first store that needs one is opened.
 * A server whose rows are embedded so maps, relocates and initialises none of them, and runs where
 * they are not installed.
 *
 * Drivers know nothing of it: they call a library's functions as everyone does. combd links
 * `@NAME//:late` (bazel/system.bzl) in the library's place, where each function is a jump to an
 * address that comb_library_load() fills in. Programs that link the library itself, as tests of
 * drivers do, need no more.
 */
#ifndef COMB_LIBRARY_H
#define COMB_LIBRARY_H

#include "server/core/compiler.h"
#include "server/core/error.h"

/* Defined by bazel/system.bzl, which writes its members in this order. */
struct comb_library {
    const char *name;      /* "libpq.so.5" */
    const char *package;   /* Debian's: "libpq5" */
    const char *functions; /* their names, each ended by NUL; an empty one is the end */
    void **addresses;      /* in the same order; NULL: not loaded */
};

/*
 * Finds a library and all its functions; until then none may be called. It stays until the process
 * ends; to load it again changes nothing. FAILED_PRECONDITION, with the package to install, where
 * it is missing or older than what this build was made with. One thread at a time, and none that
 * calls the library; blocks on files.
 */
enum comb_status comb_library_load(const struct comb_library *library,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
