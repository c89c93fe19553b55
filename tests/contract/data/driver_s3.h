/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint below a fixture of the S3 driver. */
#ifndef COMB_TESTS_CONTRACT_DATA_DRIVER_S3_H
#define COMB_TESTS_CONTRACT_DATA_DRIVER_S3_H

#include "tests/support/s3_server.h"

/* The one that all cases of the test share. */
struct s3_server *fixture_s3_server(void);

#endif
