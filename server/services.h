/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores, domains and handlers of one server, put together: what stands on what, in the order
 * of their making, taken apart in the opposite one. Nothing here decides anything.
 */
#ifndef COMB_SERVICES_H
#define COMB_SERVICES_H

#include "grpcc/server.h"
#include "server/activities/activities_rpc.h"
#include "server/audit/audit.h"
#include "server/audit/audit_rpc.h"
#include "server/audit/indexer.h"
#include "server/auth/auth.h"
#include "server/auth/auth_rpc.h"
#include "server/config/config.h"
#include "server/config/config_rpc.h"
#include "server/consumers/consumer.h"
#include "server/consumers/consumers_rpc.h"
#include "server/data/data.h"
#include "server/data/data_rpc.h"
#include "server/docs/docs.h"
#include "server/documents/documents_rpc.h"
#include "server/events/event_service.h"
#include "server/events/feed_hint.h"
#include "server/identity/identity.h"
#include "server/identity/identity_rpc.h"
#include "server/logs/logs_rpc.h"
#include "server/move/move_rpc.h"
#include "server/mover.h"
#include "server/operations/operations.h"
#include "server/operations/operations_rpc.h"
#include "server/permissions/permissions.h"
#include "server/permissions/permissions_rpc.h"
#include "server/registry/registry_rpc.h"
#include "server/rows.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/sealer.h"
#include "server/search/contents.h"
#include "server/search/indexer.h"
#include "server/search/reindex_kind.h"
#include "server/search/search_rpc.h"
#include "server/tree/tree.h"
#include "server/tree/tree_rpc.h"
#include "server/vault/vault_rpc.h"
#include "server/workspaces/workspaces.h"
#include "server/workspaces/workspaces_rpc.h"

struct comb_services {
    /* rows, borrowed of rows */
    struct comb_rows *rows;
    struct comb_vault *vault;
    struct comb_sql *sql;
    struct comb_blobs *blobs;
    struct comb_cache *cache;
    struct comb_events *events;
    struct comb_registry *registry;
    struct comb_config_store *config_store;
    struct comb_docs *docs;
    struct comb_sql_info info;
    struct comb_uuid replica; /* this process */

    /* stores of areas on the sql row, and in memory */
    struct comb_tree_store *tree_store;
    struct comb_data_store *data_store;
    struct comb_permissions_store *permissions_store;
    struct comb_identity_store *identity_store;
    struct comb_workspaces_store *workspaces_store;
    struct comb_auth_store *auth_store;
    struct comb_operations_store *operations_store;
    struct comb_consumers_store *consumers_store;
    struct comb_audit_store *audit_store;
    struct comb_documents_store *documents_store; /* on the docs row */
    struct comb_items_store *activities_store;    /* likewise */
    struct comb_items_store *audit_items;         /* likewise: the trail's index */
    struct comb_items_store *logs_store;          /* likewise */
    struct comb_search_store *search_store;       /* likewise */
    struct comb_throttle *throttle;

    /* over the events row */
    struct comb_hub *hub;
    struct comb_feed_hint *feed_hint, *operations_hint;
    struct comb_event_service *event_service;

    /* domains */
    struct comb_mutations *mutations;
    struct comb_facts *facts;
    struct comb_access *access;
    struct comb_tree *tree;
    struct comb_data *data;
    struct comb_identity *identity;
    struct comb_permissions *permissions;
    struct comb_workspaces *workspaces;
    struct comb_auth *auth;
    struct comb_operation_engine *engine;
    struct comb_operations *operations;
    struct comb_directory *directory;
    struct comb_config *config;
    struct comb_audit *audit;
    struct comb_audit_indexer *audit_indexer;
    struct comb_consumers *consumers; /* what is derived from the feed */
    struct comb_documents *documents;
    struct comb_activities *activities;
    struct comb_logs *logs;

    struct comb_search_indexer *search_indexer;
    struct comb_extract *extract;                 /* NULL: contents are not read */
    struct comb_extract *extract_slow;            /* likewise; for files that take long */
    struct comb_search_contents *search_contents; /* likewise */
    struct comb_search_reindex_parts search_reindex;
    struct comb_search *search;

    /* what handlers share */
    struct comb_sealer *sealer;
    struct comb_dispatch *dispatch;
    struct comb_tree_rpc tree_rpc;
    struct comb_identity_rpc identity_rpc;
    struct comb_permissions_rpc permissions_rpc;
    struct comb_workspaces_rpc workspaces_rpc;
    struct comb_data_rpc data_rpc;
    struct comb_operations_rpc operations_rpc;
    struct comb_registry_rpc registry_rpc;
    struct comb_vault_rpc vault_rpc;
    struct comb_config_rpc config_rpc;
    struct comb_audit_rpc audit_rpc;
    struct comb_consumers_rpc consumers_rpc; /* of Admin */
    struct comb_move_rpc move_rpc;           /* likewise */
    struct comb_mover mover;                 /* likewise */
    struct comb_documents_rpc documents_rpc;
    struct comb_activities_rpc activities_rpc;
    struct comb_logs_rpc logs_rpc;
    struct comb_search_rpc search_rpc;
};

/* Brings the tables of all areas on the sql row into the form of this version. */
enum comb_status comb_services_migrate(struct comb_sql *sql,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* What of the docs row is moved and kept in backups. To be closed, also after a failure. */
enum comb_status comb_services_open_docs(struct comb_docs *docs,
                                         struct comb_docs_stores *ret_stores,
                                         struct comb_error *err) COMB_MUST_CHECK;
void comb_services_close_docs(struct comb_docs_stores *stores);

/*
 * Stands on rows, which are open and stay so: migrates, makes the domains, and starts what runs in
 * the background. ctx gives arena and deadline of the start. On failure what was made is taken
 * apart.
 */
enum comb_status comb_services_open(struct comb_services *services, struct comb_rows *rows,
                                    struct comb_ctx *ctx, struct comb_error *err) COMB_MUST_CHECK;

/* Adds the services of comb.v1 but Admin, and the dispatcher, to a server that has not started. */
enum comb_status comb_services_register(struct comb_services *services, struct grpcc_server *server,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* What waits for something is told to go elsewhere: before the server drains. */
void comb_services_drain(struct comb_services *services);

/* No call may be running. Copes with what is half made; leaves the rows open. */
void comb_services_close(struct comb_services *services);

#endif
