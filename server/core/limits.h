/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit that more than one part knows, with its reason. Limits of one part stand in its own
 * header. */
#ifndef COMB_CORE_LIMITS_H
#define COMB_CORE_LIMITS_H

/* A file or folder name, in bytes of UTF-8: what file systems that names come from can hold. */
#define COMB_NAME_BYTES_MAX 255
/* Parts of a path below its workspace's root. Bounds every walk up a chain. */
#define COMB_PATH_DEPTH_MAX 100
/* A path in text form; less than COMB_PATH_DEPTH_MAX names of full length. */
#define COMB_PATH_BYTES_MAX 16384

/* Rows of a page where the caller names no number, and at most. */
#define COMB_PAGE_SIZE_DEFAULT 100
#define COMB_PAGE_SIZE_MAX 1000
/* Rows that one page may look at; a page where most rows are hidden is short and has a successor.
 */
#define COMB_PAGE_EXAMINED_MAX 5000

/* Logins, role names, slugs, labels. */
#define COMB_LOGIN_BYTES_MAX 128
#define COMB_SLUG_BYTES_MAX 64
#define COMB_LABEL_BYTES_MAX 255
#define COMB_DESCRIPTION_BYTES_MAX 4096
/* A password as typed; Argon2id is not fed more. */
#define COMB_PASSWORD_BYTES_MAX 1024

/* One value of a node's metadata, and all of it, packed. */
#define COMB_METADATA_VALUE_BYTES_MAX 65536
#define COMB_METADATA_BYTES_MAX (256 * 1024)
/* A media type. */
#define COMB_MEDIA_TYPE_BYTES_MAX 255
/* Roles of one user: bounds every permission decision together with the depth. */
#define COMB_USER_ROLES_MAX 256
/* Groups below one another: so many roles more may a user have. */
#define COMB_GROUP_DEPTH_MAX 16
/* What is deleted with a group at most: groups below it; users, who go to the group above it. */
#define COMB_GROUP_DELETE_GROUPS_MAX 16
#define COMB_GROUP_DELETE_USERS_MAX 1000
/* Entries on one node. */
#define COMB_NODE_ENTRIES_MAX 1000
/* Narrowing scopes of one token. */
#define COMB_TOKEN_SCOPES_MAX 32

/* How long the outcome of a mutation is kept for repetitions, and how far in the future the time
 * of a request id may lie before it is taken for a broken clock. */
#define COMB_REQUEST_ID_KEEP_US (24LL * 3600 * 1000000)
#define COMB_REQUEST_ID_AHEAD_US (1LL * 3600 * 1000000)
/* How long the change feed goes back unless configured. */
#define COMB_FEED_KEEP_US (7LL * 24 * 3600 * 1000000)

/* One line of the log, and one user string in it. */
#define COMB_LOG_LINE_MAX 4096
#define COMB_LOG_VALUE_MAX 512

#endif
