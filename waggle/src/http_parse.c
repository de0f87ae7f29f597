// SPDX-License-Identifier: Apache-2.0
/*
 * http_parse.c - responses and URLs, as far as an exporter needs them
 *
 * The parser eats bytes as they come and keeps one line at most. It believes nothing: heads end at
 * 64 KiB, bodies at 4 MiB, a line's beginning is enough to know the headers that matter (the rest
 * of a long one is stepped over), sizes that do not fit are an error. What the body says beyond the
 * caller's room is read and left out.
 *
 * Threads: no state but the struct.
 */
#include "http_parse.h"

#include <strings.h>

/* --- numbers and dates --------------------------------------------------------------------- */

static bool decimal(const char *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    if (n == 0 || n > 18)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(p[i] - '0');
    }
    *ret = v;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" to seconds since 1970; false for any other form. */
static bool imf_date(const char *p, size_t n, int64_t *ret_s)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char shape[] = "???, 00 ??? 0000 00:00:00 GMT";
    if (n != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool digit = p[i] >= '0' && p[i] <= '9';
        if (shape[i] == '0' ? !digit : shape[i] != '?' && p[i] != shape[i])
            return false;
    }
    int64_t month = 0;
    for (int64_t m = 0; m < 12; m++)
        if (memcmp(months + 3 * m, p + 8, 3) == 0)
            month = m + 1;
    uint64_t day;
    uint64_t year;
    uint64_t h;
    uint64_t m;
    uint64_t s;
    if (month == 0 || !decimal(p + 5, 2, &day) || !decimal(p + 12, 4, &year) ||
        !decimal(p + 17, 2, &h) || !decimal(p + 20, 2, &m) || !decimal(p + 23, 2, &s))
        return false;
    *ret_s = days_of((int64_t)year, month, (int64_t)day) * 86400 + (int64_t)(h * 3600 + m * 60 + s);
    return true;
}

int64_t waggle__retry_after(const char *p, size_t n, uint64_t now_s)
{
    enum { DAY_S = 86400 };
    uint64_t seconds = 0;
    int64_t date = 0;
    if (decimal(p, n, &seconds))
        return (int64_t)WAGGLE__MIN(seconds, (uint64_t)DAY_S) * 1000;
    if (!imf_date(p, n, &date))
        return -1;
    int64_t ahead = date - (int64_t)now_s;
    return ahead <= 0 ? 0 : WAGGLE__MIN(ahead, (int64_t)DAY_S) * 1000;
}

/* --- lines --------------------------------------------------------------------------------- */

static void bad(struct waggle__http *h)
{
    h->state = WAGGLE__HTTP_BAD;
}

static void status_line(struct waggle__http *h)
{
    uint64_t status = 0;
    const char *p = h->line;
    if (h->line_n < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
        !decimal(p + 9, 3, &status) || status < 100 || (h->line_n > 12 && p[12] != ' ')) {
        bad(h);
        return;
    }
    h->status = (int)status;
    h->keep_alive = p[7] != '0';
    h->is_chunked = h->has_length = false;
    h->left = 0;
    h->retry_after_ms = h->rate_limit_ms = -1;
    h->state = WAGGLE__HTTP_HEADER;
}

static bool is_name(const struct waggle__http *h, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(h->line, name, n) == 0;
}

static void header(struct waggle__http *h)
{
    const char *colon = memchr(h->line, ':', h->line_n);
    if (colon == NULL) {
        bad(h);
        return;
    }
    size_t name_n = (size_t)(colon - h->line);
    const char *v = colon + 1;
    size_t n = h->line_n - name_n - 1;
    while (n > 0 && (*v == ' ' || *v == '\t')) {
        v++;
        n--;
    }
    while (n > 0 && (v[n - 1] == ' ' || v[n - 1] == '\t'))
        n--;
    if (is_name(h, name_n, "content-length")) {
        uint64_t length = 0;
        if (!decimal(v, n, &length) || (h->has_length && length != h->left)) {
            bad(h);
            return;
        }
        h->left = length;
        h->has_length = true;
    } else if (is_name(h, name_n, "transfer-encoding")) {
        h->is_chunked = n >= 7 && strncasecmp(v + n - 7, "chunked", 7) == 0;
        if (!h->is_chunked)
            bad(h);
    } else if (is_name(h, name_n, "connection")) {
        if (n == 5 && strncasecmp(v, "close", n) == 0)
            h->keep_alive = false;
    } else if (is_name(h, name_n, "retry-after")) {
        h->retry_after_ms = waggle__retry_after(v, n, h->now_s);
    } else if (is_name(h, name_n, "x-rate-limit-remaining-seconds")) {
        h->rate_limit_ms = waggle__retry_after(v, n, h->now_s);
    }
}

