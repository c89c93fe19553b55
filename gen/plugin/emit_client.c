/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of a service: a function per unary method, a handle with typed verbs per
 * streaming one. */
#include "gen/plugin/emit.h"

static void emit_unary(struct emit *emit, const struct model_method *method, const char *entry)
{
    emit_declare(emit, &method->place, method->c_name, "");
    emit_declare(emit, &method->place, method->c_name, "_start");
    text_puts(emit->header, "\n");
    emit_comment(emit->header, method->place.comment, "");
    text_fill(
        emit->header,
        "GRPCC_MUST_CHECK static inline enum grpcc_status\n"
        "$c$(\n"
        "    struct grpcc_channel *channel, struct grpcc_arena *arena,\n"
        "    const struct grpcc_call_options *options, const struct $request$ *request,\n"
        "    struct $response$ **ret_response, struct grpcc_error *err)\n"
        "{\n"
        "    void *response = NULL;\n"
        "    enum grpcc_status status = grpcc_unary(channel, $entry$, arena,\n"
        "        options, &request->base, &response, err);\n"
        "\n"
        "    if (status == GRPCC_OK)\n"
        "        *ret_response = (struct $response$ *)response;\n"
        "    return status;\n"
        "}\n"
        "\n"
        "/* As above without blocking: done runs once, on the poller, where nothing may block. */\n"
        "static inline void\n"
        "$c$_start(\n"
        "    struct grpcc_channel *channel, struct grpcc_arena *arena,\n"
        "    const struct grpcc_call_options *options, const struct $request$ *request,\n"
        "    void (*done)(void *data, enum grpcc_status status, struct $response$ *response,\n"
        "        const struct grpcc_error *err),\n"
        "    void *data, struct grpcc_client_call **ret_call)\n"
        "{\n"
        "    grpcc_unary_start(channel, $entry$, arena, options,\n"
        "        &request->base, (grpcc_unary_done)done, data, ret_call);\n"
        "}\n",
        "c", method->c_name, "request", method->request->c_name, "response",
        method->response->c_name, "entry", entry, NULL);
}

static void emit_open(struct emit *emit, const struct model_method *method, const char *entry)
{
    const char *parameter =
        method->client_streaming
            ? ""
            : pool_printf(emit->pool, "const struct %s *request, ", method->request->c_name);

    emit_declare(emit, &method->place, method->c_name, "_stream_open");
    text_puts(emit->header, "\n");
    emit_comment(emit->header, method->place.comment, "");
    text_fill(emit->header,
              "struct $c$_stream;\n"
              "\n"
              "/* NULL and err: the call could not be started. */\n"
              "GRPCC_MUST_CHECK static inline struct $c$_stream *\n"
              "$c$_stream_open(\n"
              "    struct grpcc_channel *channel,\n"
              "    const struct grpcc_call_options *options, $parameter$struct grpcc_error *err)\n"
              "{\n"
              "    return (struct $c$_stream *)grpcc_stream_open(channel,\n"
              "        $entry$, options, $request$, err);\n"
              "}\n",
              "c", method->c_name, "parameter", parameter, "entry", entry, "request",
              method->client_streaming ? "NULL" : "&request->base", NULL);
}

static void emit_stream_read(struct emit *emit, const struct model_method *method)
{
    emit_declare(emit, &method->place, method->c_name, "_stream_read");
    emit_declare(emit, &method->place, method->c_name, "_stream_read_start");
    text_fill(
        emit->header,
        "\n"
        "/* 1: *ret_message is the next one; 0: the stream has ended, _finish tells how; -1: in "
        "err. */\n"
        "GRPCC_MUST_CHECK static inline int\n"
        "$c$_stream_read(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena,\n"
        "    struct $response$ **ret_message, struct grpcc_error *err)\n"
        "{\n"
        "    void *message = NULL;\n"
        "    int result =\n"
        "        grpcc_stream_read((struct grpcc_client_call *)stream, arena, &message, err);\n"
        "\n"
        "    if (result > 0)\n"
        "        *ret_message = (struct $response$ *)message;\n"
        "    return result;\n"
        "}\n"
        "\n"
        "static inline void\n"
        "$c$_stream_read_start(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena,\n"
        "    void (*done)(void *data, int result, struct $response$ *message,\n"
        "        const struct grpcc_error *err),\n"
        "    void *data)\n"
        "{\n"
        "    grpcc_stream_read_start((struct grpcc_client_call *)stream, arena,\n"
        "        (void (*)(void *, int, void *, const struct grpcc_error *))done, data);\n"
        "}\n",
        "c", method->c_name, "response", method->response->c_name, NULL);
}

static void emit_stream_write(struct emit *emit, const struct model_method *method)
{
    emit_declare(emit, &method->place, method->c_name, "_stream_write");
    emit_declare(emit, &method->place, method->c_name, "_stream_write_start");
    emit_declare(emit, &method->place, method->c_name, "_stream_close_send");
    text_fill(
        emit->header,
        "\n"
        "/* False: the stream has ended, _finish tells how. */\n"
        "GRPCC_MUST_CHECK static inline bool\n"
        "$c$_stream_write(\n"
        "    struct $c$_stream *stream, const struct $request$ *message)\n"
        "{\n"
        "    return grpcc_stream_write((struct grpcc_client_call *)stream, &message->base);\n"
        "}\n"
        "\n"
        "static inline void\n"
        "$c$_stream_write_start(\n"
        "    struct $c$_stream *stream,\n"
        "    const struct $request$ *message, void (*done)(void *data, bool ok), void *data)\n"
        "{\n"
        "    grpcc_stream_write_start((struct grpcc_client_call *)stream, &message->base, done,\n"
        "        data);\n"
        "}\n"
        "\n"
        "static inline bool\n"
        "$c$_stream_close_send(\n"
        "    struct $c$_stream *stream)\n"
        "{\n"
        "    return grpcc_stream_close_send((struct grpcc_client_call *)stream);\n"
        "}\n",
        "c", method->c_name, "request", method->request->c_name, NULL);
}

