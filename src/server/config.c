// SPDX-License-Identifier: Apache-2.0
/* Flags, environment and defaults of `skep serve` (table: config.def).
 *
 * Every option is first a text from the strongest source that names it (flag > environment >
 * default); then each text is read and checked once, so that all three sources obey the same rules
 * and a message names the source it came from.
 *
 * Threads: main, before others start.  Memory: the arena given. */
#include "server/config.h"

#include <stdio.h>

#include "base/assert.h"
#include "event/event.h"
#include "fetch/fetch.h"
#include "net/cidr.h"
#include "notify/notify.h"

enum kind { KIND_TEXT, KIND_LIST, KIND_SIZE, KIND_DURATION };

static const struct option {
    enum kind kind;
    const char *flag, *value, *meta, *help;
} options[] = {
#define X(kind_, member, flag_, default_, meta_, help_)                                            \
    {KIND_##kind_, flag_, default_, meta_, help_},
#include "server/config.def"
#undef X
};

enum option_index {
#define X(kind, member, flag, default, meta, help) OPTION_##member,
#include "server/config.def"
#undef X
    OPTION_COUNT
};

/* The text of each option, its source for messages, and for lists how many times it was given. */
struct texts {
    skep_str value[OPTION_COUNT];
    bool from_flag[OPTION_COUNT];
};

bool skep_parse_size(skep_str s, uint64_t *ret)
{
    static const char units[] = "KMGT";
    unsigned shift = 0;
    uint64_t n;
    if (s.n > 2 && skep_str_ends(s, SKEP_STR("iB")))
        s.n -= 2;
    else if (s.n > 1 && s.p[s.n - 1] == 'B')
        s.n -= 1;
    for (unsigned i = 0; i < 4 && s.n; i++) {
        char c = s.p[s.n - 1];
        if (c == units[i] || c == units[i] - 'A' + 'a') {
            shift = 10 * (i + 1);
            s.n--;
            break;
        }
    }
    if (!skep_str_u64(s, &n) || n > UINT64_MAX >> shift)
        return false;
    *ret = n << shift;
    return true;
}

bool skep_parse_duration(skep_str s, int64_t *ret_ns)
{
    static const struct {
        skep_str unit;
        int64_t ns;
    } units[] = {
        {SKEP_STR("ms"), 1000000},       {SKEP_STR("s"), 1000000000},
        {SKEP_STR("m"), 60000000000},    {SKEP_STR("h"), 3600000000000},
        {SKEP_STR("d"), 86400000000000}, {SKEP_STR("w"), 604800000000000},
    };
    uint64_t n;
    if (skep_str_eq(s, SKEP_STR("0"))) {
        *ret_ns = 0;
        return true;
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(units); i++) {
        if (!skep_str_ends(s, units[i].unit))
            continue;
        if (!skep_str_u64((skep_str){s.p, s.n - units[i].unit.n}, &n))
            continue;
        return n <= INT64_MAX && !SKEP_MUL_OVERFLOW((int64_t)n, units[i].ns, ret_ns);
    }
    return false;
}

/* Host and port of "host:port", "[v6]:port"; false when there is no port. */
static bool split_address(skep_str s, skep_str *ret_host, skep_str *ret_port)
{
    size_t colon = s.n;
    while (colon && s.p[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    *ret_port = skep_str_skip(s, colon);
    *ret_host = (skep_str){s.p, colon - 1};
    if (ret_host->n >= 2 && ret_host->p[0] == '[' && ret_host->p[ret_host->n - 1] == ']')
        *ret_host = (skep_str){ret_host->p + 1, ret_host->n - 2};
    else if (skep_str_chr(*ret_host, ':') != SIZE_MAX)
        return false; /* an IPv6 address needs its brackets */
    return ret_host->n > 0;
}

static bool is_port(skep_str s)
{
    uint64_t port;
    return skep_str_u64(s, &port) && port <= 65535;
}

/* 127.a.b.c with four numbers up to 255: no name that merely begins so. */
static bool is_loopback_v4(skep_str host)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t n;
        skep_str part = skep_str_cut(&host, '.');
        if (!skep_str_u64(part, &n) || n > 255 || (i == 0 && n != 127))
            return false;
    }
    return host.p == NULL;
}

bool skep_is_loopback(skep_str host_port)
{
    skep_str host, port;
    return split_address(host_port, &host, &port) &&
           (skep_str_eq(host, SKEP_STR("::1")) || skep_str_ieq(host, SKEP_STR("localhost")) ||
            is_loopback_v4(host));
}

static skep_str env_name(struct skep_arena *arena, const char *flag)
{
    skep_str name = skep_arena_printf(arena, "SKEP_%s", flag);
    char *p = skep_cstr(arena, name);
    for (size_t i = 5; i < name.n; i++)
        p[i] = p[i] == '-' ? '_' : (char)(p[i] - 'a' + 'A');
    return (skep_str){p, name.n};
}

static int find_option(skep_str name)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (skep_str_eq(skep_str_c(options[i].flag), name))
            return i;
    return -1;
}

