/* SPDX-License-Identifier: Apache-2.0 */
/* The server as programs make it: with the services that every gRPC server has. */
#include "gen/runtime/src/server/server.h"

struct grpcc_server *grpcc_server_new(const struct grpcc_server_options *options,
                                      struct grpcc_error *err)
{
    struct grpcc_server *server = grpcc_server_core_new(options, err);
    enum grpcc_status status = GRPCC_OK;
    if (!server)
        return NULL;
    if (!server->options.no_health)
        status = grpcc_health_serve(server, err);
    if (!status && !server->options.no_reflection)
        status = grpcc_reflection_serve(server, err);
    if (!status)
        return server;
    grpcc_server_free(server);
    return NULL;
}
