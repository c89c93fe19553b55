/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cases of the data domain begin with: the domain on SQLite and a driver of the data row,
 * and a user who may write in a workspace "/w".
 */
#ifndef COMB_TESTS_CONTRACT_DATA_DOMAIN_H
#define COMB_TESTS_CONTRACT_DATA_DOMAIN_H

#include "comb/v1/errors.grpcc.h"
#include "server/data/data.h"
#include "tests/support/support.h"

struct domain {
    struct test_ctx call;     /* of the user */
    struct test_ctx stranger; /* has no rights anywhere */
    char *folder;
    struct comb_sql *sql;
    struct comb_mutations *mutations;
    struct comb_facts *facts;
    struct comb_access *access;
    struct comb_tree_store *tree_store;
    struct comb_tree *tree;
    struct comb_blobs *blobs;
    struct comb_data_store *store;
    struct comb_vault *vault;
    bool encrypts; /* what domain_another() opens */
    struct comb_data *data;
    struct comb_uuid root;
};

#define DOMAIN_WINDOW_US (60LL * 1000000)
#define DOMAIN_UPLOADS_MAX 100

int domain_setup(void **state);
int domain_teardown(void **state);
/* A second domain on the same stores, as a process that has taken over; the caller frees it. */
struct comb_data *domain_another(struct domain *d);

/* The same where the first one is gone: its session is dead, at once or by its lease. */
struct comb_data *domain_successor(struct domain *d);

/* A new call of the user; what the last one answered is gone. */
struct comb_ctx *domain_next(struct domain *d);
/* A key for a new request. */
struct comb_request_key domain_key(void);
/* Time passes, for all clocks. */
void domain_advance_us(struct domain *d, int64_t us);
/* Sweeps until there is nothing more to do. */
void domain_sweep(struct domain *d, struct comb_data *data);
/* Objects in the data row. */
size_t domain_objects(struct domain *d);
/* Runs one statement with a node's id as its parameter, with a feed entry about the node's rights.
 */
void domain_change_rights(struct domain *d, const char *text, const struct comb_uuid *node);

/* A header for the file of that name in "/w", in an arena, or in the call's. */
struct comb_v1_upload_header *domain_header_in(struct grpcc_arena *arena, const char *name);
struct comb_v1_upload_header *domain_header(struct domain *d, const char *name);
/* Writes a file in one go, by a new call. */
enum comb_status domain_write(struct domain *d, const struct comb_v1_upload_header *header,
                              const struct comb_request_key *key, comb_str content,
                              struct comb_v1_node **ret_node);
/* The same for a new file; its id. */
struct comb_uuid domain_put(struct domain *d, const char *name, comb_str content);

/* A request for the file of that name, all of it, in the call's arena. */
struct comb_v1_data_download_request *domain_request(struct domain *d, const char *name);
/* What a download gives, in memory that lives until the next domain_get; at most 4 MiB. */
enum comb_status domain_get(struct domain *d, const struct comb_v1_data_download_request *request,
                            comb_str *ret_content);
/* The file's content is that. */
void domain_must_hold(struct domain *d, const char *name, comb_str content);
/* The file is not there. */
void domain_must_lack(struct domain *d, const char *name);

int suite_domain_file(void);
int suite_domain_upload(void);
int suite_domain_sweep(void);
int suite_domain_encrypt(void);

#endif
