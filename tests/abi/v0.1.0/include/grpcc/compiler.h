/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that GCC and Clang share, spelt once. */
#ifndef GRPCC_COMPILER_H
#define GRPCC_COMPILER_H

#define GRPCC_FORMAT(format_index, first_argument)                                                 \
    __attribute__((format(printf, format_index, first_argument)))
#define GRPCC_MUST_CHECK __attribute__((warn_unused_result))

#endif
