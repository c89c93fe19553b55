/* SPDX-License-Identifier: Apache-2.0 */
/* Whether OpenSSL can use PEM text, tried as core is going to. */
#ifndef GRPCC_SRC_TLS_CHECK_H
#define GRPCC_SRC_TLS_CHECK_H

#include <stddef.h>

/* A certificate, its chain and its key. NULL: usable; else what is wrong, static text or OpenSSL's.
 */
const char *grpcc_tls_check_identity(const char *pem, size_t length);
/* At least one certificate. */
const char *grpcc_tls_check_roots(const char *pem, size_t length);

#endif
