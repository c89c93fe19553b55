/* SPDX-License-Identifier: Apache-2.0 */
/* The const tables of a service, which the runtime and the server's dispatcher read. */
#include "gen/plugin/emit.h"

static const char *kind_of(const struct model_method *method)
{
    if (method->client_streaming)
        return method->server_streaming ? "GRPCC_BIDI_STREAM" : "GRPCC_CLIENT_STREAM";
    return method->server_streaming ? "GRPCC_SERVER_STREAM" : "GRPCC_UNARY";
}

/* Packed again from what protobuf-c parsed: it keeps custom options as unknown fields, byte for
 * byte. */
static size_t emit_options(struct emit *emit, const struct model_method *method)
{
    size_t size;
    uint8_t *bytes;

    if (!method->options)
        return 0;
    size = google__protobuf__method_options__get_packed_size(method->options);
    if (size == 0)
        return 0;
    bytes = pool_alloc(emit->pool, size);
    google__protobuf__method_options__pack(method->options, bytes);
    text_printf(emit->source, "static const uint8_t %s_options_[] = {\n", method->c_name);
    emit_bytes(emit->source, bytes, size);
    text_puts(emit->source, "};\n");
    return size;
}

static void emit_method_row(struct emit *emit, const struct model_service *service,
                            const struct model_method *method, size_t options_size)
{
    text_fill(emit->source,
              "    {\n"
              "        .name = \"$name$\",\n"
              "        .path = \"/$service$/$name$\",\n"
              "        .kind = $kind$,\n"
              "        .request = &$request$_descriptor,\n"
              "        .response = &$response$_descriptor,\n",
              "name", method->name, "service", service->full_name, "kind", kind_of(method),
              "request", method->request->c_name, "response", method->response->c_name, NULL);
    if (options_size > 0)
        text_printf(emit->source, "        .options = %s_options_,\n        .options_size = %zu,\n",
                    method->c_name, options_size);
    text_puts(emit->source, "    },\n");
}

void emit_service_tables(struct emit *emit, const struct model_service *service)
{
    size_t *sizes = pool_array(emit->pool, service->n_methods, sizeof(*sizes));
    const char *n = pool_printf(emit->pool, "%zu", service->n_methods);

    text_puts(emit->source, "\n");
    for (size_t i = 0; i < service->n_methods; i++)
        sizes[i] = emit_options(emit, &service->methods[i]);
    text_printf(emit->source, "static const struct grpcc_method %s_methods_[%s] = {\n",
                service->c_name, n);
    for (size_t i = 0; i < service->n_methods; i++)
        emit_method_row(emit, service, &service->methods[i], sizes[i]);
    text_fill(emit->source,
              "};\n"
              "/* A program that names the array of a shared library gets a copy, as long as the\n"
              " * array was when it was built: the library itself never reads that name. */\n"
              "extern const struct grpcc_method $s$_methods[$n$]\n"
              "    __attribute__((alias(\"$s$_methods_\")));\n"
              "const struct grpcc_service $s$_service = {\n"
              "    .name = \"$full$\",\n"
              "    .file = &$file$_file,\n"
              "    .methods = $s$_methods_,\n"
              "    .n_methods = $n$,\n"
              "};\n"
              "_Static_assert(sizeof(struct $s$_server) == $n$ * sizeof(void (*)(void)),\n"
              "    \"the runtime reads the table as an array of function pointers\");\n",
              "s", service->c_name, "full", service->full_name, "file", emit->file->c_name, "n", n,
              NULL);
}
