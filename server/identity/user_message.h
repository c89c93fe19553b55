/* SPDX-License-Identifier: Apache-2.0 */
/* Users and roles as they go out. */
#ifndef COMB_IDENTITY_USER_MESSAGE_H
#define COMB_IDENTITY_USER_MESSAGE_H

#include "comb/v1/identity.grpcc.h"
#include "server/facts/facts.h"
#include "server/identity/identity_store.h"

/* all: every field; else id, login and display name. In arena. */
enum comb_status comb_identity_user_message(struct grpcc_arena *arena, const struct comb_user *user,
                                            bool all, struct comb_v1_user **ret_message,
                                            struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_identity_role_message(struct grpcc_arena *arena, const struct comb_role *role,
                                            struct comb_v1_role **ret_message,
                                            struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_identity_group_message(struct grpcc_arena *arena,
                                             const struct comb_group *group,
                                             struct comb_v1_group **ret_message,
                                             struct comb_error *err) COMB_MUST_CHECK;

#endif
