/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.testing.TestService as the descriptions of the interop cases want it. */
#ifndef INTEROP_SERVICE_H
#define INTEROP_SERVICE_H

#include "grpc/testing/test.grpcc.h"

/* Its self is a struct interop_service. */
extern const struct grpc_testing_test_service_server interop_service_table;

struct interop_service {
    char server_id[64]; /* of this process, unlike any other's */
    char hostname[256];
};
void interop_service_init(struct interop_service *service);

#endif
