/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes that GCC and Clang share, spelt once. */
#ifndef COMB_CORE_COMPILER_H
#define COMB_CORE_COMPILER_H

#define COMB_FORMAT(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#define COMB_MUST_CHECK __attribute__((warn_unused_result))
#define COMB_NONNULL __attribute__((nonnull))
/* Calls function(&variable) when the variable leaves its scope. */
#define COMB_CLEANUP(function) __attribute__((cleanup(function)))

#endif
