/* SPDX-License-Identifier: Apache-2.0 */
/* The server as programs make it: with the services that every server of gRPC has. */
#include "server.h"

struct grpcc_server *grpcc_server_new(const struct grpcc_server_options *options,
                                      struct grpcc_error *err)
{
    return grpcc_server_core_new(options, err);
}
