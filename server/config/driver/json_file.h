/* SPDX-License-Identifier: Apache-2.0 */
/* The json driver's file: locked for one process, read whole, replaced whole. */
#ifndef COMB_CONFIG_JSON_FILE_H
#define COMB_CONFIG_JSON_FILE_H

#include <sys/stat.h>

#include "server/config/config_driver.h"

/* 10,000 values of 64 KiB would not fit; a file that people edit is not so large. */
enum { CONFIG_FILE_BYTES_MAX = 64 << 20 };

struct config_file {
    char *path, *lock_path, *new_path, *backup_path, *folder;
    int lock;
    /* What the file was when it was read or written last; ino 0: there was none. */
    struct stat known;
};

/* FAILED_PRECONDITION: another process has it. */
enum comb_status config_file_open(comb_str path, struct config_file *ret_file,
                                  struct comb_error *err) COMB_MUST_CHECK;
void config_file_close(struct config_file *file);
/* Somebody else has written, replaced or removed it since. */
bool config_file_has_changed(const struct config_file *file);
/* *ret_text in arena, ptr NULL: there is none. What is read counts as known, also where it turns
 * out to be of no use. */
enum comb_status config_file_read(struct config_file *file, struct grpcc_arena *arena,
                                  comb_str *ret_text, struct comb_error *err) COMB_MUST_CHECK;
/* Durable when it returns OK; PATH.bak is then what was there before. err->ambiguous: it may be the
 * one or the other after a loss of power. */
enum comb_status config_file_write(struct config_file *file, comb_str text,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Whether text could be written: is there room, are there rights? */
enum comb_status config_file_try(struct config_file *file, comb_str text,
                                 struct comb_error *err) COMB_MUST_CHECK;

#endif
