/* SPDX-License-Identifier: Apache-2.0 */
/* Media types of files whose writer did not say. */
#ifndef COMB_DATA_MEDIA_TYPE_H
#define COMB_DATA_MEDIA_TYPE_H

#include "server/core/str.h"

/* By the name's extension, in either case; "application/octet-stream" where it has none that is
 * known. Static storage. */
comb_str comb_media_type_of_name(comb_str name);
/* "type/subtype" with optional parameters, printable ASCII. */
bool comb_media_type_is_valid(comb_str media_type);

#endif
