/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmongoc's errors and MongoDB's, translated once, each with what the operator has to do.
 * Sources: mongoc-error.h of libmongoc 1.23; MongoDB 6.0, src/mongo/base/error_codes.yml.
 */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/mongo/internal.h"

const char comb_mongo_domain[] = "docs.mongodb";

enum {
    DOWN = COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
    FULL = COMB_V1_ERROR_REASON_STORE_FULL,
    LARGE = COMB_V1_ERROR_REASON_TOO_LARGE,
    FAULT = COMB_V1_ERROR_REASON_INTERNAL
};

/* Domains, and ANY code of one. */
enum { ANY = 0 };

/* The first row that fits counts. */
static const struct row {
    uint32_t domain, code;
    enum comb_status status;
    int reason;
    bool retryable;
    bool unsent;      /* a write did not happen */
    const char *text; /* NULL: the store's own words */
} table[] = {
    {MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE, COMB_FAILED_PRECONDITION, 0, false,
     true,
     "MongoDB refuses the user or the password: correct --docs-credentials-file, or authSource in "
     "the URL"},
    {MONGOC_ERROR_SERVER, 18, COMB_FAILED_PRECONDITION, 0, false, true,
     "MongoDB refuses the user or the password: correct --docs-credentials-file, or authSource in "
     "the URL"},
    {MONGOC_ERROR_SCRAM, ANY, COMB_FAILED_PRECONDITION, 0, false, true,
     "MongoDB and combd do not agree on a log-in: it has to take SCRAM-SHA-256 or SCRAM-SHA-1"},
    {MONGOC_ERROR_SERVER, 13, COMB_FAILED_PRECONDITION, 0, false, true,
     "MongoDB's user may not do this: it needs the role readWrite on the database of the URL; "
     "without a user, give --docs-credentials-file"},
    {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_NAME_RESOLUTION, COMB_UNAVAILABLE, DOWN, true, true,
     "MongoDB's host name is not known: correct --docs, or the name service"},
    {MONGOC_ERROR_SERVER_SELECTION, ANY, COMB_UNAVAILABLE, DOWN, true, true, NULL},
    {MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, COMB_UNAVAILABLE, DOWN, true, true, NULL},
    {MONGOC_ERROR_STREAM, ANY, COMB_UNAVAILABLE, DOWN, true, false,
     "MongoDB broke the connection off, or did not answer in time"},
    {MONGOC_ERROR_POOL, ANY, COMB_UNAVAILABLE, DOWN, true, true, NULL},
    {MONGOC_ERROR_PROTOCOL, ANY, COMB_UNAVAILABLE, DOWN, true, false,
     "what answers does not speak MongoDB's protocol, or not a version that combd knows"},
    {MONGOC_ERROR_SERVER, 11000, COMB_ALREADY_EXISTS, 0, false, true, "a value is taken already"},
    {MONGOC_ERROR_SERVER, 50, COMB_DEADLINE_EXCEEDED, 0, true, true,
     "the deadline passed while MongoDB was at work"},
    {MONGOC_ERROR_SERVER, 85, COMB_FAILED_PRECONDITION, 0, false, true,
     "an index of MongoDB has the name of one of combd's and other options: drop it there"},
    {MONGOC_ERROR_SERVER, 86, COMB_FAILED_PRECONDITION, 0, false, true,
     "an index of MongoDB has the name of one of combd's and other keys: drop it there"},
    {MONGOC_ERROR_SERVER, 112, COMB_ABORTED, 0, true, true, "another write came between"},
    {MONGOC_ERROR_SERVER, 10334, COMB_RESOURCE_EXHAUSTED, LARGE, false, true,
     "a document is larger than MongoDB takes"},
    {MONGOC_ERROR_SERVER, 14031, COMB_RESOURCE_EXHAUSTED, FULL, true, true,
     "MongoDB's disk is full: make room there"},
    {MONGOC_ERROR_SERVER, 10107, COMB_UNAVAILABLE, DOWN, true, true,
     "this MongoDB is not the primary: name all members in the URL, with replicaSet"},
    {MONGOC_ERROR_SERVER, 13435, COMB_UNAVAILABLE, DOWN, true, true,
     "this MongoDB is not the primary: name all members in the URL, with replicaSet"},
    {MONGOC_ERROR_SERVER, 13436, COMB_UNAVAILABLE, DOWN, true, true,
     "this MongoDB is recovering: wait, or name all members in the URL, with replicaSet"},
    {MONGOC_ERROR_SERVER, 189, COMB_UNAVAILABLE, DOWN, true, false,
     "MongoDB's primary stepped down"},
    {MONGOC_ERROR_SERVER, 91, COMB_UNAVAILABLE, DOWN, true, false, "MongoDB is shutting down"},
    {MONGOC_ERROR_SERVER, 11600, COMB_UNAVAILABLE, DOWN, true, false, "MongoDB is shutting down"},
    {MONGOC_ERROR_SERVER, 11602, COMB_UNAVAILABLE, DOWN, true, false,
     "MongoDB's primary stepped down"},
    {MONGOC_ERROR_SERVER, 64, COMB_UNAVAILABLE, DOWN, true, false,
     "MongoDB's majority did not acknowledge the write in time"},
    {MONGOC_ERROR_WRITE_CONCERN, ANY, COMB_UNAVAILABLE, DOWN, true, false,
     "MongoDB's majority did not acknowledge the write"},
    {MONGOC_ERROR_SERVER, 100, COMB_UNAVAILABLE, DOWN, true, true,
     "MongoDB has too few members up to acknowledge a write"},
};

