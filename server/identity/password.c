/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/password.h"

#include <argon2.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/core/random.h"

#define SALT_SIZE 16
#define HASH_SIZE 32
#define BASE64_SIZE(size) (((size) + 2) / 3 * 4)
/* Whole text: the parameters have at most ten digits each. */
#define TEXT_SIZE_MAX (80 + BASE64_SIZE(SALT_SIZE) + BASE64_SIZE(HASH_SIZE))
/* Advice to callers who were turned away: a few hashes' time. */
#define RETRY_MS 500

struct parameters {
    unsigned memory_kib, passes, lanes;
    uint8_t salt[SALT_SIZE];
};

/* ---- turns ---- */

static pthread_mutex_t turns_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_free;
static pthread_once_t turns_once = PTHREAD_ONCE_INIT;
static unsigned running, waiting; /* under turns_lock */

static void turns_init(void)
{
    comb_cond_init(&turn_free);
}

static enum comb_status overloaded(struct comb_error *err)
{
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_OVERLOADED,
                   "too many passwords are being checked at once; try again in a moment");
    if (err) {
        err->retryable = true;
        err->retry_ms = RETRY_MS;
    }
    return COMB_UNAVAILABLE;
}

static enum comb_status take_turn(const struct comb_ctx *ctx, struct comb_error *err)
{
    pthread_once(&turns_once, turns_init);
    pthread_mutex_lock(&turns_lock);
    enum comb_status status = comb_ctx_check(ctx, err);
    if (status == COMB_OK && waiting >= COMB_PASSWORD_WAITERS_MAX)
        status = overloaded(err);
    waiting++;
    while (status == COMB_OK && running >= COMB_PASSWORD_PARALLEL_MAX) {
        (void)comb_cond_wait_until(&turn_free, &turns_lock, ctx->deadline_ns);
        status = comb_ctx_check(ctx, err);
    }
    waiting--;
    if (status == COMB_OK)
        running++;
    pthread_mutex_unlock(&turns_lock);
    return status;
}

static void give_turn_back(void)
{
    pthread_mutex_lock(&turns_lock);
    running--;
    pthread_cond_signal(&turn_free);
    pthread_mutex_unlock(&turns_lock);
}

/* ---- Argon2 ---- */

/* Straight from the kernel and back: malloc would keep what it has seen once. */
static int map_memory(uint8_t **ret_memory, size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return ARGON2_MEMORY_ALLOCATION_ERROR;
    *ret_memory = memory;
    return ARGON2_OK;
}

static void unmap_memory(uint8_t *memory, size_t size)
{
    munmap(memory, size);
}

static enum comb_status derive(struct comb_ctx *ctx, const struct parameters *with,
                               comb_str password, uint8_t ret_hash[HASH_SIZE],
                               struct comb_error *err)
{
    enum comb_status status = take_turn(ctx, err);
    if (status != COMB_OK)
        return status;
    uint8_t salt[SALT_SIZE];
    memcpy(salt, with->salt, sizeof salt);
    argon2_context context = {
        .out = ret_hash,
        .outlen = HASH_SIZE,
        .pwd = (uint8_t *)password.ptr, /* only read: no flag asks to clear it */
        .pwdlen = (uint32_t)password.len,
        .salt = salt,
        .saltlen = sizeof salt,
        .t_cost = with->passes,
        .m_cost = with->memory_kib,
        .lanes = with->lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .allocate_cbk = map_memory,
        .free_cbk = unmap_memory,
    };
    int result = argon2id_ctx(&context);
    give_turn_back();
    if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
        return comb_error_no_memory(err);
    if (result != ARGON2_OK)
        return comb_error_set(err, COMB_INTERNAL, 0, "argon2: %s", argon2_error_message(result));
    return COMB_OK;
}

/* ---- text ---- */

/* Base64 without padding, as the form wants it. */
static void encode(const uint8_t *data, size_t size, char *ret_text)
{
    EVP_EncodeBlock((unsigned char *)ret_text, data, (int)size);
    char *padding = strchr(ret_text, '=');
    if (padding)
        *padding = '\0';
}