/* Flags repeat only for lists; a list given twice is the two joined. */
static skep_rc take_flag(struct skep_arena *arena, struct texts *t, int i, skep_str value,
                         skep_err *err)
{
    const struct option *o = &options[i];
    if (t->from_flag[i] && o->kind != KIND_LIST)
        return skep_fail(err, SKEP_EINVAL, "--%s is given twice", o->flag);
    if (t->from_flag[i])
        value = skep_arena_printf(arena, SKEP_STRFMT "," SKEP_STRFMT, SKEP_STRARG(t->value[i]),
                                  SKEP_STRARG(value));
    t->value[i] = value;
    t->from_flag[i] = true;
    return SKEP_OK;
}

static skep_rc read_flags(int argc, char *const *argv, struct skep_arena *arena, struct texts *t,
                          skep_err *err)
{
    for (int a = 0; a < argc; a++) {
        skep_str arg = skep_str_c(argv[a]);
        if (skep_str_eq(arg, SKEP_STR("--help")) || skep_str_eq(arg, SKEP_STR("-h")))
            return skep_fail(err, SKEP_ECANCELED, "help");
        if (!skep_str_starts(arg, SKEP_STR("--")))
            return skep_fail(err, SKEP_EINVAL, "unexpected argument '%s'", argv[a]);
        skep_str value = skep_str_skip(arg, 2);
        skep_str name = skep_str_cut(&value, '=');
        int i = find_option(name);
        if (i < 0)
            return skep_fail(err, SKEP_EINVAL, "unknown flag '--" SKEP_STRFMT "'",
                             SKEP_STRARG(name));
        if (!value.p) {
            if (a + 1 == argc)
                return skep_fail(err, SKEP_EINVAL, "--%s needs a value: %s", options[i].flag,
                                 options[i].meta);
            value = skep_str_c(argv[++a]);
        }
        SKEP_TRY(take_flag(arena, t, i, value, err));
    }
    return SKEP_OK;
}

static void read_env(skep_getenv_fn *env, void *ctx, struct skep_arena *arena, struct texts *t)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *value = env(ctx, env_name(arena, options[i].flag).p);
        t->value[i] = skep_str_c(value ? value : options[i].value);
    }
}

static skep_rc bad(const struct texts *t, int i, const char *want, skep_err *err)
{
    return skep_fail(err, SKEP_EINVAL, "%s %s: '" SKEP_STRFMT "' is not %s",
                     t->from_flag[i] ? "flag" : "environment variable of", options[i].flag,
                     (int)SKEP_MIN(t->value[i].n, 80u), t->value[i].p, want);
}

static void split_list(struct skep_arena *arena, skep_str s, struct skep_config_list *ret)
{
    unsigned n = 1;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == ',';
    ret->items = skep_new_n(arena, const char *, n);
    while (s.p) {
        skep_str item = skep_str_trim(skep_str_cut(&s, ','));
        if (item.n)
            ret->items[ret->n++] = skep_cstr(arena, item);
    }
}

static skep_rc check_addresses(const struct texts *t, int i, const struct skep_config_list *list,
                               skep_err *err)
{
    for (unsigned k = 0; k < list->n; k++) {
        skep_str host, port;
        if (!split_address(skep_str_c(list->items[k]), &host, &port) || !is_port(port))
            return bad(t, i, "HOST:PORT (IPv6: [HOST]:PORT)", err);
    }
    return SKEP_OK;
}

