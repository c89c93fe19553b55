/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, dates and ranges of them, as people write them. */
#include <ctype.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/search/query.h"

#define US_PER_DAY (24LL * 3600 * COMB_US_PER_S)
/* Years that a date may have. */
#define YEAR_MIN 1970
#define YEAR_MAX 9999

static const char size_help[] = "a size is a number with an optional unit, as 10, 1.5MB or 64KiB, "
                                "and a range is >10MB, <=1k or 1k..2k";
static const char date_help[] = "a date is 2024, 2024-05, 2024-05-06, today or yesterday, and a "
                                "range is >2024-05, 2023..2024 or 7d for the last 7 days";

/* What one value stands for: 2024-05 is a month, 10 a single number. Both ends belong to it. */
struct span {
    int64_t least, most;
};
typedef bool (*parse_one)(comb_str text, int64_t now_us, struct span *ret_span);

static bool equals(comb_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* Digits at the beginning, which are cut off; false: there are none or too many. */
static bool take_number(comb_str *text, size_t digits_max, int64_t *ret_number)
{
    int64_t number = 0;
    size_t n = 0;
    while (n < text->len && isdigit((unsigned char)text->ptr[n]) && n < digits_max)
        number = number * 10 + (text->ptr[n++] - '0');
    if (n == 0 || (n < text->len && isdigit((unsigned char)text->ptr[n])))
        return false;
    *text = (comb_str){text->ptr + n, text->len - n};
    *ret_number = number;
    return true;
}

static bool take_char(comb_str *text, char c)
{
    if (text->len == 0 || text->ptr[0] != c)
        return false;
    *text = (comb_str){text->ptr + 1, text->len - 1};
    return true;
}

/* ---- sizes ---- */

/* The bytes of a unit; 0: there is none of that name. */
static int64_t unit_of(comb_str text)
{
    static const char letters[] = "kmgt";
    if (text.len == 0 || equals(text, "b"))
        return 1;
    const char *letter = memchr(letters, tolower((unsigned char)text.ptr[0]), 4);
    if (!letter)
        return 0;
    comb_str rest = {text.ptr + 1, text.len - 1};
    int64_t base = equals(rest, "b") ? 1000 : 1024, unit = 1;
    if (rest.len > 0 && !equals(rest, "b") && !equals(rest, "ib"))
        return 0;
    for (const char *l = letters; l <= letter; l++)
        unit *= base;
    return unit;
}

static bool parse_size(comb_str text, int64_t now_us, struct span *ret_span)
{
    int64_t whole, part = 0, scale = 1;
    (void)now_us;
    if (!take_number(&text, 15, &whole))
        return false;
    if (take_char(&text, '.')) {
        size_t before = text.len;
        if (!take_number(&text, 3, &part))
            return false;
        for (size_t i = text.len; i < before; i++)
            scale *= 10;
    }
    int64_t unit = unit_of(text), size;
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &size) ||
        __builtin_add_overflow(size, part * (unit / scale) + part * (unit % scale) / scale, &size))
        return false;
    *ret_span = (struct span){size, size};
    return true;
}

/* ---- dates ---- */

static int64_t us_of(int64_t year, int64_t month, int64_t day)
{
    struct tm tm = {
        .tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day, .tm_isdst = 0};
    return (int64_t)timegm(&tm) * COMB_US_PER_S;
}

static int64_t days_of(int64_t year, int64_t month)
{
    return (us_of(year, month + 1, 1) - us_of(year, month, 1)) / US_PER_DAY;
}

/* "T10", "T10:30", "T10:30:15", each with an optional Z, behind a day. */
static bool parse_time(comb_str text, int64_t day_us, struct span *ret_span)
{
    static const int64_t seconds[] = {3600, 60, 1};
    static const int64_t limits[] = {24, 60, 60};
    int64_t at_us = day_us;
    size_t i = 0;
    do {
        int64_t number;
        if (!take_number(&text, 2, &number) || number >= limits[i])
            return false;
        at_us += number * seconds[i] * COMB_US_PER_S;
        i++;
    } while (i < 3 && take_char(&text, ':'));
    (void)take_char(&text, 'Z');
    *ret_span = (struct span){at_us, at_us + seconds[i - 1] * COMB_US_PER_S - 1};
    return text.len == 0;
}

