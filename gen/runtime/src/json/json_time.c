/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time and durations as text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/runtime/src/json/json.h"

/* 0001-01-01T00:00:00Z, 9999-12-31T23:59:59Z, and about 10,000 years. */
static const int64_t time_min_s = -62135596800, time_max_s = 253402300799;
static const int64_t duration_max_s = 315576000000;

enum { NANOS_PER_S = 1000000000, FRACTION_DIGITS = 9 };

/* Exactly n digits; moves *text. False: they are not there. */
static bool take_digits(const char **text, int n, int *ret_value)
{
    int value = 0;
    for (int i = 0; i < n; i++, (*text)++) {
        if (**text < '0' || **text > '9')
            return false;
        value = value * 10 + (**text - '0');
    }
    *ret_value = value;
    return true;
}

static bool take_char(const char **text, char c)
{
    if (**text != c)
        return false;
    (*text)++;
    return true;
}

/* Nothing, or a point and one to nine digits. */
static bool take_fraction(const char **text, int32_t *ret_nanos)
{
    int digits = 0, digit;
    int32_t nanos = 0;
    *ret_nanos = 0;
    if (!take_char(text, '.'))
        return true;
    for (; digits < FRACTION_DIGITS && take_digits(text, 1, &digit); digits++)
        nanos = nanos * 10 + digit;
    if (digits == 0)
        return false;
    for (; digits < FRACTION_DIGITS; digits++)
        nanos *= 10;
    *ret_nanos = nanos;
    return true;
}

/* "Z" or "+01:30", in seconds to the east. */
static bool take_offset(const char **text, int64_t *ret_offset_s)
{
    int hours, minutes, sign = **text == '-' ? -1 : 1;
    *ret_offset_s = 0;
    if (take_char(text, 'Z'))
        return true;
    if (!take_char(text, '+') && !take_char(text, '-'))
        return false;
    if (!take_digits(text, 2, &hours) || !take_char(text, ':') || !take_digits(text, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_offset_s = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool grpcc_json_time_read(const char *text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    struct tm utc = {0}, again;
    int64_t offset_s;
    int32_t nanos;
    if (!take_digits(&text, 4, &utc.tm_year) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &utc.tm_mon) || !take_char(&text, '-') ||
        !take_digits(&text, 2, &utc.tm_mday) || !take_char(&text, 'T') ||
        !take_digits(&text, 2, &utc.tm_hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &utc.tm_min) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &utc.tm_sec) || !take_fraction(&text, &nanos) ||
        !take_offset(&text, &offset_s) || *text)
        return false;
    utc.tm_year -= 1900;
    utc.tm_mon -= 1;
    struct tm wanted = utc;
    time_t seconds = timegm(&utc);
    /* timegm() takes a 30th of February for the 1st or 2nd of March: such days do not come back. */
    if (!gmtime_r(&seconds, &again) || again.tm_mday != wanted.tm_mday ||
        again.tm_mon != wanted.tm_mon || again.tm_hour != wanted.tm_hour ||
        again.tm_min != wanted.tm_min || again.tm_sec != wanted.tm_sec)
        return false;
    int64_t at = (int64_t)seconds - offset_s;
    if (at < time_min_s || at > time_max_s)
        return false;
    *ret_seconds = at;
    *ret_nanos = nanos;
    return true;
}

/* As few of 0, 3, 6 and 9 digits as say it. */
static void print_fraction(int32_t nanos, char text[16])
{
    int digits = nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    text[0] = '\0';
    if (nanos == 0)
        return;
    snprintf(text, 16, ".%09" PRId32, nanos);
    text[1 + digits] = '\0';
}

bool grpcc_json_time_write(int64_t seconds, int32_t nanos, char ret_text[GRPCC_JSON_TIME_SIZE])
{
    struct tm utc;
    char fraction[16];
    time_t at = (time_t)seconds;
    if (seconds < time_min_s || seconds > time_max_s || nanos < 0 || nanos >= NANOS_PER_S ||
        !gmtime_r(&at, &utc))
        return false;
    print_fraction(nanos, fraction);
    snprintf(ret_text, GRPCC_JSON_TIME_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d%.10sZ",
             (utc.tm_year + 1900) % 10000, (utc.tm_mon + 1) % 100, utc.tm_mday % 100,
             utc.tm_hour % 100, utc.tm_min % 100, utc.tm_sec % 100, fraction);
    return true;
}

bool grpcc_json_duration_read(const char *text, int64_t *ret_seconds, int32_t *ret_nanos)
{
    bool negative = take_char(&text, '-');
    int64_t seconds = 0;
    int32_t nanos;
    int digit;
    if (!take_digits(&text, 1, &digit))
        return false;
    do {
        seconds = seconds * 10 + digit;
        if (seconds > duration_max_s)
            return false;
    } while (take_digits(&text, 1, &digit));
    if (!take_fraction(&text, &nanos) || !take_char(&text, 's') || *text)
        return false;
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return true;
}

bool grpcc_json_duration_write(int64_t seconds, int32_t nanos, char ret_text[GRPCC_JSON_TIME_SIZE])
{
    char fraction[16];
    bool negative = seconds < 0 || nanos < 0;
    if (seconds < -duration_max_s || seconds > duration_max_s || nanos <= -NANOS_PER_S ||
        nanos >= NANOS_PER_S || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return false;
    print_fraction(negative ? -nanos : nanos, fraction);
    snprintf(ret_text, GRPCC_JSON_TIME_SIZE, "%s%" PRId64 "%.10ss", negative ? "-" : "",
             negative ? -seconds : seconds, fraction);
    return true;
}
