/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>

#include "grpcc/server.h"

enum grpcc_status grpcc_server_run(struct grpcc_server *server, unsigned delay_ms,
                                   unsigned grace_ms, struct grpcc_error *err)
{
    sigset_t ends, before;
    int received = 0;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
    enum grpcc_status status = grpcc_server_start(server, err);
    if (!status) {
        sigwait(&ends, &received);
        grpcc_server_drain(server, delay_ms, grace_ms);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
