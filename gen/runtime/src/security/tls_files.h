/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates on their way from the program's files to core.
 *
 * Core's own watcher hands whatever it finds to OpenSSL: a certificate that was replaced a moment
 * before its key leaves it with neither, and every handshake fails until both fit. So core watches
 * files in memory that only this writes, each time as a whole and after it was tried; a thread of
 * the process looks at the program's.
 */
#ifndef GRPCC_SRC_TLS_FILES_H
#define GRPCC_SRC_TLS_FILES_H

#include <grpc/grpc_security.h>

#include "grpcc/status.h"

struct grpcc_tls_files;

/* NULL: there is none. Copied. */
struct grpcc_tls_sources {
    const char *certificate_file;
    const char *key_file;
    const char *ca_file;
    const char *crl_directory; /* only with a ca_file */
    unsigned reload_s;         /* 0: the default */
};

/* Reads and tries all of it: INVALID_ARGUMENT says which file is wrong, and how. Who gives the same
 * sources shares them. Pairs with _close. */
enum grpcc_status grpcc_tls_files_open(const struct grpcc_tls_sources *sources,
                                       struct grpcc_tls_files **ret_files,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Nothing is read again; what was read is forgotten a little later. NULL is fine. */
void grpcc_tls_files_close(struct grpcc_tls_files *files);
/* Options for credentials of either side that watch these files; the caller's. */
grpc_tls_credentials_options *grpcc_tls_files_options(const struct grpcc_tls_files *files);

#endif
