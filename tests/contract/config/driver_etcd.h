/* SPDX-License-Identifier: Apache-2.0 */
/* For fault tests: the etcd that driver_url() started, or that the test started before. */
#ifndef COMB_TESTS_CONTRACT_CONFIG_DRIVER_ETCD_H
#define COMB_TESTS_CONTRACT_CONFIG_DRIVER_ETCD_H

#include "tests/support/etcd_server.h"

extern struct etcd_server driver_server;

#endif
