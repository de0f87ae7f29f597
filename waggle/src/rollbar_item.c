// SPDX-License-Identifier: Apache-2.0
/*
 * rollbar_item.c - an exception or a log record -> {"data":{...}} of POST /api/1/item/
 *
 *   exception.*, or code.*           body.trace   frames oldest first, class, message
 *   no exception                     body.message
 *   tables below                     request, person, server, and members of data
 *   every other attribute            custom, beside trace_id and span_id
 *
 * Texts are cut to what Rollbar takes; values under keys that name a secret become stars.
 *
 * Threads: no state.
 */
#include "rollbar_item.h"

#include "frames.h"
#include "json.h"

#include <strings.h>

enum { FRAMES_HALF = 64, NAME_BYTES = 255, VERSION_BYTES = 40, CRUMB_BYTES = 512 };

/* --- attributes --------------------------------------------------------------------------------
 */

static bool is_named(waggle_str s, const char *key)
{
    return s.n == strlen(key) && memcmp(s.p, key, s.n) == 0;
}

/* The next attribute of part 0 (event, log) or 1 (the event's span). */
static bool source_attr(const struct waggle__rollbar_source *s, int part, waggle_cursor *c,
                        waggle_attr_data *ret)
{
    if (s->log != NULL)
        return part == 0 && waggle_log_data_attr(s->log, c, ret);
    return part == 0 ? waggle_event_data_attr(s->event, c, ret)
                     : waggle_span_data_attr(s->span, c, ret);
}

bool waggle__rollbar_attr(const struct waggle__rollbar_source *s, const char *key,
                          waggle_value_data *ret)
{
    waggle_attr_data a;
    for (int part = 0; part < 2; part++)
        for (waggle_cursor c = {0}; source_attr(s, part, &c, &a);)
            if (is_named(a.key, key)) {
                *ret = a.value;
                return true;
            }
    return false;
}

static bool resource_attr(const struct waggle__rollbar_source *s, const char *key,
                          waggle_value_data *ret)
{
    waggle_attr_data a;
    for (waggle_cursor c = {0}; waggle_attr_next(s->resource->attributes, &c, &a);)
        if (is_named(a.key, key)) {
            *ret = a.value;
            return true;
        }
    return false;
}

static waggle_str text_attr(const struct waggle__rollbar_source *s, const char *key)
{
    waggle_value_data v;
    bool ok = waggle__rollbar_attr(s, key, &v) && v.type == WAGGLE_STR;
    return ok ? v.str : (waggle_str){"", 0};
}

static waggle_str either_text(const struct waggle__rollbar_source *s, const char *now,
                              const char *before)
{
    waggle_str text = text_attr(s, now);
    return text.n > 0 ? text : text_attr(s, before);
}

/* What the record says, else what was set, else what the resource says. */
static waggle_str setting_or(const struct waggle__rollbar_source *s, const char *set,
                             const char *key)
{
    waggle_value_data v;
    waggle_str own = text_attr(s, key); // a crash tells the version that crashed
    if (own.n > 0 || set[0] != '\0')
        return own.n > 0 ? own : waggle__str(set);
    return resource_attr(s, key, &v) && v.type == WAGGLE_STR ? v.str : (waggle_str){"", 0};
}

static bool names_secret(waggle_str key)
{
    static const char *const words[] = {
        "pw",         "passwd",         "password", "secret",        "confirm_password",
        "passphrase", "access_token",   "auth",     "authorization", "authentication",
        "api_key",    "apikey",         "token",    "cookie",        "set-cookie",
        "session",    "x-rollbar-token"};
    size_t at = key.n;
    while (at > 0 && key.p[at - 1] != '.')
        at--;
    for (size_t i = 0; i < WAGGLE__COUNT(words); i++)
        if (strlen(words[i]) == key.n - at && strncasecmp(key.p + at, words[i], key.n - at) == 0)
            return true;
    return false;
}

static void put_attr_value(struct waggle__obj *o, waggle_str key, const waggle_value_data *v)
{
    waggle__obj_key(o, key);
    if (names_secret(key))
        waggle__buf_str(o->out, "\"********\"");
    else
        waggle__json_value(o->out, v);
}

/* --- tables: where an attribute goes -----------------------------------------------------------
 */

struct place {
    const char *key, *before; /* before: its older name */
    const char *member;
    size_t max; /* of a text; 0: any value */
};

