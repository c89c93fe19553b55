/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A secret out of a file that an operator wrote: a password, a key pair, a token. It lies in pages
 * of its own, which core files leave out, until it is wiped.
 */
#ifndef COMB_SECRET_H
#define COMB_SECRET_H

#include <stdbool.h>
#include <sys/types.h>

#include "server/core/error.h"
#include "server/core/str.h"

/* Largest file of a secret, in bytes. */
#define COMB_SECRET_BYTES_MAX 4096

struct comb_secret {
    char *bytes; /* zero-terminated; NULL: none */
    size_t len;
};

/*
 * Whether a file of mode and owner keeps a secret for a process of user: nobody but its owner may
 * read or write it. Root's may be read by its group as well (mode 0440): that is how Kubernetes
 * and systemd hand secrets to a process that is not root.
 */
bool comb_secret_is_private(mode_t mode, uid_t owner, uid_t user);
/*
 * Reads path, which is private (above) and belongs to this process' user or to root. The end of its
 * last line is cut off. flag names it in errors: FAILED_PRECONDITION, with what to do, where it is
 * missing, open to others, no file, empty or too long. secret must be empty; comb_secret_done()
 * wipes it.
 */
enum comb_status comb_secret_read(struct comb_secret *secret, const char *flag, const char *path,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Keeps a copy of value. INVALID_ARGUMENT: it is empty or too long. */
enum comb_status comb_secret_copy(struct comb_secret *secret, const char *flag, comb_str value,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Overwrites it and gives its pages back. Fine where it is empty. */
void comb_secret_done(struct comb_secret *secret);

#endif
