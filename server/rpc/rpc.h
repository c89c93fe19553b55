/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all handlers share: the rule of each method (comb.v1.rpc) applied around every call, the
 * context, errors on the wire, consistency tokens.
 *
 * Around a handler the dispatcher: reads the headers; authenticates; refuses what the method's rule
 * refuses (NEED_LOGIN, NEED_ADMINISTRATOR); makes the ctx. Before an OK leaves, it checks that what
 * the rule says about nodes (NEED_READ, NEED_WRITE, NEED_MANAGE) has been decided in
 * ctx->authorised: an answer without that is a bug, and becomes INTERNAL. Then it adds comb-token.
 *
 * A handler converts between messages and its domain, and does nothing else.
 */
#ifndef COMB_RPC_H
#define COMB_RPC_H

#include "google/protobuf/timestamp.grpcc.h"
#include "google/rpc/status.grpcc.h"
#include "grpcc/server.h"
#include "server/core/ctx.h"
#include "server/mutation/mutation.h"

/* The context of a call; never NULL in a handler. Lives in the call's arena. */
struct comb_ctx *comb_rpc_ctx(struct grpcc_call *call);

/* Ends the call with err: status, message, ErrorInfo and what belongs to its reason (BadRequest,
 * RetryInfo, ResourceInfo). An INTERNAL or UNKNOWN goes out as a log id, its text to the log. */
void comb_rpc_fail(struct grpcc_call *call, const struct comb_error *err);

/* Ends a unary call: with response where status is OK, else with err. */
void comb_rpc_finish(struct grpcc_call *call, enum comb_status status,
                     const ProtobufCMessage *response, const struct comb_error *err);

/* err as a google.rpc.Status of a batch's item: status, message, ErrorInfo. NULL: no room. */
struct google_rpc_status *comb_rpc_status(struct grpcc_arena *arena, const struct comb_error *err);

/* The request key of a mutation: request_id of its request (for a client stream: of its header
 * message), checked against the header comb-request-id. Where the method's rule says so, the intent
 * is in the audit trail when this returns, so the handler acts behind it alone; then also the
 * errors of comb_sql_run. */
enum comb_status comb_rpc_request_key(struct grpcc_call *call, const char *request_id,
                                      const ProtobufCMessage *request,
                                      struct comb_request_key *ret_key,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* comb_mutation_claim() of a request whose message has no secrets. */
enum comb_status comb_rpc_claim(struct grpcc_call *call, struct comb_mutations *mutations,
                                const char *request_id, const ProtobufCMessage *request,
                                struct comb_request_key *ret_key,
                                struct comb_error *err) COMB_MUST_CHECK;

/*
 * For a handler that serves a call for longer than the bound: whether its caller's token still
 * counts, and he still is what the method's rule needs of everybody (NEED_LOGIN,
 * NEED_ADMINISTRATOR). The error says why not. In arena, for the asking alone. Blocks until
 * deadline_ns where memory does not know.
 */
enum comb_status comb_rpc_ask_again(struct grpcc_call *call, struct grpcc_arena *arena,
                                    int64_t deadline_ns, struct comb_error *err) COMB_MUST_CHECK;

/*
 * Page tokens: opaque, sealed with a vault key, bound to caller, method, query and incarnation.
 * query: all fields of the request that must stay the same, packed; state: what the next page needs
 * (at most 1 KiB). _open gives an empty state for an empty token; else INVALID_ARGUMENT,
 * PAGE_TOKEN_INVALID.
 */
struct comb_sealer;
enum comb_status comb_page_token_seal(struct comb_sealer *sealer, struct comb_ctx *ctx,
                                      comb_str query, comb_str state, char **ret_token,
                                      struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_page_token_open(struct comb_sealer *sealer, struct comb_ctx *ctx,
                                      comb_str query, const char *token, comb_str *ret_state,
                                      struct comb_error *err) COMB_MUST_CHECK;

/* A message packed into arena: the fields of a request that must stay the same from page to page.
 * message may be NULL, for nothing. ptr NULL: no room. */
comb_str comb_rpc_pack(struct grpcc_arena *arena, const ProtobufCMessage *message);

/* A time of a request, in microseconds since 1970; 0 where it is absent. */
enum comb_status comb_rpc_time(const struct google_protobuf_timestamp *message, const char *field,
                               int64_t *ret_us, struct comb_error *err) COMB_MUST_CHECK;

/* page_size of a request: 0 gives 100; negative or more than 1,000: INVALID_ARGUMENT. */
enum comb_status comb_rpc_page_size(int32_t asked, size_t *ret_size,
                                    struct comb_error *err) COMB_MUST_CHECK;

#endif
