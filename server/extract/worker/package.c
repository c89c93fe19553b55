/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OOXML and ODF: zips of XML, through libzip. Only parts that hold text are unpacked, piece by
 * piece, never what is a zip again. What the directory says of sizes is not believed: bytes are
 * counted as they come, and the measure of expansion is the whole file.
 */
#include <stdlib.h>
#include <zip.h>

#include "server/core/memory.h"
#include "server/extract/worker/format.h"
#include "server/extract/worker/parts.h"

#define STEP_BYTES 32768u
/* The end of central directory record, of which a zip's last bytes consist. */
#define ZIP_END_BYTES 22u
#define ZIP_COMMENT_BYTES_MAX 65535u

struct part {
    enum comb_extract_part part;
    uint32_t number;
    zip_uint64_t index;
};

struct package {
    const struct comb_extract_file_view *file;
    comb_str content;
    zip_t *zip;
    uint64_t expanded;
    bool is_odf, is_known;
    struct part *parts;
    size_t n_parts;
};

static int by_order(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static enum comb_extract_reason reason_of(int zip_code)
{
    switch (zip_code) {
    case ZIP_ER_OK:
        return COMB_EXTRACT_REASON_NONE;
    case ZIP_ER_MEMORY:
        return COMB_EXTRACT_REASON_MEMORY;
    case ZIP_ER_NOPASSWD:
    case ZIP_ER_WRONGPASSWD:
    case ZIP_ER_ENCRNOTSUPP:
        return COMB_EXTRACT_REASON_ENCRYPTED;
    default:
        return COMB_EXTRACT_REASON_DAMAGED;
    }
}

/* How many entries the end of the zip tells, before anybody makes room for them; UINT32_MAX: the
 * record says that it is told elsewhere (zip64), which no document needs. */
static uint32_t entries_told(comb_str content)
{
    size_t lowest = content.len > ZIP_END_BYTES + ZIP_COMMENT_BYTES_MAX
                        ? content.len - ZIP_END_BYTES - ZIP_COMMENT_BYTES_MAX
                        : 0;
    if (content.len < ZIP_END_BYTES)
        return 0;
    for (size_t at = content.len - ZIP_END_BYTES + 1; at-- > lowest;) {
        const unsigned char *end = (const unsigned char *)content.ptr + at;
        if (memcmp(end, "PK\5\6", 4) == 0) {
            uint32_t n = (uint32_t)end[10] | (uint32_t)end[11] << 8;
            return n == 0xffff ? UINT32_MAX : n;
        }
    }
    return 0;
}

static enum comb_extract_reason package_open(struct package *package)
{
    zip_error_t error;
    zip_source_t *source;
    enum comb_extract_reason reason;

    if (entries_told(package->content) > package->file->limits->entries)
        return COMB_EXTRACT_REASON_BOMB;
    zip_error_init(&error);
    source = zip_source_buffer_create(package->content.ptr, package->content.len, 0, &error);
    if (source) {
        package->zip = zip_open_from_source(source, ZIP_RDONLY, &error);
        if (!package->zip)
            zip_source_free(source);
    }
    reason = package->zip ? COMB_EXTRACT_REASON_NONE : reason_of(zip_error_code_zip(&error));
    zip_error_fini(&error);
    if (!reason && (uint64_t)zip_get_num_entries(package->zip, 0) > package->file->limits->entries)
        reason = COMB_EXTRACT_REASON_BOMB;
    return reason;
}

/* Counts what was unpacked. */
static enum comb_extract_reason account(struct package *package, uint64_t n)
{
    const struct comb_extract_limits *limits = package->file->limits;
    package->expanded += n;
    if (package->expanded > COMB_EXTRACT_RATIO_FREE_BYTES &&
        package->expanded / limits->expansion_ratio > package->content.len)
        return COMB_EXTRACT_REASON_BOMB;
    return package->expanded > limits->expanded_bytes ? COMB_EXTRACT_REASON_TOO_LARGE
                                                      : COMB_EXTRACT_REASON_NONE;
}

/* Unpacks an entry: take(data, piece, false) for each piece, and once with an empty one and true at
 * the end; a reason from take ends it. */
static enum comb_extract_reason
unpack(struct package *package, zip_uint64_t index,
       enum comb_extract_reason (*take)(void *data, comb_str piece, bool is_end), void *data)
{
    char piece[STEP_BYTES];
    enum comb_extract_reason reason = COMB_EXTRACT_REASON_NONE;
    zip_int64_t n = 1;
    zip_file_t *entry = zip_fopen_index(package->zip, index, 0);
    if (!entry)
        return reason_of(zip_error_code_zip(zip_get_error(package->zip)));
    while (!reason && !package->file->sink->full && n > 0) {
        n = zip_fread(entry, piece, sizeof piece);
        if (n < 0)
            reason = reason_of(zip_error_code_zip(zip_file_get_error(entry)));
        else
            reason = account(package, (uint64_t)n);
        if (!reason)
            reason = take(data, comb_str_of(piece, (size_t)n), n == 0);
    }
    zip_fclose(entry);
    return reason;
}

static enum comb_extract_reason take_xml(void *data, comb_str piece, bool is_end)
{
    return comb_extract_xml_feed(data, piece, is_end);
}

static enum comb_extract_reason package_read_part(struct package *package, const struct part *part)
{
    struct comb_extract_part_walk walk;
    struct comb_extract_xml_events events =
        comb_extract_part_walk_init(&walk, part->part, package->file->sink);
    struct comb_extract_xml *xml = comb_extract_xml_new(&events, package->file->limits->nesting);
    enum comb_extract_reason reason =
        xml ? unpack(package, part->index, take_xml, xml) : COMB_EXTRACT_REASON_MEMORY;
    comb_extract_xml_free(xml);
    comb_extract_sink_break(package->file->sink);
    return reason;
}

/* ---- ODF: what the package says of itself ---- */

#define MIMETYPE_BYTES_MAX 256u

struct short_text {
    char text[MIMETYPE_BYTES_MAX];
    size_t len;
};

static enum comb_extract_reason take_short(void *data, comb_str piece, bool is_end)
{
    struct short_text *out = data;
    (void)is_end;
    if (piece.len > sizeof out->text - out->len)
        return COMB_EXTRACT_REASON_DAMAGED;
    memcpy(out->text + out->len, piece.ptr, piece.len);
    out->len += piece.len;
    return COMB_EXTRACT_REASON_NONE;
}

/* Of META-INF/manifest.xml. */
static void manifest_start(void *data, const char *name, const char *const *attributes)
{
    (void)attributes;
    if (strcmp(name, "encryption-data") == 0)
        *(bool *)data = true;
}

static void ignore_end(void *data, const char *name)
{
    (void)data;
    (void)name;
}

static void ignore_text(void *data, comb_str text)
{
    (void)data;
    (void)text;
}

static enum comb_extract_reason package_check_manifest(struct package *package)
{
    bool is_encrypted = false;
    struct comb_extract_xml_events events = {manifest_start, ignore_end, ignore_text,
                                             &is_encrypted};
    zip_int64_t index = zip_name_locate(package->zip, "META-INF/manifest.xml", 0);
    struct comb_extract_xml *xml;
    enum comb_extract_reason reason;
    if (index < 0)
        return COMB_EXTRACT_REASON_NONE;
    xml = comb_extract_xml_new(&events, package->file->limits->nesting);
    reason = xml ? unpack(package, (zip_uint64_t)index, take_xml, xml) : COMB_EXTRACT_REASON_MEMORY;
    comb_extract_xml_free(xml);
    return is_encrypted ? COMB_EXTRACT_REASON_ENCRYPTED : reason;
}

static enum comb_extract_reason package_classify(struct package *package)
{
    static const char odf[] = "application/vnd.oasis.opendocument.";
    struct short_text mimetype = {.len = 0};
    zip_int64_t index = zip_name_locate(package->zip, "mimetype", 0);
    if (index >= 0 && unpack(package, (zip_uint64_t)index, take_short, &mimetype) == 0)
        package->is_odf = comb_str_starts_with(comb_str_of(mimetype.text, mimetype.len),
                                               comb_str_of(odf, sizeof odf - 1));
    package->is_known =
        package->is_odf || zip_name_locate(package->zip, "[Content_Types].xml", 0) >= 0;
    return package->is_odf ? package_check_manifest(package) : COMB_EXTRACT_REASON_NONE;
}

/* The parts that hold text, in order. */
static enum comb_extract_reason package_list(struct package *package)
{
    zip_int64_t n = zip_get_num_entries(package->zip, 0);
    bool has_body = false;
    package->parts = comb_memory_alloc(((size_t)n + 1) * sizeof *package->parts);
    if (!package->parts)
        return COMB_EXTRACT_REASON_MEMORY;
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(package->zip, (zip_uint64_t)i, 0);
        struct part part = {.index = (zip_uint64_t)i};
        part.part = comb_extract_part_of(comb_str_from(name), package->is_odf, &part.number);
        if (part.part == COMB_EXTRACT_PART_NONE)
            continue;
        has_body = has_body || part.part != COMB_EXTRACT_PART_PROPERTIES;
        package->parts[package->n_parts++] = part;
    }
    if (package->n_parts > 0)
        qsort(package->parts, package->n_parts, sizeof *package->parts, by_order);
    if (has_body)
        return COMB_EXTRACT_REASON_NONE;
    /* Other things are packed as OOXML is, drawings and packages of programs. */
    package->is_known = package->is_odf;
    return package->is_odf ? COMB_EXTRACT_REASON_DAMAGED : COMB_EXTRACT_REASON_NONE;
}

enum comb_extract_reason comb_extract_read_package(const struct comb_extract_file_view *file,
                                                   comb_str content, bool *ret_known)
{
    struct package package = {.file = file, .content = content};
    enum comb_extract_reason reason = package_open(&package);
    *ret_known = true;
    if (!reason)
        reason = package_classify(&package);
    if (!reason) {
        *ret_known = package.is_known;
        if (package.is_known) {
            reason = package_list(&package);
            *ret_known = package.is_known;
        }
    }
    for (size_t i = 0; !reason && package.is_known && i < package.n_parts && !file->sink->full; i++)
        reason = package_read_part(&package, &package.parts[i]);
    comb_memory_free(package.parts);
    if (package.zip)
        zip_discard(package.zip);
    return reason;
}
