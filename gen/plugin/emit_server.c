/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of a service: its table of handlers, and typed verbs for what a handler does
 * with its call. */
#include "gen/plugin/emit.h"

static void emit_slots(struct emit *emit, const struct model_service *service)
{
    struct text *out = emit->header;
    const char *tag = pool_printf(emit->pool, "%s_server", service->c_name);

    identifiers_declare_tag(emit->identifiers, emit->file, &service->place, tag);
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct model_method *method = &service->methods[i];

        identifiers_declare_member(emit->identifiers, emit->file, &method->place, tag,
                                   method->slot);
        emit_comment(out, method->place.comment, "    ");
        if (method->client_streaming)
            text_printf(out, "    void (*%s)(void *self, struct grpcc_call *call);\n",
                        method->slot);
        else
            text_printf(out,
                        "    void (*%s)(void *self, struct grpcc_call *call,\n"
                        "        const struct %s *request);\n",
                        method->slot, method->request->c_name);
    }
}

static void emit_finish(struct emit *emit, const struct model_method *method)
{
    emit_declare(emit, &method->place, method->c_name, "_finish");
    text_fill(emit->header,
              "\n"
              "/* Ends the call with OK and this response; NULL: the arena had no room for it. */\n"
              "static inline void\n"
              "$c$_finish(\n"
              "    struct grpcc_call *call, const struct $response$ *response)\n"
              "{\n"
              "    grpcc_call_finish(call, (const ProtobufCMessage *)response);\n"
              "}\n",
              "c", method->c_name, "response", method->response->c_name, NULL);
}

static void emit_send(struct emit *emit, const struct model_method *method)
{
    emit_declare(emit, &method->place, method->c_name, "_send");
    emit_declare(emit, &method->place, method->c_name, "_send_start");
    text_fill(
        emit->header,
        "\n"
        "/* Blocks until core has taken the message; grpcc_call_finish_ok() ends the stream. */\n"
        "GRPCC_MUST_CHECK static inline enum grpcc_status\n"
        "$c$_send(\n"
        "    struct grpcc_call *call, const struct $response$ *message,\n"
        "    struct grpcc_error *err)\n"
        "{\n"
        "    return grpcc_call_send(call, (const ProtobufCMessage *)message, err);\n"
        "}\n"
        "\n"
        "static inline void\n"
        "$c$_send_start(\n"
        "    struct grpcc_call *call, const struct $response$ *message,\n"
        "    void (*done)(void *data, enum grpcc_status status), void *data)\n"
        "{\n"
        "    grpcc_call_send_start(call, (const ProtobufCMessage *)message, done, data);\n"
        "}\n",
        "c", method->c_name, "response", method->response->c_name, NULL);
}

static void emit_read(struct emit *emit, const struct model_method *method)
{
    emit_declare(emit, &method->place, method->c_name, "_read");
    emit_declare(emit, &method->place, method->c_name, "_read_start");
    text_fill(
        emit->header,
        "\n"
        "/* Blocks for the next message; OK with *ret_message NULL at the end of the stream. */\n"
        "GRPCC_MUST_CHECK static inline enum grpcc_status\n"
        "$c$_read(\n"
        "    struct grpcc_call *call, struct grpcc_arena *arena,\n"
        "    struct $request$ **ret_message, struct grpcc_error *err)\n"
        "{\n"
        "    void *message = NULL;\n"
        "    enum grpcc_status status = grpcc_call_read(call, arena, &message, err);\n"
        "\n"
        "    if (status == GRPCC_OK)\n"
        "        *ret_message = (struct $request$ *)message;\n"
        "    return status;\n"
        "}\n"
        "\n"
        "static inline void\n"
        "$c$_read_start(\n"
        "    struct grpcc_call *call, struct grpcc_arena *arena,\n"
        "    void (*done)(void *data, enum grpcc_status status, struct $request$ *message,\n"
        "        const struct grpcc_error *err),\n"
        "    void *data)\n"
        "{\n"
        "    grpcc_call_read_start(call, arena,\n"
        "        (void (*)(void *, enum grpcc_status, void *, const struct grpcc_error *))done,\n"
        "        data);\n"
        "}\n",
        "c", method->c_name, "request", method->request->c_name, NULL);
}

void emit_service_server(struct emit *emit, const struct model_service *service)
{
    struct text *out = emit->header;
    const char *n = pool_printf(emit->pool, "%zu", service->n_methods);

    emit_declare(emit, &service->place, service->c_name, "_methods");
    emit_declare(emit, &service->place, service->c_name, "_service");
    emit_declare(emit, &service->place, service->c_name, "_register");
    text_fill(out,
              "\n"
              "/* Service $full$. */\n"
              "extern const struct grpcc_method $s$_methods[$n$];\n"
              "extern const struct grpcc_service $s$_service;\n"
              "\n",
              "full", service->full_name, "s", service->c_name, "n", n, NULL);
    emit_comment(out, service->place.comment, "");
    text_printf(out, "struct %s_server {\n", service->c_name);
    emit_slots(emit, service);
    text_fill(
        out,
        "};\n"
        "\n"
        "/* table and self live as long as the server; NULL in a slot answers UNIMPLEMENTED. */\n"
        "GRPCC_MUST_CHECK static inline enum grpcc_status\n"
        "$s$_register(\n"
        "    struct grpcc_server *server, const struct $s$_server *table,\n"
        "    void *self, struct grpcc_error *err)\n"
        "{\n"
        "    return grpcc_server_add_service_table(server, &$s$_service, table, sizeof(*table),\n"
        "        self, err);\n"
        "}\n",
        "s", service->c_name, NULL);
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct model_method *method = &service->methods[i];

        if (method->client_streaming)
            emit_read(emit, method);
        if (method->server_streaming)
            emit_send(emit, method);
        else
            emit_finish(emit, method);
    }
}
