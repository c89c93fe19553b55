/* SPDX-License-Identifier: Apache-2.0 */
/* Prints where each member of the public structs lies: lines of abi.lock. */
#include <stddef.h>
#include <stdio.h>

#include "comb/client.h"
#include "comb/files.h"
#include "comb/lists.h"
#include "comb/statistics.h"

#define MEMBER(type, member) printf(#type "." #member " %zu\n", offsetof(struct type, member))

static void client_options(void)
{
    MEMBER(comb_client_options, size);
    MEMBER(comb_client_options, timeout_ms);
    MEMBER(comb_client_options, attempts_max);
    MEMBER(comb_client_options, retry_tokens_max);
    MEMBER(comb_client_options, credentials_file);
    MEMBER(comb_client_options, access_token);
    MEMBER(comb_client_options, strong);
    MEMBER(comb_client_options, tls);
    MEMBER(comb_client_options, ca_file);
    MEMBER(comb_client_options, certificate_file);
    MEMBER(comb_client_options, key_file);
    MEMBER(comb_client_options, host_override);
    MEMBER(comb_client_options, user_agent);
    MEMBER(comb_client_options, trust_servers);
    MEMBER(comb_client_options, pinned);
    MEMBER(comb_client_options, discovery_ms);
    MEMBER(comb_client_options, silence_ms);
    MEMBER(comb_client_options, unreachable_ms);
    MEMBER(comb_client_options, hedge_ms);
    MEMBER(comb_client_options, hedge_percent);
}

static void statistics(void)
{
    MEMBER(comb_statistics, size);
    MEMBER(comb_statistics, calls);
    MEMBER(comb_statistics, streams);
    MEMBER(comb_statistics, attempts);
    MEMBER(comb_statistics, retries);
    MEMBER(comb_statistics, refreshes);
    MEMBER(comb_statistics, budget_empty);
    MEMBER(comb_statistics, silences);
    MEMBER(comb_statistics, hedges);
    MEMBER(comb_statistics, hedges_won);
    MEMBER(comb_statistics, ejections);
    MEMBER(comb_statistics, discoveries);
    MEMBER(comb_statistics, discoveries_failed);
    MEMBER(comb_statistics, replicas_joined);
    MEMBER(comb_statistics, replicas_left);
    MEMBER(comb_statistics, replicas);
    MEMBER(comb_statistics, replicas_good);
    MEMBER(comb_statistics, retry_tokens);
    MEMBER(comb_statistics, hedge_delay_us);
    MEMBER(comb_replica_state, target);
    MEMBER(comb_replica_state, named);
    MEMBER(comb_replica_state, listed);
    MEMBER(comb_replica_state, connected);
    MEMBER(comb_replica_state, ejected);
    MEMBER(comb_replica_state, calls_in_flight);
    MEMBER(comb_replica_state, streams);
    MEMBER(comb_replica_state, attempts);
    MEMBER(comb_replica_state, failures);
    MEMBER(comb_replica_state, ejections);
    MEMBER(comb_replica_state, questions);
    MEMBER(comb_replica_state, latency_us);
}

static void files(void)
{
    MEMBER(comb_progress, path);
    MEMBER(comb_progress, bytes);
    MEMBER(comb_progress, bytes_total);
    MEMBER(comb_progress, files);
    MEMBER(comb_progress, files_total);
    MEMBER(comb_progress, finished);
    MEMBER(comb_put_options, size);
    MEMBER(comb_put_options, media_type);
    MEMBER(comb_put_options, expected_etag);
    MEMBER(comb_put_options, absent);
    MEMBER(comb_put_options, create_parents);
    MEMBER(comb_put_options, progress);
    MEMBER(comb_put_options, progress_data);
    MEMBER(comb_tree_options, size);
    MEMBER(comb_tree_options, parallel);
    MEMBER(comb_tree_options, overwrite);
    MEMBER(comb_tree_options, files);
    MEMBER(comb_tree_options, problem);
    MEMBER(comb_tree_options, problem_data);
    MEMBER(comb_tree_options, progress);
    MEMBER(comb_tree_options, progress_data);
    MEMBER(comb_tree_report, files);
    MEMBER(comb_tree_report, folders);
    MEMBER(comb_tree_report, bytes);
    MEMBER(comb_tree_report, unchanged);
    MEMBER(comb_tree_report, problems);
    MEMBER(comb_tree_report, seconds);
}

static void runtime(void)
{
    MEMBER(grpcc_error, status);
    MEMBER(grpcc_error, pushback_ms);
    MEMBER(grpcc_error, details);
    MEMBER(grpcc_error, message);
    MEMBER(grpcc_metadata, key);
    MEMBER(grpcc_metadata, value);
    MEMBER(grpcc_metadata, length);
    MEMBER(grpcc_call_options, size);
    MEMBER(grpcc_call_options, timeout_ms);
    MEMBER(grpcc_call_options, wait_for_ready);
    MEMBER(grpcc_call_options, metadata);
    MEMBER(grpcc_call_options, n_metadata);
    MEMBER(grpcc_call_options, parent);
    MEMBER(grpcc_call_options, on_metadata);
    MEMBER(grpcc_call_options, on_metadata_data);
    MEMBER(grpcc_call_options, on_end);
    MEMBER(grpcc_call_options, hedge);
    MEMBER(grpcc_call_options, events);
}

/* What programs allocate themselves and has no `size`: it may not grow. */
static void fixed(void)
{
    printf("sizeof grpcc_error %zu\n", sizeof(struct grpcc_error));
    printf("sizeof grpcc_metadata %zu\n", sizeof(struct grpcc_metadata));
}

int main(void)
{
    client_options();
    statistics();
    files();
    runtime();
    fixed();
    return 0;
}