static const struct place request_places[] = {
    {"http.request.method", "http.method", "method", NAME_BYTES},
    {"url.full", "http.url", "url", 0},
    {"url.query", NULL, "query_string", 0},
    {"client.address", "http.client_ip", "user_ip", NAME_BYTES},
};

static const struct place person_places[] = {
    {"user.id", "enduser.id", "id", VERSION_BYTES},
    {"user.name", NULL, "username", NAME_BYTES},
    {"user.email", NULL, "email", NAME_BYTES},
};

static const struct place server_places[] = {
    {"host.name", NULL, "host", NAME_BYTES},
    {"process.pid", NULL, "pid", 0},
    {"process.command_args", NULL, "argv", 0},
    {"service.name", NULL, "service", NAME_BYTES},
};

/* Told elsewhere in the item. */
static const char *const told[] = {"exception.type", "exception.message",   "exception.stacktrace",
                                   "log.record.uid", "rollbar.fingerprint", "rollbar.title"};

static const char header_prefix[] = "http.request.header.";

static bool is_header(waggle_str key)
{
    return key.n > sizeof header_prefix - 1 &&
           memcmp(key.p, header_prefix, sizeof header_prefix - 1) == 0;
}

static bool in_places(waggle_str key, const struct place *places, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_named(key, places[i].key) || (places[i].before && is_named(key, places[i].before)))
            return true;
    return false;
}

static bool is_told(waggle_str key)
{
    for (size_t i = 0; i < WAGGLE__COUNT(told); i++)
        if (is_named(key, told[i]))
            return true;
    return is_header(key) || in_places(key, request_places, WAGGLE__COUNT(request_places)) ||
           in_places(key, person_places, WAGGLE__COUNT(person_places));
}

static void put_place(struct waggle__obj *o, const struct place *p, const waggle_value_data *v)
{
    if (p->max > 0 && v->type == WAGGLE_STR)
        waggle__obj_text(o, p->member, v->str, p->max);
    else {
        waggle__obj_key(o, waggle__str(p->member));
        waggle__json_value(o->out, v);
    }
}

static void put_places(struct waggle__obj *o, const struct waggle__rollbar_source *s,
                       const struct place *places, size_t n)
{
    waggle_value_data v;
    for (size_t i = 0; i < n; i++)
        if (waggle__rollbar_attr(s, places[i].key, &v) ||
            (places[i].before != NULL && waggle__rollbar_attr(s, places[i].before, &v)))
            put_place(o, &places[i], &v);
}

/* --- the exception -----------------------------------------------------------------------------
 */

static void put_frame(struct waggle__buf *out, const struct waggle__frame *f)
{
    struct waggle__obj o = waggle__obj_begin(out);
    waggle_str base = f->module;
    for (size_t i = base.n; i-- > 0;)
        if (base.p[i] == '/') {
            base = (waggle_str){base.p + i + 1, base.n - i - 1};
            break;
        }
    waggle__obj_key(&o, waggle__str("filename"));
    waggle__json_text(out, f->file.n > 0 ? f->file : f->module);
    if (f->line > 0)
        waggle__buf_printf(out, ",\"lineno\":%u", f->line);
    if (f->column > 0)
        waggle__buf_printf(out, ",\"colno\":%u", f->column);
    if (f->function.n > 0) {
        waggle__obj_text(&o, "method", f->function, NAME_BYTES);
    } else if (f->has_offset) { // raw addresses change with each start; this does not
        waggle__obj_key(&o, waggle__str("method"));
        waggle__buf_put(out, "\"", 1);
        struct waggle__buf name;
        waggle__buf_init(&name, 4096);
        waggle__json_text(&name, base);
        if (name.n > 2 && !name.bad)
            waggle__buf_put(out, name.p + 1, name.n - 2);
        waggle__buf_done(&name);
        waggle__buf_printf(out, "+0x%llx\"", (unsigned long long)f->offset);
    }
    waggle__obj_text(&o, "module", f->module, 4096);
    if (f->has_offset)
        waggle__buf_printf(out, ",\"offset\":\"0x%llx\"", (unsigned long long)f->offset);
    waggle__obj_text(&o, "build_id", f->build_id, 128);
    waggle__obj_end(&o);
}

