/* SPDX-License-Identifier: Apache-2.0 */
/* The table of cnats' statuses. Source: cnats 3.4, status.h. */
#include "comb/v1/errors.grpcc.h"
#include "server/backend/nats/internal.h"

static const char domain[] = "events.nats";

enum { DOWN = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, LARGE = COMB_V1_ERROR_REASON_TOO_LARGE };

static const struct {
    natsStatus native;
    enum comb_status status;
    int reason;
    bool retryable;
    const char *text;
} table[] = {
    {NATS_NO_SERVER, COMB_UNAVAILABLE, DOWN, true, "NATS cannot be reached"},
    {NATS_IO_ERROR, COMB_UNAVAILABLE, DOWN, true, "the connection to NATS is lost"},
    {NATS_CONNECTION_CLOSED, COMB_UNAVAILABLE, DOWN, true, "the connection to NATS is lost"},
    {NATS_CONNECTION_DISCONNECTED, COMB_UNAVAILABLE, DOWN, true, "the connection to NATS is lost"},
    {NATS_STALE_CONNECTION, COMB_UNAVAILABLE, DOWN, true, "NATS does not answer pings"},
    {NATS_NOT_YET_CONNECTED, COMB_UNAVAILABLE, DOWN, true, "NATS is not connected yet"},
    {NATS_TIMEOUT, COMB_UNAVAILABLE, DOWN, true, "NATS does not answer in time"},
    {NATS_INSUFFICIENT_BUFFER, COMB_UNAVAILABLE, DOWN, true,
     "NATS is away, and too much waits for it"},
    {NATS_CONNECTION_AUTH_FAILED, COMB_FAILED_PRECONDITION, 0, false,
     "NATS refuses the user, the password or the token: correct --events-credentials-file"},
    {NATS_NOT_PERMITTED, COMB_FAILED_PRECONDITION, 0, false,
     "NATS refuses: its user has to publish and subscribe to PREFIX.>; correct "
     "--events-credentials-file or the server's permissions"},
    {NATS_SECURE_CONNECTION_REQUIRED, COMB_FAILED_PRECONDITION, 0, false,
     "NATS wants TLS: add tls=on to the URL of --events"},
    {NATS_SECURE_CONNECTION_WANTED, COMB_FAILED_PRECONDITION, 0, false,
     "NATS has no TLS there: leave tls, ca, cert and key out of the URL of --events, or enable it"},
    {NATS_SSL_ERROR, COMB_FAILED_PRECONDITION, 0, false,
     "TLS with NATS fails: look at ca, cert and key in the URL; give the host by a name of its "
     "certificate, not by an address"},
    {NATS_MAX_PAYLOAD, COMB_RESOURCE_EXHAUSTED, LARGE, false,
     "the message is larger than NATS takes: raise its max_payload"},
    {NATS_NO_MEMORY, COMB_RESOURCE_EXHAUSTED, 0, true, "no memory is left"},
};

enum comb_status comb_nats_error(struct comb_error *err, natsStatus status, const char *detail)
{
    const char *between = detail && detail[0] ? ": " : "";
    detail = detail ? detail : "";
    enum comb_status result = COMB_UNAVAILABLE;
    bool retryable = true;
    size_t i = 0, n = sizeof table / sizeof table[0];
    while (i < n && table[i].native != status)
        i++;
    if (i < n) {
        result = table[i].status;
        retryable = table[i].retryable;
        comb_error_set(err, result, table[i].reason, "%s%s%.80s", table[i].text, between, detail);
    } else {
        comb_error_set(err, result, DOWN, "NATS fails: %s%s%.80s", natsStatus_GetText(status),
                       between, detail);
    }
    if (err) {
        err->domain = domain;
        err->retryable = retryable;
        err->native = status;
    }
    return result;
}
