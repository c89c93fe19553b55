/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What combd and comb-extract say to each other: packets (SOCK_SEQPACKET: the kernel keeps them
 * apart), over two kinds of sockets.
 *
 * The control socket, COMB_EXTRACT_CONTROL_FD of comb-extract: it says hello; for each file combd
 * sends a job with one descriptor, the file's own socket; once the file's process has ended, comb-
 * extract says how. Both ends run the code of this source, and no file's content comes here.
 *
 * The file's socket: its process asks for content and gets a piece, says pieces of text, and at
 * last how it went. A packet is one byte of enum comb_extract_packet and its payload. Whoever has
 * taken over the process says what he likes here, so combd believes nothing that it has not
 * checked.
 */
#ifndef COMB_EXTRACT_WIRE_H
#define COMB_EXTRACT_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/core/str.h"
#include "server/extract/limits.h"
#include "server/extract/outcome.h"

#define COMB_EXTRACT_CONTROL_FD 3
/* The payload of a packet, at most; text and content come in such pieces. */
#define COMB_EXTRACT_PAYLOAD_BYTES_MAX 65536u
#define COMB_EXTRACT_HINT_BYTES_MAX 255u

/* What comb-extract cannot go without, and what it found. */
enum comb_extract_confinement {
    COMB_EXTRACT_CONFINED_FULLY = 0, /* filter of system calls; empty root, no network */
    COMB_EXTRACT_CONFINED_BY_FILTER, /* the kernel or the container refuses namespaces */
    COMB_EXTRACT_CONFINEMENT_REFUSED /* no filter either: it ends */
};

/* The first thing on the control socket. */
struct comb_extract_hello {
    uint32_t version; /* COMB_EXTRACT_WIRE_VERSION */
    uint32_t confinement;
};

/* Changes with every change of a struct or packet. */
#define COMB_EXTRACT_WIRE_VERSION 0x45580001u

struct comb_extract_job {
    struct comb_extract_limits limits;
    uint32_t name_bytes, media_type_bytes;
    char name[COMB_EXTRACT_HINT_BYTES_MAX], media_type[COMB_EXTRACT_HINT_BYTES_MAX];
};

struct comb_extract_ended {
    int32_t wait_status; /* of waitpid() */
    int64_t cpu_us;
};

enum comb_extract_packet {
    /* from the file's process */
    COMB_EXTRACT_PACKET_MORE = 1, /* the next piece, please */
    COMB_EXTRACT_PACKET_TEXT,
    COMB_EXTRACT_PACKET_END, /* outcome and reason, a byte each */
    /* to it */
    COMB_EXTRACT_PACKET_CONTENT, /* empty: the end */
    COMB_EXTRACT_PACKET_FAILED   /* the content cannot be read */
};

/* False: no packet that the other side may send; *ret_payload is a view of packet. */
bool comb_extract_packet_parse(comb_str packet, enum comb_extract_packet *ret_packet,
                               comb_str *ret_payload);
/* The payload of an END. False: numbers that mean nothing, or that contradict each other. */
bool comb_extract_end_parse(comb_str payload, enum comb_extract_outcome *ret_outcome,
                            enum comb_extract_reason *ret_reason);

/* Sends one packet as a whole; flags of send(). False: errno. */
bool comb_extract_packet_send(int fd, enum comb_extract_packet packet, comb_str payload, int flags);

#endif
