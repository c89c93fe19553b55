/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An exported audit trail, a text: lines of words, numbers in decimal, bytes in hexadecimal.
 *
 *   comb-audit-export-1 INSTALLATION
 *   floor NUMBER TIME_US KEY HASH SIGNATURE        where older lines were trimmed
 *   head NUMBER TIME_US KEY HASH SIGNATURE         where one has been signed
 *   line NUMBER TIME_US BEFORE HASH RECORD         every line, in order
 */
#ifndef COMB_CLI_AUDIT_FILE_H
#define COMB_CLI_AUDIT_FILE_H

#include <stdio.h>

#include "api/audit/trail.h"
#include "comb/v1/audit.grpcc.h"

/* Writes a part of it. Errors: ferror(out). */
void cli_audit_write(FILE *out, const struct comb_v1_audit_export_response *part);

/* How a check of a file ended. */
enum cli_audit_check { CLI_AUDIT_CHECKED, CLI_AUDIT_MALFORMED, CLI_AUDIT_NO_MEMORY };

/* Checks a file; *ret_line: where it is malformed. *ret_signed: up to which line a head is signed.
 * Lines without any head prove nothing: NO_HEAD. */
enum cli_audit_check cli_audit_check(FILE *in, const uint8_t public_key[COMB_AUDIT_KEY_SIZE],
                                     struct comb_audit_verifier *verifier, uint64_t *ret_signed,
                                     size_t *ret_line);

#endif
