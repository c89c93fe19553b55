/* SPDX-License-Identifier: Apache-2.0 */
/* A value as it lies in etcd: {"actor": …, "time_us": …, "value": …}. */
#ifndef COMB_CONFIG_ETCD_ENTRY_H
#define COMB_CONFIG_ETCD_ENTRY_H

#include "server/backend/etcd/etcd.grpcc.h"
#include "server/config/config_driver.h"

/* DATA_LOSS: what lies there was not put there by this driver. err may be NULL. */
enum comb_status config_etcd_entry(struct grpcc_arena *arena, comb_str path,
                                   const struct etcdserverpb_key_value *kv,
                                   struct comb_config_entry *ret_entry,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* value.ptr NULL: a deletion. ptr NULL: no room, or value is not JSON. */
comb_str config_etcd_text(struct grpcc_arena *arena, comb_str value, int64_t time_us,
                          comb_str actor);

#endif