static const struct row *find(uint32_t domain, uint32_t code)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].domain == domain && (table[i].code == ANY || table[i].code == code))
            return &table[i];
    }
    return NULL;
}

bool comb_mongo_is_network(const bson_error_t *native)
{
    const struct row *row = find(native->domain, native->code);
    return row && row->status == COMB_UNAVAILABLE;
}

enum comb_status comb_mongo_judge(const bson_error_t *native, bool is_write, struct comb_error *err)
{
    const struct row *row = find(native->domain, native->code);
    enum comb_status status;
    if (row && row->text)
        status = comb_error_set(err, row->status, row->reason, "%s", row->text);
    else if (row)
        status = comb_error_set(err, row->status, row->reason, "MongoDB cannot be reached: %.190s",
                                native->message);
    else
        status = comb_error_set(err, COMB_INTERNAL, FAULT, "MongoDB answers: %.200s (%u/%u)",
                                native->message, native->domain, native->code);
    if (err) {
        err->domain = comb_mongo_domain;
        err->native = native->code;
        err->retryable = row && row->retryable;
        err->ambiguous = is_write && row && !row->unsent;
    }
    return status;
}

enum comb_status comb_mongo_judge_reply(comb_str reply, struct comb_error *err)
{
    bson_error_t native = {.domain = MONGOC_ERROR_SERVER};
    comb_str text = {0};
    bson_iter_t errors;
    comb_str first;
    if (comb_mongo_array(reply, "writeErrors", &errors) && comb_mongo_next(&errors, &first)) {
        native.code = (uint32_t)comb_mongo_integer(first, "code", 0);
        text = comb_mongo_text(first, "errmsg");
    } else if (comb_mongo_document(reply, "writeConcernError").ptr) {
        native.code = (uint32_t)comb_mongo_integer(reply, "writeConcernError.code", 64);
        native.domain = MONGOC_ERROR_WRITE_CONCERN;
        text = comb_mongo_text(reply, "writeConcernError.errmsg");
    } else {
        return COMB_OK;
    }
    bson_snprintf(native.message, sizeof native.message, "%.*s", COMB_STR_ARG(text));
    return comb_mongo_judge(&native, true, err);
}

enum comb_status comb_mongo_unreachable(struct comb_error *err, bool is_ambiguous, const char *why)
{
    comb_error_set(err, COMB_UNAVAILABLE, DOWN, "MongoDB cannot be reached: %.200s", why);
    if (err) {
        err->domain = comb_mongo_domain;
        err->retryable = true;
        err->ambiguous = is_ambiguous;
    }
    return COMB_UNAVAILABLE;
}
