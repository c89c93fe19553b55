/* SPDX-License-Identifier: Apache-2.0 */
/* The statements that differ between the stores of the SQL family; those that do not are in sql.c.
 */
#ifndef COMB_IDENTITY_DRIVER_DIALECT_H
#define COMB_IDENTITY_DRIVER_DIALECT_H

#include "server/identity/identity_store.h"

/* Columns of a user: id, login, display_name, email, password, disabled, rev, roles_rev,
 * generation, create_us, personal, roles (ids in hexadecimal, in order, without separators),
 * group_id. Of a group: id, parent, name, label, rev, create_us, path. */
struct identity_dialect {
    const char *user_by_id;        /* ?1 id */
    const char *user_by_login;     /* ?1 login */
    const char *users;             /* ?1 after, ?2 prefix, ?3 end of the prefix, ?4 limit */
    const char *users_of_group;    /* the same, ?5 group */
    const char *check_roles;       /* ?1 ids of roles, 16 bytes each, ?2 their number: a row if all
                                      of them exist */
    const char *insert_user_roles; /* ?1 user, ?2 ids of roles */
    const char *group_by_id;       /* ?1 id */
    const char *group_by_name;     /* ?1 parent, ?2 name */
    const char *groups;            /* ?1 parent, ?2 after, ?3 limit */
    const char *are_groups;        /* ?1 ids: the ids of those that are groups */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_identity_schema_sqlite;
extern const struct comb_sql_schema comb_identity_schema_postgres;

#endif
