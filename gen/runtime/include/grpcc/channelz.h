/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.channelz.v1 (gRFC A14): what gRPC core counts of this process's channels, servers and
 * connections, for grpcurl, grpcdebug and the like. In a library of its own,
 * //gen/runtime:channelz.
 *
 * It tells addresses, certificates and who is called: serve it where only operators come, on a
 * server of its own (every service of a server is served on all of its listeners), or behind an
 * interceptor that asks who it is.
 */
#ifndef GRPCC_CHANNELZ_H
#define GRPCC_CHANNELZ_H

#include "grpcc/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Adds grpc.channelz.v1.Channelz to server; it runs on pollers, as the built-in services do, so it
 * answers while every worker is busy. It covers the whole process, whichever server serves it.
 * Before grpcc_server_start(). ALREADY_EXISTS where it is served already.
 */
enum grpcc_status grpcc_channelz_register(struct grpcc_server *server,
                                          struct grpcc_error *err) GRPCC_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
