/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_CREDENTIALS_H
#define GRPCC_SRC_CREDENTIALS_H

#include <grpc/grpc_security.h>

#include "grpcc/credentials.h"

struct grpcc_credentials {
    grpc_call_credentials *core;
    bool allow_plaintext;
};

#endif
