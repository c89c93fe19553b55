/* SPDX-License-Identifier: Apache-2.0 */
/* Unary calls at a constant rate, whether or not those before have been answered. Each is timed
 * from the moment at which it was due, so that a stall counts for all the calls that it delays. */
#ifndef TESTS_BENCH_PACED_H
#define TESTS_BENCH_PACED_H

#include "tests/bench/load.h"

/* load->in_flight does not count here. Runs load->calls calls and waits. */
struct load_result paced_run(const struct load *load, double calls_per_s);

#endif
