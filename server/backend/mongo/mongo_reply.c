/* SPDX-License-Identifier: Apache-2.0 */
/* Reading BSON documents that lie in memory of others. */
#include "server/backend/mongo/mongo.h"

comb_str comb_mongo_view(const bson_t *document)
{
    const uint8_t *bytes = bson_get_data(document);
    uint32_t length = 0;
    memcpy(&length, bytes, sizeof length);
    return comb_str_of((const char *)bytes, BSON_UINT32_FROM_LE(length));
}

bool comb_mongo_find(comb_str document, const char *path, bson_iter_t *ret_member)
{
    bson_iter_t at;
    return document.ptr &&
           bson_iter_init_from_data(&at, (const uint8_t *)document.ptr, document.len) &&
           bson_iter_find_descendant(&at, path, ret_member);
}

int64_t comb_mongo_integer(comb_str document, const char *path, int64_t otherwise)
{
    bson_iter_t member;
    if (!comb_mongo_find(document, path, &member))
        return otherwise;
    switch (bson_iter_type(&member)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
    case BSON_TYPE_DOUBLE:
    case BSON_TYPE_BOOL:
        return bson_iter_as_int64(&member);
    default:
        return otherwise;
    }
}

comb_str comb_mongo_text(comb_str document, const char *path)
{
    bson_iter_t member;
    uint32_t length = 0;
    if (!comb_mongo_find(document, path, &member) || !BSON_ITER_HOLDS_UTF8(&member))
        return (comb_str){0};
    const char *text = bson_iter_utf8(&member, &length);
    return comb_str_of(text, length);
}

comb_str comb_mongo_bytes(comb_str document, const char *path)
{
    bson_iter_t member;
    bson_subtype_t subtype;
    uint32_t length = 0;
    const uint8_t *bytes = NULL;
    if (!comb_mongo_find(document, path, &member) || !BSON_ITER_HOLDS_BINARY(&member))
        return (comb_str){0};
    bson_iter_binary(&member, &subtype, &length, &bytes);
    return comb_str_of((const char *)bytes, length);
}

static comb_str document_at(const bson_iter_t *member)
{
    const uint8_t *bytes = NULL;
    uint32_t length = 0;
    if (!BSON_ITER_HOLDS_DOCUMENT(member))
        return (comb_str){0};
    bson_iter_document(member, &length, &bytes);
    return comb_str_of((const char *)bytes, length);
}

comb_str comb_mongo_document(comb_str document, const char *path)
{
    bson_iter_t member;
    return comb_mongo_find(document, path, &member) ? document_at(&member) : (comb_str){0};
}

bool comb_mongo_array(comb_str document, const char *path, bson_iter_t *ret_array)
{
    bson_iter_t member;
    return comb_mongo_find(document, path, &member) && BSON_ITER_HOLDS_ARRAY(&member) &&
           bson_iter_recurse(&member, ret_array);
}

bool comb_mongo_next(bson_iter_t *array, comb_str *ret_document)
{
    while (bson_iter_next(array)) {
        comb_str document = document_at(array);
        if (document.ptr) {
            *ret_document = document;
            return true;
        }
    }
    return false;
}