/* A single frame, from where the record says it was made. */
static bool place_of(const struct waggle__rollbar_source *s, struct waggle__frame *ret)
{
    waggle_value_data line;
    const waggle_str none = {"", 0};
    *ret = (struct waggle__frame){.module = none, .build_id = none};
    ret->file = either_text(s, "code.file.path", "code.filepath");
    ret->function = either_text(s, "code.function.name", "code.function");
    bool has_line = waggle__rollbar_attr(s, "code.line.number", &line) ||
                    waggle__rollbar_attr(s, "code.lineno", &line);
    if (has_line && line.type == WAGGLE_I64 && line.i64 > 0 && line.i64 < UINT32_MAX)
        ret->line = (uint32_t)line.i64;
    return ret->file.n > 0;
}

/* Frames stand innermost first in the text and oldest first in the item. Of too many the inner and
 * the outer ones are kept. */
static size_t put_frames(struct waggle__buf *out, const struct waggle__rollbar_source *s)
{
    struct waggle__frame inner[FRAMES_HALF];
    struct waggle__frame outer[FRAMES_HALF]; /* a ring of the last ones */
    const size_t half = s->small ? 1 : FRAMES_HALF;
    size_t n_inner = 0;
    size_t n_outer = 0;
    struct waggle__frame f;
    waggle_str text = text_attr(s, "exception.stacktrace");
    for (waggle_cursor c = {0}; waggle__frame_next(text, &c, &f);) {
        if (n_inner < half)
            inner[n_inner++] = f;
        else
            outer[n_outer++ % half] = f;
    }
    if (n_inner == 0 && place_of(s, &f))
        inner[n_inner++] = f;
    size_t n = 0;
    for (size_t i = 0; i < WAGGLE__MIN(n_outer, half); i++) {
        waggle__buf_str(out, n++ > 0 ? "," : "");
        put_frame(out, &outer[(n_outer - 1 - i) % half]);
    }
    for (size_t i = n_inner; i-- > 0;) {
        waggle__buf_str(out, n++ > 0 ? "," : "");
        put_frame(out, &inner[i]);
    }
    return n;
}

static void put_trace(struct waggle__buf *out, const struct waggle__rollbar_source *s,
                      waggle_str type, waggle_str message)
{
    waggle__buf_str(out, "\"trace\":{\"frames\":[");
    size_t n = put_frames(out, s);
    waggle__buf_str(out, "],\"exception\":");
    struct waggle__obj o = waggle__obj_begin(out);
    waggle__obj_key(&o, waggle__str("class"));
    waggle__json_text(out, type.n > 0 ? type : waggle__str("Error"));
    waggle__obj_text(&o, "message", message, s->small ? NAME_BYTES : SIZE_MAX);
    waggle__obj_end(&o);
    waggle_str stack = text_attr(s, "exception.stacktrace");
    if (n == 0 && stack.n > 0 && !s->small) { // of another language: at least to be read
        waggle__buf_str(out, ",\"extra\":{\"stack\":");
        waggle__json_text(out, stack);
        waggle__buf_put(out, "}", 1);
    }
    waggle__buf_put(out, "}", 1);
}

static void put_message(struct waggle__buf *out, const struct waggle__rollbar_source *s)
{
    const waggle_value_data *body = &s->log->body;
    waggle__buf_str(out, "\"message\":{\"body\":");
    if (body->type == WAGGLE_STR) {
        waggle__json_text(out, waggle__str_cut(body->str, s->small ? NAME_BYTES : SIZE_MAX));
    } else if (body->type == WAGGLE_EMPTY) {
        waggle__json_text(out,
                          s->log->event_name.n > 0 ? s->log->event_name : waggle__str("(empty)"));
    } else { // must be a text
        struct waggle__buf text;
        waggle__buf_init(&text, out->limit);
        waggle__json_value(&text, body);
        waggle__json_text(out, (waggle_str){(const char *)text.p, text.bad ? 0 : text.n});
        waggle__buf_done(&text);
    }
    waggle__buf_put(out, "}", 1);
}