static skep_rc read_addresses(const struct texts *t, struct skep_arena *arena,
                              struct skep_config *ret, skep_err *err)
{
    split_list(arena, t->value[OPTION_listen], &ret->listen);
    if (!skep_str_eq(t->value[OPTION_grpc], SKEP_STR("none")))
        split_list(arena, t->value[OPTION_grpc], &ret->grpc);
    if (!skep_str_eq(t->value[OPTION_xray], SKEP_STR("none")))
        split_list(arena, t->value[OPTION_xray], &ret->xray);
    split_list(arena, t->value[OPTION_xray_allow], &ret->xray_allow);
    split_list(arena, t->value[OPTION_allow_host], &ret->allow_host);
    if (ret->listen.n == 0)
        return bad(t, OPTION_listen, "HOST:PORT", err);
    SKEP_TRY(check_addresses(t, OPTION_listen, &ret->listen, err));
    SKEP_TRY(check_addresses(t, OPTION_grpc, &ret->grpc, err));
    return check_addresses(t, OPTION_xray, &ret->xray, err);
}

static skep_rc read_xray(const struct texts *t, struct skep_arena *arena, struct skep_config *ret,
                         skep_err *err)
{
    struct skep_cidr range;
    for (unsigned i = 0; i < ret->xray_allow.n; i++)
        if (skep_cidr_parse(skep_str_c(ret->xray_allow.items[i]), &range, err) != SKEP_OK)
            return bad(t, OPTION_xray_allow, "addresses or ranges like 10.0.0.0/8", err);
    ret->xray_plain = skep_str_eq(t->value[OPTION_xray_tls], SKEP_STR("plain"));
    if (!ret->xray_plain && !skep_str_eq(t->value[OPTION_xray_tls], SKEP_STR("require")))
        return bad(t, OPTION_xray_tls, "plain or require", err);
    if (t->value[OPTION_xray_environment].n == 0)
        return bad(t, OPTION_xray_environment, "a name", err);
    ret->xray_environment = skep_cstr(arena, t->value[OPTION_xray_environment]);
    if (!skep_parse_size(t->value[OPTION_xray_document_bytes], &ret->xray_document_bytes) ||
        ret->xray_document_bytes == 0 || ret->xray_document_bytes > SKEP_LIMIT_VALUE_BYTES)
        return bad(t, OPTION_xray_document_bytes, "a size up to 4M", err);
    return SKEP_OK;
}

/* The first address that other machines reach, or NULL. */
static const char *not_loopback(const struct skep_config_list *list)
{
    for (unsigned k = 0; k < list->n; k++)
        if (!skep_is_loopback(skep_str_c(list->items[k])))
            return list->items[k];
    return NULL;
}

static skep_rc read_auth(const struct texts *t, struct skep_config *ret, skep_err *err)
{
    skep_str mode = t->value[OPTION_auth];
    const char *reached = not_loopback(&ret->listen);
    const char *flag = "listen";
    if (!reached) {
        reached = not_loopback(&ret->grpc);
        flag = "grpc";
    }
    if (!reached) {
        reached = not_loopback(&ret->xray);
        flag = "xray";
    }
    bool open = skep_str_eq(mode, SKEP_STR("open"));
    if (mode.n && !open && !skep_str_eq(mode, SKEP_STR("keys")))
        return bad(t, OPTION_auth, "open or keys", err);
    if (open && reached)
        return skep_fail(
            err, SKEP_EINVAL,
            "--auth open is for loopback addresses (127.0.0.1, [::1]) only, and --%s %s "
            "is none: whoever reaches the port could read everything. Use --auth keys",
            flag, reached);
    ret->auth_keys = mode.n ? !open : reached != NULL;
    return SKEP_OK;
}

static skep_rc read_sizes(const struct texts *t, struct skep_config *ret, skep_err *err)
{
    if (!skep_parse_size(t->value[OPTION_memory], &ret->memory_bytes) ||
        ret->memory_bytes < SKEP_CONFIG_MEMORY_MIN)
        return bad(t, OPTION_memory, "a size of at least 64M", err);
    if (!skep_parse_size(t->value[OPTION_disk], &ret->disk_bytes) ||
        (ret->disk_bytes && ret->disk_bytes < SKEP_CONFIG_DISK_MIN))
        return bad(t, OPTION_disk, "0 or a size of at least 64M", err);
    if (!skep_parse_duration(t->value[OPTION_retain], &ret->retain_ns))
        return bad(t, OPTION_retain, "a time like 30d, 12h or 0", err);
    if (!skep_str_u64(t->value[OPTION_items], &ret->items) || ret->items < 100 ||
        ret->items > 10000000)
        return bad(t, OPTION_items, "a number from 100 to 10000000", err);
    if (!skep_parse_duration(t->value[OPTION_self_probe_ns], &ret->self_probe_ns) ||
        (ret->self_probe_ns > 0 && ret->self_probe_ns < SKEP_CONFIG_SELF_PROBE_MIN_NS))
        return bad(t, OPTION_self_probe_ns, "a time like 1m, at least 1s, or 0", err);
    return SKEP_OK;
}