static void write_text(const struct parameters *with, const uint8_t hash[HASH_SIZE],
                       char ret_text[TEXT_SIZE_MAX])
{
    char salt[BASE64_SIZE(SALT_SIZE) + 1], tail[BASE64_SIZE(HASH_SIZE) + 1];
    encode(with->salt, SALT_SIZE, salt);
    encode(hash, HASH_SIZE, tail);
    snprintf(ret_text, TEXT_SIZE_MAX, "$argon2id$v=19$m=%u,t=%u,p=%u$%s$%s", with->memory_kib,
             with->passes, with->lanes, salt, tail);
}

static bool read_salt(const char *text, size_t length, uint8_t ret_salt[SALT_SIZE])
{
    char padded[BASE64_SIZE(SALT_SIZE) + 1];
    unsigned char data[BASE64_SIZE(SALT_SIZE)];
    if (length >= sizeof padded)
        return false;
    memset(padded, '=', sizeof padded);
    memcpy(padded, text, length);
    int size = EVP_DecodeBlock(data, (const unsigned char *)padded, sizeof padded - 1);
    if (size < SALT_SIZE)
        return false;
    memcpy(ret_salt, data, SALT_SIZE);
    return true;
}

static bool read_text(comb_str text, struct parameters *ret_with)
{
    char copy[TEXT_SIZE_MAX];
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    struct parameters with = {0};
    int at = 0;
    if (sscanf(copy, "$argon2id$v=19$m=%10u,t=%10u,p=%10u$%n", &with.memory_kib, &with.passes,
               &with.lanes, &at) != 3 ||
        at == 0)
        return false;
    if (with.memory_kib > COMB_PASSWORD_MEMORY_MAX_KIB || with.passes > COMB_PASSWORD_PASSES_MAX ||
        with.lanes != COMB_PASSWORD_LANES)
        return false;
    const char *end = strchr(copy + at, '$');
    if (!end || !read_salt(copy + at, (size_t)(end - copy - at), with.salt))
        return false;
    *ret_with = with;
    return true;
}

/* ---- what the area calls ---- */

enum comb_status comb_password_check(comb_str password, const char *field, struct comb_error *err)
{
    if (password.len < COMB_PASSWORD_BYTES_MIN || password.len > COMB_PASSWORD_BYTES_MAX)
        return comb_error_field(err, field, "a password has %d to %d bytes",
                                COMB_PASSWORD_BYTES_MIN, COMB_PASSWORD_BYTES_MAX);
    if (!comb_str_is_utf8(password))
        return comb_error_field(err, field, "a password is UTF-8");
    return COMB_OK;
}

enum comb_status comb_password_hash(struct comb_ctx *ctx, comb_str password, comb_str *ret_text,
                                    struct comb_error *err)
{
    struct parameters with = {.memory_kib = COMB_PASSWORD_MEMORY_KIB,
                              .passes = COMB_PASSWORD_PASSES,
                              .lanes = COMB_PASSWORD_LANES};
    comb_random(with.salt, sizeof with.salt);
    uint8_t hash[HASH_SIZE];
    enum comb_status status = derive(ctx, &with, password, hash, err);
    if (status != COMB_OK)
        return status;
    char text[TEXT_SIZE_MAX];
    write_text(&with, hash, text);
    char *copy = grpcc_arena_strdup(ctx->arena, text);
    if (!copy)
        return comb_error_no_memory(err);
    *ret_text = comb_str_from(copy);
    return COMB_OK;
}

enum comb_status comb_password_verify(struct comb_ctx *ctx, comb_str text, comb_str password,
                                      bool *ret_matches, struct comb_error *err)
{
    struct parameters with = {.memory_kib = COMB_PASSWORD_MEMORY_KIB,
                              .passes = COMB_PASSWORD_PASSES,
                              .lanes = COMB_PASSWORD_LANES};
    bool readable = read_text(text, &with);
    uint8_t hash[HASH_SIZE];
    enum comb_status status = derive(ctx, &with, password, hash, err);
    if (status != COMB_OK)
        return status;
    char again[TEXT_SIZE_MAX];
    write_text(&with, hash, again);
    *ret_matches = comb_secret_equal(comb_str_from(again), text) && readable;
    comb_memory_wipe(hash, sizeof hash);
    return COMB_OK;
}
