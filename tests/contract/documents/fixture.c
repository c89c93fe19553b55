/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/documents/fixture.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/docs_row.h"

int fixture_setup_all(void **state)
{
    static struct fixture f;
    struct comb_error err;
    f.docs = test_docs_row_open();
    must_ok(comb_documents_store_open(f.docs, &f.store, &err), &err);
    must_ok(comb_documents_new(f.store, &f.documents, &err), &err);
    test_ctx_init(&f.admin);
    test_ctx_init(&f.user);
    test_ctx_init(&f.other);
    f.admin.principal.administrator = true;
    *state = &f;
    return 0;
}

int fixture_teardown_all(void **state)
{
    struct fixture *f = *state;
    comb_documents_free(f->documents);
    comb_documents_store_close(f->store);
    test_docs_row_close(f->docs);
    test_ctx_done(&f->admin);
    test_ctx_done(&f->user);
    test_ctx_done(&f->other);
    return 0;
}

int fixture_setup(void **state)
{
    static int number;
    struct fixture *f = *state;
    struct comb_document_store store;
    test_ctx_next(&f->admin);
    test_ctx_next(&f->user);
    test_ctx_next(&f->other);
    snprintf(f->name, sizeof f->name, "store-%d", ++number);
    must_ok(comb_documents_set_store(f->documents, &f->admin.ctx, comb_str_from(f->name),
                                     COMB_DOCUMENT_PRIVATE, &store, &f->admin.err),
            &f->admin.err);
    return 0;
}

struct comb_request_key key_new(void)
{
    struct comb_request_key key = {.id = comb_uuid_new()};
    return key;
}

int64_t put(struct fixture *f, struct test_ctx *as, const char *id, const char *body)
{
    const struct comb_request_key key = key_new();
    const struct comb_document_put one = {.store = comb_str_from(f->name),
                                          .id = comb_str_from(id),
                                          .body = comb_str_from(body),
                                          .owner = as->principal.user};
    int64_t revision = 0;
    test_ctx_next(as);
    must_ok(comb_documents_put(f->documents, &as->ctx, &key, &one, &revision, &as->err), &as->err);
    return revision;
}

void declare(struct fixture *f, const char *name, bool by_owner, const char *path, const char *then)
{
    struct comb_document_index index = {.name = comb_str_from(name),
                                        .paths = {comb_str_from(path)},
                                        .n_paths = 1,
                                        .by_owner = by_owner};
    struct comb_document_store store;
    if (then)
        index.paths[index.n_paths++] = comb_str_from(then);
    must_ok(comb_documents_declare_index(f->documents, &f->admin.ctx, comb_str_from(f->name),
                                         &index, &store, &f->admin.err),
            &f->admin.err);
}

void find(struct fixture *f, struct test_ctx *as, const struct comb_document_query *query,
          size_t max, char *ret_text, size_t size)
{
    struct comb_document_query page_query = *query;
    struct comb_document_page page;
    char after[1024];
    size_t len = 0;
    page_query.store = comb_str_from(f->name);
    page_query.max = max;
    ret_text[0] = '\0';
    do {
        must_ok(comb_documents_query(f->documents, &as->ctx, &page_query, &page, &as->err),
                &as->err);
        for (size_t i = 0; i < page.n; i++) {
            len += (size_t)snprintf(ret_text + len, size - len, "%s%.*s", len ? " " : "",
                                    COMB_STR_ARG(page.documents[i].id));
            assert_true(len < size);
        }
        /* What a token may hold. */
        assert_true(page.next.len < sizeof after);
        memcpy(after, page.next.ptr ? page.next.ptr : "", page.next.len);
        page_query.after = comb_str_of(after, page.next.len);
        test_ctx_next(as);
    } while (page_query.after.len > 0);
}