static const char *file_of(const struct texts *t, int i, struct skep_arena *arena)
{
    return t->value[i].n ? skep_cstr(arena, t->value[i]) : NULL;
}

static skep_rc read_notify(const struct texts *t, struct skep_arena *arena, struct skep_config *ret,
                           skep_err *err)
{
    struct skep_cidr range;
    enum skep_state_place_kind kind;
    split_list(arena, t->value[OPTION_rollbar_scrub], &ret->rollbar_scrub);
    split_list(arena, t->value[OPTION_notify_allow], &ret->notify_allow);
    for (unsigned i = 0; i < ret->notify_allow.n; i++)
        if (skep_cidr_parse(skep_str_c(ret->notify_allow.items[i]), &range, err) != SKEP_OK)
            return bad(t, OPTION_notify_allow, "addresses or ranges like 10.0.0.0/8, or any", err);
    ret->notify_ca = file_of(t, OPTION_notify_ca, arena);
    ret->pagerduty = file_of(t, OPTION_pagerduty, arena);
    if (!ret->pagerduty || skep_notify_check_place(SKEP_STR("webhook"), t->value[OPTION_pagerduty],
                                                   &kind, err) != SKEP_OK)
        return bad(t, OPTION_pagerduty, "https://HOST/PATH", err);
    ret->smtp = file_of(t, OPTION_smtp, arena);
    ret->smtp_from = file_of(t, OPTION_smtp_from, arena);
    ret->smtp_user = file_of(t, OPTION_smtp_user, arena);
    ret->smtp_password_file = file_of(t, OPTION_smtp_password_file, arena);
    if (!ret->smtp)
        return SKEP_OK;
    if (!skep_str_starts(t->value[OPTION_smtp], SKEP_STR("smtp://")) &&
        !skep_str_starts(t->value[OPTION_smtp], SKEP_STR("smtps://")))
        return bad(t, OPTION_smtp, "smtp://HOST:PORT or smtps://HOST:PORT", err);
    if (skep_notify_check_place(SKEP_STR("mail"), t->value[OPTION_smtp_from], &kind, err) !=
        SKEP_OK)
        return bad(t, OPTION_smtp_from, "a mail address", err);
    return SKEP_OK;
}

static skep_rc read_oidc_roles(const struct texts *t, struct skep_arena *arena,
                               struct skep_oidc_config *c, skep_err *err)
{
    struct skep_config_list admins = {.n = 0}, viewers = {.n = 0};
    skep_str role = t->value[OPTION_oidc_role];
    split_list(arena, t->value[OPTION_oidc_admin], &admins);
    split_list(arena, t->value[OPTION_oidc_viewer], &viewers);
    c->admins = (struct skep_oidc_list){admins.items, admins.n};
    c->viewers = (struct skep_oidc_list){viewers.items, viewers.n};
    c->role_claim = file_of(t, OPTION_oidc_role_claim, arena);
    c->has_role = !skep_str_eq(role, SKEP_STR("none"));
    c->role = SKEP_ROLE_VIEWER;
    if (c->has_role && !skep_role_parse(role, &c->role))
        return bad(t, OPTION_oidc_role, "viewer, admin or none", err);
    if (!c->role_claim && (admins.n || viewers.n))
        return skep_fail(err, SKEP_EINVAL, "--oidc-admin and --oidc-viewer need --oidc-role-claim");
    if (!c->role_claim && !c->has_role)
        return skep_fail(err, SKEP_EINVAL, "--oidc-role none needs --oidc-role-claim");
    return SKEP_OK;
}

static skep_rc read_oidc_users(const struct texts *t, struct skep_arena *arena,
                               struct skep_oidc_config *c, skep_err *err)
{
    struct skep_config_list domains = {.n = 0};
    int64_t session_ns = 0;
    skep_str users = t->value[OPTION_oidc_users];
    split_list(arena, t->value[OPTION_oidc_domain], &domains);
    c->domains = (struct skep_oidc_list){domains.items, domains.n};
    c->users = skep_str_eq(users, SKEP_STR("new")) ? SKEP_OIDC_NEW : SKEP_OIDC_KNOWN;
    if (c->users == SKEP_OIDC_KNOWN && !skep_str_eq(users, SKEP_STR("known")))
        return bad(t, OPTION_oidc_users, "known or new", err);
    if (!skep_parse_duration(t->value[OPTION_oidc_session_ns], &session_ns) ||
        session_ns < 60000000000 || session_ns / 1000000000 > SKEP_SESSION_MAX_S)
        return bad(t, OPTION_oidc_session_ns, "a time from 1m to 30d", err);
    c->session_s = session_ns / 1000000000;
    return read_oidc_roles(t, arena, c, err);
}

