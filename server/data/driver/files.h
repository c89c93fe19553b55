/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the files driver share. */
#ifndef COMB_DATA_FILES_H
#define COMB_DATA_FILES_H

#include "server/data/blob_driver.h"

extern const struct comb_blob_driver comb_blob_driver_files;

/*
 * Maps an errno to the error of the call. doing: what failed, for the message ("write a blob").
 * The message names no path: those are internals.
 */
enum comb_status comb_files_error(struct comb_error *err, int native, const char *doing);

#endif
