/* SPDX-License-Identifier: Apache-2.0 */
/* comb-extract as combd uses it: where it lies, and the pool that the flags describe. */
#ifndef COMB_EXTRACTOR_H
#define COMB_EXTRACTOR_H

#include <stdio.h>

#include "server/extract/extract.h"
#include "server/options.h"

/* *ret_slow: a pool of its own for files that take long. Both NULL: there is no comb-extract, or
 * none is wanted; a warning says that contents will not be searched. Its errors are those of
 * comb_extract_new() but for a missing program. */
enum comb_status comb_extractor_open(const struct comb_options *options,
                                     struct comb_extract **ret_extract,
                                     struct comb_extract **ret_slow,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* `combd --check`: a line as those of the rows, where there is a comb-extract or one is named.
 * False: it cannot be used. */
bool comb_extractor_check(const struct comb_options *options, FILE *to) COMB_MUST_CHECK;

#endif