static skep_rc read_oidc(const struct texts *t, struct skep_arena *arena, struct skep_config *ret,
                         skep_err *err)
{
    struct skep_oidc_config *c = &ret->oidc;
    c->issuer = file_of(t, OPTION_oidc_issuer, arena);
    c->client_id = file_of(t, OPTION_oidc_client_id, arena);
    c->client_secret_file = file_of(t, OPTION_oidc_client_secret_file, arena);
    c->ca_file = file_of(t, OPTION_oidc_ca, arena);
    c->name = file_of(t, OPTION_oidc_name, arena);
    c->scopes = file_of(t, OPTION_oidc_scopes, arena);
    c->public_url = file_of(t, OPTION_public_url, arena);
    SKEP_TRY(read_oidc_users(t, arena, c, err));
    if (c->public_url && !skep_str_starts(t->value[OPTION_public_url], SKEP_STR("https://")) &&
        !skep_str_starts(t->value[OPTION_public_url], SKEP_STR("http://")))
        return bad(t, OPTION_public_url, "https://NAME", err);
    if (!c->issuer && c->client_id)
        return skep_fail(err, SKEP_EINVAL, "--oidc-client-id needs --oidc-issuer URL");
    if (!c->issuer)
        return SKEP_OK;
    if (!c->client_id)
        return skep_fail(err, SKEP_EINVAL, "--oidc-issuer needs --oidc-client-id ID");
    if (!c->scopes)
        return bad(t, OPTION_oidc_scopes, "a list with openid", err);
    if (!skep_fetch_is_safe(c->issuer))
        return bad(t, OPTION_oidc_issuer, "https://... (http is for loopback names alone)", err);
    if (!ret->auth_keys)
        return skep_fail(err, SKEP_EINVAL,
                         "--oidc-issuer is for --auth keys: in open mode nobody logs in");
    return SKEP_OK;
}

static skep_rc read_client_cert(const struct texts *t, struct skep_net_tls_config *tls,
                                skep_err *err)
{
    skep_str word = t->value[OPTION_tls_client_cert];
    tls->client_cert = tls->client_ca ? SKEP_CLIENT_CERT_INGEST : SKEP_CLIENT_CERT_OFF;
    if (skep_str_eq(word, SKEP_STR("off")))
        tls->client_cert = SKEP_CLIENT_CERT_OFF;
    else if (skep_str_eq(word, SKEP_STR("ingest")))
        tls->client_cert = SKEP_CLIENT_CERT_INGEST;
    else if (skep_str_eq(word, SKEP_STR("all")))
        tls->client_cert = SKEP_CLIENT_CERT_ALL;
    else if (word.n)
        return bad(t, OPTION_tls_client_cert, "off, ingest or all", err);
    if (tls->client_cert != SKEP_CLIENT_CERT_OFF && !tls->client_ca)
        return skep_fail(err, SKEP_EINVAL, "--tls-client-cert needs --tls-client-ca FILE");
    return SKEP_OK;
}

static skep_rc read_tls(const struct texts *t, struct skep_arena *arena, struct skep_config *ret,
                        skep_err *err)
{
    struct skep_net_tls_config *tls = &ret->tls;
    tls->cert = file_of(t, OPTION_tls_cert, arena);
    tls->key = file_of(t, OPTION_tls_key, arena);
    tls->client_ca = file_of(t, OPTION_tls_client_ca, arena);
    if (!tls->cert != !tls->key)
        return skep_fail(err, SKEP_EINVAL, "--tls-cert and --tls-key: give both or none");
    if (!tls->cert && tls->client_ca)
        return skep_fail(err, SKEP_EINVAL, "--tls-client-ca needs --tls-cert and --tls-key");
    tls->allow_plain = skep_str_eq(t->value[OPTION_tls], SKEP_STR("allow"));
    if (!tls->allow_plain && !skep_str_eq(t->value[OPTION_tls], SKEP_STR("require")))
        return bad(t, OPTION_tls, "require or allow", err);
    return read_client_cert(t, tls, err);
}