static void put_body(struct waggle__obj *data, const struct waggle__rollbar_source *s)
{
    waggle_str type = text_attr(s, "exception.type");
    waggle_str message = text_attr(s, "exception.message");
    bool is_exception =
        s->log == NULL || type.n > 0 || message.n > 0 || text_attr(s, "exception.stacktrace").n > 0;
    if (is_exception && message.n == 0 && s->log != NULL && s->log->body.type == WAGGLE_STR)
        message = s->log->body.str;
    waggle__obj_key(data, waggle__str("body"));
    waggle__buf_put(data->out, "{", 1);
    if (is_exception)
        put_trace(data->out, s, type, message);
    else
        put_message(data->out, s);
    if (s->telemetry.n > 0 && !s->small) {
        waggle__buf_str(data->out, ",\"telemetry\":[");
        waggle__buf_put(data->out, s->telemetry.p, s->telemetry.n);
        waggle__buf_put(data->out, "]", 1);
    }
    waggle__buf_put(data->out, "}", 1);
}

/* --- around it ---------------------------------------------------------------------------------
 */

static void put_headers(struct waggle__obj *request, const struct waggle__rollbar_source *s)
{
    waggle_attr_data a;
    struct waggle__obj headers = {request->out, false};
    for (int part = 0; part < 2; part++)
        for (waggle_cursor c = {0}; source_attr(s, part, &c, &a);) {
            if (!is_header(a.key))
                continue;
            if (!headers.any) {
                waggle__obj_key(request, waggle__str("headers"));
                waggle__buf_put(request->out, "{", 1);
            }
            put_attr_value(&headers,
                           (waggle_str){a.key.p + sizeof header_prefix - 1,
                                        a.key.n - (sizeof header_prefix - 1)},
                           &a.value);
        }
    if (headers.any)
        waggle__obj_end(&headers);
}

/* An object of the table's members; nothing if there are none. */
static void put_part(struct waggle__obj *data, const struct waggle__rollbar_source *s,
                     const char *name, const struct place *places, size_t n)
{
    size_t before = data->out->n;
    struct waggle__obj saved = *data;
    waggle__obj_key(data, waggle__str(name));
    struct waggle__obj part = waggle__obj_begin(data->out);
    put_places(&part, s, places, n);
    if (places == request_places)
        put_headers(&part, s);
    waggle__obj_end(&part);
    if (part.any)
        return;
    data->out->n = before;
    *data = saved;
}

static void put_server(struct waggle__obj *data, const struct waggle__rollbar_source *s)
{
    waggle_value_data v;
    waggle__obj_key(data, waggle__str("server"));
    struct waggle__obj server = waggle__obj_begin(data->out);
    for (size_t i = 0; i < WAGGLE__COUNT(server_places); i++)
        if (resource_attr(s, server_places[i].key, &v))
            put_place(&server, &server_places[i], &v);
    waggle__obj_text(&server, "root", waggle__str(s->set->root), 4096);
    waggle__obj_text(&server, "branch", waggle__str(s->set->branch), NAME_BYTES);
    waggle__obj_end(&server);
}

static void put_custom(struct waggle__obj *data, const struct waggle__rollbar_source *s,
                       const char *trace, const char *span)
{
    waggle_attr_data a;
    waggle__obj_key(data, waggle__str("custom"));
    struct waggle__obj custom = waggle__obj_begin(data->out);
    waggle__obj_text(&custom, "trace_id", waggle__str(trace), 32);
    waggle__obj_text(&custom, "span_id", waggle__str(span), 16);
    if (s->span != NULL)
        waggle__obj_text(&custom, "span_name", s->span->name, NAME_BYTES);
    for (int part = 0; part < 2 && !s->small; part++)
        for (waggle_cursor c = {0}; source_attr(s, part, &c, &a);)
            if (!is_told(a.key))
                put_attr_value(&custom, a.key, &a.value);
    waggle__obj_end(&custom);
}

static void put_ids(struct waggle__obj *data, const struct waggle__rollbar_source *s)
{
    static const uint8_t none[16];
    char trace[33] = "";
    char span[17] = "";
    const uint8_t *trace_id = s->log != NULL ? s->log->trace_id : s->span->trace_id;
    if (memcmp(trace_id, none, 16) != 0) {
        waggle_trace_id_hex(trace_id, trace);
        waggle_span_id_hex(s->log != NULL ? s->log->span_id : s->span->span_id, span);
    }
    put_custom(data, s, trace, span);
    if (trace[0] != '\0')
        waggle__buf_printf(data->out,
                           ",\"attributes\":[{\"key\":\"execution_scope_id\",\"value\":\"%s\"}]",
                           trace);
}

