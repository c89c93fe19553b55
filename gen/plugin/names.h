/* SPDX-License-Identifier: Apache-2.0 */
/* How names of a .proto become names of C. The rules are documented in gen/plugin/README.md. */
#ifndef GEN_PLUGIN_NAMES_H
#define GEN_PLUGIN_NAMES_H

#include <stdbool.h>

#include "gen/plugin/pool.h"

/* True for words that are no identifiers in C11 or C++20, and for macros that every compiler or
 * libc header may define. */
bool names_is_reserved(const char *name);

/* name, with a trailing '_' where it is reserved. */
char *names_safe(struct pool *pool, const char *name);

/* "HTTPRule" -> "http_rule", "OAuth2Token" -> "o_auth2_token": digits stay with what is before
 * them. */
char *names_snake(struct pool *pool, const char *camel);

/* "pkg.v1.Outer.InnerThing" -> "pkg_v1_outer_inner_thing"; a leading dot is ignored. */
char *names_c(struct pool *pool, const char *full_name);

char *names_upper(struct pool *pool, const char *name);

/* "comb/v1/tree.proto" -> "comb_v1_tree": lower case, what cannot be in an identifier is '_'. */
char *names_of_path(struct pool *pool, const char *path);

/* path without ".proto", plus suffix. */
char *names_output(struct pool *pool, const char *path, const char *suffix);

/* "int32_t" + "x" -> "int32_t x"; "char *" + "x" -> "char *x". */
char *names_declaration(struct pool *pool, const char *type, const char *name);

#endif