/* A number, or "auto": this one. */
static skep_rc read_limit(const struct texts *t, int i, unsigned automatic, unsigned *ret,
                          bool *ret_given, skep_err *err)
{
    uint64_t n = automatic;
    bool given = !skep_str_eq(t->value[i], SKEP_STR("auto"));
    if (given && (!skep_str_u64(t->value[i], &n) || n > 1000000))
        return bad(t, i, "auto or a number up to 1000000", err);
    *ret = (unsigned)n;
    *ret_given = *ret_given || given;
    return SKEP_OK;
}

static skep_rc read_limits(const struct texts *t, struct skep_config *ret, skep_err *err)
{
    static const int64_t second = 1000000000;
    int64_t idle_ns = 0;
    if (!skep_parse_duration(t->value[OPTION_idle_timeout_ns], &idle_ns) || idle_ns < second ||
        idle_ns > 86400 * second)
        return bad(t, OPTION_idle_timeout_ns, "a time from 1s to 1d", err);
    ret->idle_timeout_s = (unsigned)(idle_ns / second);
    SKEP_TRY(read_limit(t, OPTION_address_connections, 1024, &ret->address_connections,
                        &ret->address_loopback, err));
    return read_limit(t, OPTION_address_requests, 5000, &ret->address_requests,
                      &ret->address_loopback, err);
}

static skep_rc read_switch(const struct texts *t, int option, bool *ret, skep_err *err)
{
    *ret = skep_str_eq(t->value[option], SKEP_STR("on"));
    if (!*ret && !skep_str_eq(t->value[option], SKEP_STR("off")))
        return bad(t, option, "on or off", err);
    return SKEP_OK;
}

static skep_rc read_level(const struct texts *t, struct skep_config *ret, skep_err *err)
{
    static const skep_str names[] = {SKEP_STR("debug"), SKEP_STR("info"), SKEP_STR("warn"),
                                     SKEP_STR("error")};
    SKEP_TRY(read_switch(t, OPTION_core_dumps, &ret->core_dumps, err));
    SKEP_TRY(read_switch(t, OPTION_kept_answers, &ret->kept_answers, err));
    SKEP_TRY(read_switch(t, OPTION_self_trace, &ret->self_trace, err));
    for (unsigned i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (skep_str_eq(names[i], t->value[OPTION_log_level])) {
            ret->log_level = (enum skep_log_level)i;
            return SKEP_OK;
        }
    }
    return bad(t, OPTION_log_level, "debug, info, warn or error", err);
}

skep_rc skep_config_read(int argc, char *const *argv, skep_getenv_fn *env, void *env_ctx,
                         struct skep_arena *arena, struct skep_config *ret, skep_err *err)
{
    struct texts t = {.from_flag = {false}};
    struct skep_config c = {.data = NULL};
    skep_assert(OPTION_COUNT == SKEP_ARRAY_LEN(options));
    read_env(env, env_ctx, arena, &t);
    SKEP_TRY(read_flags(argc, argv, arena, &t, err));
    if (t.value[OPTION_data].n == 0)
        return bad(&t, OPTION_data, "a folder", err);
    c.data = skep_cstr(arena, t.value[OPTION_data]);
    SKEP_TRY(read_addresses(&t, arena, &c, err));
    SKEP_TRY(read_auth(&t, &c, err));
    SKEP_TRY(read_xray(&t, arena, &c, err));
    SKEP_TRY(read_sizes(&t, &c, err));
    SKEP_TRY(read_tls(&t, arena, &c, err));
    SKEP_TRY(read_oidc(&t, arena, &c, err));
    SKEP_TRY(read_notify(&t, arena, &c, err));
    SKEP_TRY(read_limits(&t, &c, err));
    SKEP_TRY(read_level(&t, &c, err));
    *ret = c;
    return SKEP_OK;
}

void skep_config_help(struct skep_buf *out)
{
    skep_buf_str(out, SKEP_STR("Usage: skep serve [flags]\n\n"
                               "Take in telemetry, keep it, answer questions about it.\n\n"
                               "Flags (--flag VALUE or --flag=VALUE; the environment variable of "
                               "--some-flag is SKEP_SOME_FLAG):\n"));
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option *o = &options[i];
        skep_buf_printf(out, "\n  --%s %s\n      %s.\n", o->flag, o->meta, o->help);
        if (o->value[0])
            skep_buf_printf(out, "      Default: %s\n", o->value);
    }
}
