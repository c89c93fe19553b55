/* SPDX-License-Identifier: Apache-2.0 */
/* The store of the search index that the test is linked with: driver_sqlite.c or driver_mongodb.c.
 */
#ifndef TESTS_CONTRACT_SEARCH_DRIVER_H
#define TESTS_CONTRACT_SEARCH_DRIVER_H

#include "server/search/search_driver.h"

/* Opens an empty one; there is one at a time. */
struct comb_search_store *search_driver_open(void);
void search_driver_close(struct comb_search_store *store);

#endif
