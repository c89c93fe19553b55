/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between the stores of the SQL family: the texts of the statements. */
#ifndef COMB_IDENTITY_DRIVER_DIALECT_H
#define COMB_IDENTITY_DRIVER_DIALECT_H

#include "server/identity/identity_store.h"

/* Columns of a user: id, login, display_name, email, password, disabled, rev, roles_rev,
 * generation, create_us, personal, roles (ids in hexadecimal, in order, without separators).
 * Columns of a role: id, name, label, override, built_in, rev, create_us. */
struct identity_dialect {
    const char *user_by_id;        /* ?1 id */
    const char *user_by_login;     /* ?1 login */
    const char *users;             /* ?1 after, ?2 prefix, ?3 end of the prefix, ?4 limit */
    const char *administrator_but; /* ?1 user, ?2 role: a row if there is another */
    const char *role_by_id;        /* ?1 id */
    const char *role_by_name;      /* ?1 name */
    const char *roles;             /* ?1 after, ?2 limit */
    const char *insert_user; /* ?1 id ?2 login ?3 display_name ?4 email ?5 password ?6 disabled
                                ?7 create_us ?8 personal */
    const char *update_user; /* ?1 id ?2 login ?3 display_name ?4 email ?5 password ?6 disabled
                                ?7 before ?8 added to roles_rev ?9 added to generation */
    const char *delete_user; /* ?1 id ?2 before */
    const char *delete_user_roles; /* ?1 user */
    const char *check_roles;       /* ?1 ids of roles, 16 bytes each, ?2 their number: a row if all
                                      of them exist */
    const char *insert_user_roles; /* ?1 user, ?2 ids of roles */
    const char *insert_role;       /* ?1 id ?2 name ?3 label ?4 override ?5 create_us */
    const char *update_role;       /* ?1 id ?2 name ?3 label ?4 override ?5 before */
    const char *raise_members;     /* ?1 role, ?2 added to rev */
    const char *delete_role_users; /* ?1 role */
    const char *delete_role;       /* ?1 id ?2 before */
};

/* Their statements and tables, in one file each. */
extern const struct comb_sql_schema comb_identity_schema_sqlite;
extern const struct comb_sql_schema comb_identity_schema_postgres;

#endif
