/* SPDX-License-Identifier: Apache-2.0 */
/* The version of this source tree, for the server, the SDK and their man pages. */
#ifndef COMB_CORE_VERSION_H
#define COMB_CORE_VERSION_H

#define COMB_VERSION "0.1.0"

#endif