static void end_of_head(struct waggle__http *h)
{
    if (h->status < 200 && h->status != 101)
        h->state = WAGGLE__HTTP_STATUS_LINE; // 100 Continue: the real one follows
    else if (h->status == 204 || h->status == 304 || h->status == 101)
        h->state = WAGGLE__HTTP_DONE;
    else if (h->is_chunked)
        h->state = WAGGLE__HTTP_CHUNK_SIZE;
    else if (h->has_length)
        h->state = h->left > 0 ? WAGGLE__HTTP_BODY : WAGGLE__HTTP_DONE;
    else
        h->state = WAGGLE__HTTP_BODY_CLOSE;
    if (h->has_length && h->left > WAGGLE__HTTP_BODY_MAX)
        bad(h);
}

static void chunk_size(struct waggle__http *h)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < h->line_n && i < 8; i++) {
        char c = h->line[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            break;
        v = v << 4 | (uint64_t)digit;
    }
    if (i == 0 || (i < h->line_n && h->line[i] != ';' && h->line[i] != ' ')) {
        bad(h);
        return;
    }
    h->left = v;
    h->state = v > 0 ? WAGGLE__HTTP_CHUNK : WAGGLE__HTTP_TRAILER;
}

static void end_of_line(struct waggle__http *h)
{
    if (h->line_n > 0 && h->line[h->line_n - 1] == '\r')
        h->line_n--;
    switch (h->state) {
    case WAGGLE__HTTP_STATUS_LINE: status_line(h); break;
    case WAGGLE__HTTP_HEADER:
        if (h->line_n == 0)
            end_of_head(h);
        else
            header(h);
        break;
    case WAGGLE__HTTP_CHUNK_SIZE: chunk_size(h); break;
    case WAGGLE__HTTP_CHUNK_END:
        if (h->line_n == 0)
            h->state = WAGGLE__HTTP_CHUNK_SIZE;
        else
            bad(h);
        break;
    case WAGGLE__HTTP_TRAILER:
        if (h->line_n == 0)
            h->state = WAGGLE__HTTP_DONE;
        break;
    case WAGGLE__HTTP_BODY:
    case WAGGLE__HTTP_BODY_CLOSE:
    case WAGGLE__HTTP_CHUNK:
    case WAGGLE__HTTP_DONE:
    case WAGGLE__HTTP_BAD:
    default: break;
    }
    h->line_n = 0;
}

static size_t feed_line(struct waggle__http *h, const char *p, size_t n)
{
    const char *newline = memchr(p, '\n', n);
    size_t used = newline ? (size_t)(newline - p) + 1 : n;
    size_t text = newline ? used - 1 : n;
    size_t kept = WAGGLE__MIN(text, sizeof h->line - h->line_n);
    memcpy(h->line + h->line_n, p, kept);
    h->line_n += kept;
    h->head_seen += used;
    if (h->head_seen > WAGGLE__HTTP_HEAD_MAX)
        bad(h);
    else if (newline != NULL)
        end_of_line(h);
    return used;
}

static size_t feed_body(struct waggle__http *h, const char *p, size_t n)
{
    if (h->state != WAGGLE__HTTP_BODY_CLOSE)
        n = (size_t)WAGGLE__MIN((uint64_t)n, h->left);
    size_t kept = WAGGLE__MIN(n, h->body_cap - h->body_n);
    if (kept > 0)
        memcpy(h->body + h->body_n, p, kept);
    h->body_n += kept;
    h->body_seen += n;
    if (h->body_seen > WAGGLE__HTTP_BODY_MAX) {
        bad(h);
        return n;
    }
    if (h->state == WAGGLE__HTTP_BODY_CLOSE)
        return n;
    h->left -= n;
    if (h->left == 0) {
        h->head_seen = 0; // chunk heads are bounded by the body they bring
        h->state = h->state == WAGGLE__HTTP_BODY ? WAGGLE__HTTP_DONE : WAGGLE__HTTP_CHUNK_END;
    }
    return n;
}

