/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/wire.h"

#include <errno.h>
#include <sys/socket.h>

bool comb_extract_packet_parse(comb_str packet, enum comb_extract_packet *ret_packet,
                               comb_str *ret_payload)
{
    unsigned char kind;
    if (packet.len < 1 || packet.len > 1 + COMB_EXTRACT_PAYLOAD_BYTES_MAX)
        return false;
    kind = (unsigned char)packet.ptr[0];
    if (kind < COMB_EXTRACT_PACKET_MORE || kind > COMB_EXTRACT_PACKET_FAILED)
        return false;
    *ret_packet = (enum comb_extract_packet)kind;
    *ret_payload = comb_str_of(packet.ptr + 1, packet.len - 1);
    return true;
}

bool comb_extract_end_parse(comb_str payload, enum comb_extract_outcome *ret_outcome,
                            enum comb_extract_reason *ret_reason)
{
    unsigned char outcome, reason;
    bool has_reason;
    if (payload.len != 2)
        return false;
    outcome = (unsigned char)payload.ptr[0];
    reason = (unsigned char)payload.ptr[1];
    if (outcome < COMB_EXTRACT_TEXT || outcome > COMB_EXTRACT_REFUSED)
        return false;
    /* The others are not a parser's to say. */
    if (reason > COMB_EXTRACT_REASON_MEMORY && reason != COMB_EXTRACT_REASON_SOURCE)
        return false;
    has_reason = outcome == COMB_EXTRACT_TRUNCATED || outcome == COMB_EXTRACT_REFUSED;
    if (has_reason != (reason != COMB_EXTRACT_REASON_NONE))
        return false;
    *ret_outcome = (enum comb_extract_outcome)outcome;
    *ret_reason = (enum comb_extract_reason)reason;
    return true;
}

bool comb_extract_packet_send(int fd, enum comb_extract_packet packet, comb_str payload, int flags)
{
    char kind = (char)packet;
    struct iovec parts[] = {{&kind, 1}, {(void *)(uintptr_t)payload.ptr, payload.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n;
    do
        n = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)(1 + payload.len);
}