/* The one the record has, or a random one. */
static void put_uuid(struct waggle__obj *data, const struct waggle__rollbar_source *s)
{
    struct waggle__thread *t = waggle__thread();
    waggle_str own = text_attr(s, "log.record.uid");
    if (own.n > 0 || t == NULL) {
        waggle__obj_text(data, "uuid", own, 36);
        return;
    }
    uint64_t a = waggle__random64(t);
    uint64_t b = waggle__random64(t);
    waggle__obj_key(data, waggle__str("uuid"));
    waggle__buf_printf(data->out, "\"%08x-%04x-4%03x-%04x-%012llx\"", (unsigned)(a >> 32),
                       (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
                       (unsigned)(0x8000 | (b >> 50 & 0x3fff)),
                       (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

const char *waggle__rollbar_level(int severity)
{
    return severity >= WAGGLE_FATAL   ? "critical"
           : severity >= WAGGLE_ERROR ? "error"
           : severity >= WAGGLE_WARN  ? "warning"
           : severity >= WAGGLE_INFO  ? "info"
                                      : "debug";
}

static waggle_str context_of(const struct waggle__rollbar_source *s)
{
    waggle_str route = text_attr(s, "http.route");
    if (route.n > 0)
        return route;
    return s->span != NULL ? s->span->name : either_text(s, "code.function.name", "code.function");
}

void waggle__rollbar_item(struct waggle__buf *out, const struct waggle__rollbar_source *s)
{
    uint64_t ns = s->log == NULL         ? s->event->time_ns
                  : s->log->time_ns != 0 ? s->log->time_ns
                                         : s->log->observed_ns;
    waggle_str environment = setting_or(s, s->set->environment, "deployment.environment.name");
    if (environment.n == 0)
        environment = setting_or(s, "", "deployment.environment");
    out->n = 0;
    out->bad = false;
    waggle__buf_str(out, "{\"data\":");
    struct waggle__obj data = waggle__obj_begin(out);
    waggle__obj_text(&data, "environment", environment.n ? environment : waggle__str("production"),
                     NAME_BYTES);
    waggle__obj_text(&data, "level",
                     waggle__str(waggle__rollbar_level(
                         s->log != NULL && s->log->severity > 0 ? s->log->severity : WAGGLE_ERROR)),
                     NAME_BYTES);
    waggle__buf_printf(out, ",\"timestamp\":%llu", (unsigned long long)(ns / 1000000000u));
    waggle__obj_text(&data, "platform", setting_or(s, "", "os.type"), NAME_BYTES);
    waggle__obj_text(&data, "language", waggle__str("c"), NAME_BYTES);
    waggle__obj_text(&data, "framework", waggle__str(s->set->framework), NAME_BYTES);
    waggle__obj_text(&data, "code_version", setting_or(s, s->set->code_version, "service.version"),
                     VERSION_BYTES);
    put_uuid(&data, s);
    waggle__obj_text(&data, "context", context_of(s), NAME_BYTES);
    waggle__obj_text(&data, "title", text_attr(s, "rollbar.title"), NAME_BYTES);
    waggle__obj_text(&data, "fingerprint", text_attr(s, "rollbar.fingerprint"), VERSION_BYTES);
    put_body(&data, s);
    if (!s->small)
        put_part(&data, s, "request", request_places, WAGGLE__COUNT(request_places));
    put_part(&data, s, "person", person_places, WAGGLE__COUNT(person_places));
    put_server(&data, s);
    put_ids(&data, s);
    waggle__buf_str(out, ",\"notifier\":{\"name\":\"waggle\",\"version\":\"" WAGGLE_VERSION "\"}");
    waggle__obj_end(&data);
    waggle__buf_put(out, "}", 1);
}

void waggle__rollbar_crumb(struct waggle__buf *out, const waggle_log_data *log)
{
    uint64_t ns = log->time_ns != 0 ? log->time_ns : log->observed_ns;
    if (log->body.type != WAGGLE_STR)
        return;
    waggle__buf_printf(out,
                       "{\"level\":\"%s\",\"type\":\"log\",\"source\":\"server\","
                       "\"timestamp_ms\":%llu,\"body\":{\"message\":",
                       waggle__rollbar_level(log->severity), (unsigned long long)(ns / 1000000u));
    waggle__json_text(out, waggle__str_cut(log->body.str, CRUMB_BYTES));
    waggle__buf_str(out, "}}");
}