/* The end of a client stream brings its one response. */
static void emit_finish_response(struct emit *emit, const struct model_method *method)
{
    text_fill(
        emit->header,
        "\n"
        "/* Waits for the status and the response. The response and err->details live in "
        "arena. */\n"
        "static inline enum grpcc_status\n"
        "$c$_stream_finish(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena,\n"
        "    struct $response$ **ret_response, struct grpcc_error *err)\n"
        "{\n"
        "    void *response = NULL;\n"
        "    enum grpcc_status status = grpcc_stream_finish(\n"
        "        (struct grpcc_client_call *)stream, arena, &response, err);\n"
        "\n"
        "    if (status == GRPCC_OK)\n"
        "        *ret_response = (struct $response$ *)response;\n"
        "    return status;\n"
        "}\n"
        "\n"
        "/* As above without blocking: done runs once, on the poller, where nothing may block. "
        "*/\n"
        "static inline void\n"
        "$c$_stream_finish_start(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena,\n"
        "    void (*done)(void *data, enum grpcc_status status, struct $response$ *response,\n"
        "        const struct grpcc_error *err),\n"
        "    void *data)\n"
        "{\n"
        "    grpcc_stream_finish_start((struct grpcc_client_call *)stream, arena,\n"
        "        (grpcc_unary_done)done, data);\n"
        "}\n",
        "c", method->c_name, "response", method->response->c_name, NULL);
}

static void emit_finish_status(struct emit *emit, const struct model_method *method)
{
    text_fill(
        emit->header,
        "\n"
        "/* Waits for the status. err->details live in arena, which may be NULL. */\n"
        "static inline enum grpcc_status\n"
        "$c$_stream_finish(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena,\n"
        "    struct grpcc_error *err)\n"
        "{\n"
        "    return grpcc_stream_finish((struct grpcc_client_call *)stream, arena, NULL, err);\n"
        "}\n"
        "\n"
        "/* As above without blocking: done runs once, on the poller, where nothing may block; its "
        "response is NULL. */\n"
        "static inline void\n"
        "$c$_stream_finish_start(\n"
        "    struct $c$_stream *stream, struct grpcc_arena *arena, grpcc_unary_done done,\n"
        "    void *data)\n"
        "{\n"
        "    grpcc_stream_finish_start((struct grpcc_client_call *)stream, arena, done, data);\n"
        "}\n",
        "c", method->c_name, NULL);
}

static void emit_stream(struct emit *emit, const struct model_method *method, const char *entry)
{
    const char *tag = pool_printf(emit->pool, "%s_stream", method->c_name);

    identifiers_declare_tag(emit->identifiers, emit->file, &method->place, tag);
    emit_open(emit, method, entry);
    if (method->server_streaming)
        emit_stream_read(emit, method);
    if (method->client_streaming)
        emit_stream_write(emit, method);
    emit_declare(emit, &method->place, method->c_name, "_stream_finish");
    emit_declare(emit, &method->place, method->c_name, "_stream_finish_start");
    if (method->server_streaming)
        emit_finish_status(emit, method);
    else
        emit_finish_response(emit, method);
    emit_declare(emit, &method->place, method->c_name, "_stream_call");
    emit_declare(emit, &method->place, method->c_name, "_stream_cancel");
    emit_declare(emit, &method->place, method->c_name, "_stream_free");
    text_fill(emit->header,
              "\n"
              "/* For what grpcc has for calls of any type; stream still owns it. */\n"
              "static inline struct grpcc_client_call *\n"
              "$c$_stream_call(\n"
              "    struct $c$_stream *stream)\n"
              "{\n"
              "    return (struct grpcc_client_call *)stream;\n"
              "}\n"
              "\n"
              "/* Any thread, any time before _free. */\n"
              "static inline void\n"
              "$c$_stream_cancel(\n"
              "    struct $c$_stream *stream)\n"
              "{\n"
              "    grpcc_client_call_cancel((struct grpcc_client_call *)stream);\n"
              "}\n"
              "\n"
              "/* Cancels what was not finished. NULL is fine. */\n"
              "static inline void\n"
              "$c$_stream_free(\n"
              "    struct $c$_stream *stream)\n"
              "{\n"
              "    grpcc_client_call_free((struct grpcc_client_call *)stream);\n"
              "}\n",
              "c", method->c_name, NULL);
}

void emit_service_client(struct emit *emit, const struct model_service *service)
{
    for (size_t i = 0; i < service->n_methods; i++) {
        const struct model_method *method = &service->methods[i];
        const char *entry = pool_printf(emit->pool, "&%s_service.methods[%zu]", service->c_name, i);

        if (method->client_streaming || method->server_streaming)
            emit_stream(emit, method, entry);
        else
            emit_unary(emit, method, entry);
    }
}