static bool parse_calendar(comb_str text, struct span *ret_span)
{
    int64_t year, month = 1, day = 1;
    if (!take_number(&text, 4, &year) || year < YEAR_MIN || year > YEAR_MAX)
        return false;
    *ret_span = (struct span){us_of(year, 1, 1), us_of(year + 1, 1, 1) - 1};
    if (text.len == 0)
        return true;
    if (!take_char(&text, '-') || !take_number(&text, 2, &month) || month < 1 || month > 12)
        return false;
    *ret_span = (struct span){us_of(year, month, 1), us_of(year, month + 1, 1) - 1};
    if (text.len == 0)
        return true;
    if (!take_char(&text, '-') || !take_number(&text, 2, &day) || day < 1 ||
        day > days_of(year, month))
        return false;
    *ret_span = (struct span){us_of(year, month, day), us_of(year, month, day) + US_PER_DAY - 1};
    if (text.len == 0)
        return true;
    return (take_char(&text, 'T') || take_char(&text, 't')) &&
           parse_time(text, us_of(year, month, day), ret_span);
}

static bool parse_date(comb_str text, int64_t now_us, struct span *ret_span)
{
    int64_t today_us = now_us - now_us % US_PER_DAY;
    if (equals(text, "yesterday"))
        today_us -= US_PER_DAY;
    else if (!equals(text, "today"))
        return parse_calendar(text, ret_span);
    *ret_span = (struct span){today_us, today_us + US_PER_DAY - 1};
    return true;
}

/* "12h", "7d", "2w", "1y": that long ago until now. */
static bool parse_age(comb_str text, int64_t now_us, struct span *ret_span)
{
    int64_t number, unit_us;
    if (!take_number(&text, 5, &number) || text.len != 1)
        return false;
    switch (tolower((unsigned char)text.ptr[0])) {
    case 'h':
        unit_us = US_PER_DAY / 24;
        break;
    case 'd':
        unit_us = US_PER_DAY;
        break;
    case 'w':
        unit_us = 7 * US_PER_DAY;
        break;
    case 'y':
        unit_us = 365 * US_PER_DAY;
        break;
    default:
        return false;
    }
    *ret_span = (struct span){now_us - number * unit_us, INT64_MAX};
    return true;
}

/* ---- ranges ---- */

/* "a..b", "a.." and "..b". */
static bool parse_range(comb_str text, size_t dots, int64_t now_us, parse_one parse,
                        struct span *ret_span)
{
    comb_str from = {text.ptr, dots}, until = {text.ptr + dots + 2, text.len - dots - 2};
    struct span first = {INT64_MIN, 0}, last = {0, INT64_MAX};
    if (from.len == 0 && until.len == 0)
        return false;
    if ((from.len > 0 && !parse(from, now_us, &first)) ||
        (until.len > 0 && !parse(until, now_us, &last)))
        return false;
    *ret_span = (struct span){first.least, last.most};
    return first.least <= last.most;
}

static bool parse_any(comb_str text, int64_t now_us, parse_one parse, struct span *ret_span)
{
    const char *dots = text.len > 0 ? memmem(text.ptr, text.len, "..", 2) : NULL;
    struct span span;
    if (dots)
        return parse_range(text, (size_t)(dots - text.ptr), now_us, parse, ret_span);
    bool above = take_char(&text, '>'), below = !above && take_char(&text, '<');
    bool equal = (above || below) && take_char(&text, '=');
    if (!parse(text, now_us, &span))
        return false;
    if (above && !equal && span.most == INT64_MAX)
        return false;
    if (above)
        span = (struct span){equal ? span.least : span.most + 1, INT64_MAX};
    else if (below)
        span = (struct span){INT64_MIN, equal ? span.most : span.least - 1};
    *ret_span = span;
    return true;
}

bool comb_search_parse_size(comb_str text, int64_t *ret_least, int64_t *ret_most,
                            const char **ret_why)
{
    struct span span;
    if (!parse_any(text, 0, parse_size, &span)) {
        *ret_why = size_help;
        return false;
    }
    *ret_least = span.least;
    *ret_most = span.most;
    return true;
}

bool comb_search_parse_modified(comb_str text, int64_t now_us, int64_t *ret_least,
                                int64_t *ret_most, const char **ret_why)
{
    struct span span;
    if (!parse_age(text, now_us, &span) && !parse_any(text, now_us, parse_date, &span)) {
        *ret_why = date_help;
        return false;
    }
    *ret_least = span.least;
    *ret_most = span.most;
    return true;
}
