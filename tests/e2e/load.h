/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mixed load through one client of several replicas, while a test breaks them: folders made,
 * files sent and read back, reads, a watch. What was acknowledged is compared with what is there
 * and with what the feed tells. Prints a row of the table of faults.
 */
#ifndef TESTS_E2E_LOAD_H
#define TESTS_E2E_LOAD_H

#include <stdint.h>

#include "comb/client.h"

struct load;

struct load_report {
    unsigned calls, errors;
    char error[GRPCC_STATUS_MESSAGE_MAX + 128]; /* the first, "" */
    unsigned acknowledged;                      /* folders made */
    unsigned lost, twice;      /* of those: that are not there, that were made more than once */
    unsigned missed;           /* that the watch did not tell */
    unsigned told_twice;       /* that it told more than once */
    double p99_ms, longest_ms; /* of calls; large files are left out */
    double gap_ms;             /* longest time without any call that ended well */
};

/* Works in /personal/NAME until it is stopped. */
struct load *load_start(struct comb_client *client, const char *name);
/* Waits until n more calls have ended well. */
void load_await(struct load *load, unsigned n);
/* Ends all, and looks at what is there, by strong reads of client. */
void load_stop(struct load *load, struct load_report *ret_report);

/* "| FAULT | errors | gap | longest | p99 | lost | twice |" */
void load_print_head(void);
void load_print(const char *fault, const struct load_report *report);
/* Fails the test unless nobody saw anything. */
void load_must_be_clean(const struct load_report *report);

#endif
