/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of a server as JSON: what is under way, since when, and what it waits for. For people
 * who look at a server that does not do what it should; safe while it serves.
 */
#ifndef GRPCC_DUMP_H
#define GRPCC_DUMP_H

#include <stdbool.h>
#include <stddef.h>

#include "grpcc/compiler.h"
#include "grpcc/metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

struct grpcc_server;

/* The most calls that a dump tells of, the oldest ones; their number is told whole. */
enum { GRPCC_DUMP_CALLS_MAX = 1000 };

/*
 * Writes one object, ending with a newline:
 *
 *   "state"        "new", "serving", "draining" (new calls are refused) or "stopped"
 *   "connections"  open ones that this process has accepted; 0 without grpcc/accept.h
 *   "queue"        {"length", "max"}: calls that wait for a worker
 *   "workers"      {"busy", "started", "max"}
 *   "totals"       {"started", "ok", "failed", "shed", "cancelled"}: calls since start
 *   "in_flight"    calls under way, without those of the built-in services
 *   "calls"        of them: {"method", "peer", "mode": "blocking", "inline" or "async", "state",
 *                  "age_ms", "deadline_ms" (what is left; null: none), "in_messages", "in_bytes",
 *                  "out_messages", "out_bytes", "trace" (null: nobody has asked the call for its
 *                  context yet)}; built-in services are among them
 *
 * The state of a call is "queued" (waits for a worker), "parked" (an interceptor has deferred it),
 * "sending" (a message is on its way, or waits for the peer to read), "ending" (its status is on
 * its way), else "running". Each call is right at some moment, all together need not be.
 *
 * Takes locks that calls take, each for a moment; write() runs without any. False: write said so,
 * or there was no memory. Any thread, from grpcc_server_new() to grpcc_server_free().
 */
bool grpcc_server_dump(struct grpcc_server *server, grpcc_write write, void *data);

#ifdef __cplusplus
}
#endif

#endif