void waggle__http_init(struct waggle__http *h, char *body, size_t cap, uint64_t now_s)
{
    memset(h, 0, offsetof(struct waggle__http, line));
    h->line_n = 0;
    h->retry_after_ms = h->rate_limit_ms = -1;
    h->now_s = now_s;
    h->body = body;
    h->body_cap = cap;
}

size_t waggle__http_feed(struct waggle__http *h, const char *p, size_t n)
{
    size_t at = 0;
    while (at < n && h->state != WAGGLE__HTTP_DONE && h->state != WAGGLE__HTTP_BAD) {
        bool body = h->state == WAGGLE__HTTP_BODY || h->state == WAGGLE__HTTP_BODY_CLOSE ||
                    h->state == WAGGLE__HTTP_CHUNK;
        at += body ? feed_body(h, p + at, n - at) : feed_line(h, p + at, n - at);
    }
    return at;
}

bool waggle__http_eof(struct waggle__http *h)
{
    h->keep_alive = false;
    if (h->state == WAGGLE__HTTP_BODY_CLOSE)
        h->state = WAGGLE__HTTP_DONE;
    return h->state == WAGGLE__HTTP_DONE;
}

/* --- URLs ---------------------------------------------------------------------------------- */

static bool has_only(const char *p, size_t n, bool ip6)
{
    for (size_t i = 0; i < n; i++) {
        bool ok = (p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') ||
                  (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '.' || p[i] == '-' || p[i] == '_' ||
                  (ip6 && (p[i] == ':' || p[i] == '%'));
        if (!ok)
            return false;
    }
    return n > 0;
}

static bool split_host(const char *p, size_t n, struct waggle__url *url)
{
    const char *host = p;
    size_t host_n = n;
    const char *rest = p + n;
    if (n > 0 && p[0] == '[') {
        const char *close = memchr(p, ']', n);
        if (close == NULL)
            return false;
        host = p + 1;
        host_n = (size_t)(close - host);
        rest = close + 1;
        if (rest < p + n && *rest != ':')
            return false;
    } else {
        const char *colon = memchr(p, ':', n);
        if (colon != NULL) {
            host_n = (size_t)(colon - p);
            rest = colon;
        }
    }
    if (host_n >= sizeof url->host || !has_only(host, host_n, p[0] == '['))
        return false;
    memcpy(url->host, host, host_n);
    url->host[host_n] = '\0';
    size_t port_n = rest < p + n ? (size_t)(p + n - rest - 1) : 0;
    uint64_t port = 0;
    if (port_n == 0) { // none, or only a colon
        memcpy(url->port, url->is_tls ? "443" : "80", url->is_tls ? 4 : 3);
        return true;
    }
    if (port_n > 5 || !decimal(rest + 1, port_n, &port) || port == 0 || port > 65535)
        return false;
    memcpy(url->port, rest + 1, port_n);
    url->port[port_n] = '\0';
    return true;
}

bool waggle__url_parse(const char *url, struct waggle__url *ret_url)
{
    memset(ret_url, 0, sizeof *ret_url);
    size_t skip = strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    if (skip == 0 && strncasecmp(url, "https://", 8) == 0) {
        ret_url->is_tls = true;
        skip = 8;
    }
    if (skip == 0)
        return false;
    const char *authority = url + skip;
    size_t n = strcspn(authority, "/?#");
    if (n == 0 || n >= sizeof ret_url->authority || memchr(authority, '@', n) != NULL ||
        !split_host(authority, n, ret_url))
        return false;
    memcpy(ret_url->authority, authority, n);
    ret_url->path = authority + n;
    ret_url->path_n = strlen(ret_url->path);
    for (size_t i = 0; i < ret_url->path_n; i++)
        if ((unsigned char)ret_url->path[i] <= 0x20 || (unsigned char)ret_url->path[i] >= 0x7f ||
            ret_url->path[i] == '#')
            return false; // would end the request line, or is for browsers
    return true;
}
