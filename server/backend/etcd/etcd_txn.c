/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and the parts of transactions. */
#include <string.h>

#include "server/backend/etcd/etcd_internal.h"

ProtobufCBinaryData comb_etcd_key(const struct comb_etcd *etcd, struct grpcc_arena *arena,
                                  comb_str name)
{
    size_t len = etcd->prefix.len + name.len;
    uint8_t *data = grpcc_arena_alloc(arena, len);

    if (!data)
        return (ProtobufCBinaryData){0};
    memcpy(data, etcd->prefix.ptr, etcd->prefix.len);
    if (name.len > 0)
        memcpy(data + etcd->prefix.len, name.ptr, name.len);
    return (ProtobufCBinaryData){.len = len, .data = data};
}

ProtobufCBinaryData comb_etcd_key_end(struct grpcc_arena *arena, ProtobufCBinaryData key)
{
    uint8_t *data = grpcc_arena_memdup(arena, key.data, key.len);
    size_t len = key.len;

    if (!data)
        return (ProtobufCBinaryData){0};
    while (len > 1 && data[len - 1] == 0xff)
        len--;
    data[len - 1]++;
    return (ProtobufCBinaryData){.len = len, .data = data};
}

comb_str comb_etcd_key_name(const struct comb_etcd *etcd, ProtobufCBinaryData key)
{
    comb_str text = comb_etcd_str(key);

    if (!comb_str_starts_with(text, etcd->prefix))
        return (comb_str){0};
    return comb_str_of(text.ptr + etcd->prefix.len, text.len - etcd->prefix.len);
}

bool comb_etcd_txn_compare(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                           ProtobufCBinaryData key, enum comb_etcd_target target, int64_t number)
{
    struct etcdserverpb_compare *compare = etcdserverpb_compare_new(arena);

    if (!compare || !key.data)
        return false;
    compare->key = key;
    compare->target = (int32_t)target;
    if (target == COMB_ETCD_VERSION)
        etcdserverpb_compare_set_version(compare, number);
    else if (target == COMB_ETCD_CREATED)
        etcdserverpb_compare_set_create_revision(compare, number);
    else
        etcdserverpb_compare_set_mod_revision(compare, number);
    return etcdserverpb_txn_request_add_compare(arena, txn, compare);
}

bool comb_etcd_txn_put(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                       ProtobufCBinaryData key, comb_str value, int64_t lease)
{
    struct etcdserverpb_request_op *op = etcdserverpb_request_op_new(arena);
    struct etcdserverpb_put_request *put = etcdserverpb_put_request_new(arena);

    if (!op || !put || !key.data)
        return false;
    put->key = key;
    put->value = comb_etcd_bytes(value);
    put->lease = lease;
    etcdserverpb_request_op_set_put(op, put);
    return etcdserverpb_txn_request_add_success(arena, txn, op);
}

bool comb_etcd_txn_delete(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                          ProtobufCBinaryData key)
{
    struct etcdserverpb_request_op *op = etcdserverpb_request_op_new(arena);
    struct etcdserverpb_delete_range_request *request =
        etcdserverpb_delete_range_request_new(arena);

    if (!op || !request || !key.data)
        return false;
    request->key = key;
    etcdserverpb_request_op_set_delete_range(op, request);
    return etcdserverpb_txn_request_add_success(arena, txn, op);
}

bool comb_etcd_txn_else_get(struct grpcc_arena *arena, struct etcdserverpb_txn_request *txn,
                            ProtobufCBinaryData key)
{
    struct etcdserverpb_request_op *op = etcdserverpb_request_op_new(arena);
    struct etcdserverpb_range_request *range = etcdserverpb_range_request_new(arena);

    if (!op || !range || !key.data)
        return false;
    range->key = key;
    etcdserverpb_request_op_set_range(op, range);
    return etcdserverpb_txn_request_add_failure(arena, txn, op);
}
