// SPDX-License-Identifier: Apache-2.0
/* Configuration of `skep serve`: flags over environment over defaults, from the table config.def.
 */
#pragma once

#include "auth/oidc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "net/net.h"

struct skep_config_list {
    const char **items;
    unsigned n;
};

struct skep_config {
    const char *data;
    struct skep_config_list listen, grpc, allow_host;
    struct skep_config_list xray, xray_allow;
    const char *xray_environment;
    bool xray_plain; /* with TLS elsewhere: the TCP port takes SDKs without it */
    uint64_t xray_document_bytes;
    uint64_t memory_bytes, disk_bytes;
    int64_t retain_ns, self_probe_ns;
    uint64_t items; /* of the errors inbox, an environment */
    struct skep_net_tls_config tls;
    unsigned address_connections, address_requests; /* 0 = any number */
    bool address_loopback;                          /* given, so they hold for loopback, too */
    unsigned idle_timeout_s;
    enum skep_log_level log_level;
    bool auth_keys; /* --auth keys; false = open */
    bool kept_answers, core_dumps, self_trace;
    struct skep_config_list rollbar_scrub;
    struct skep_config_list notify_allow;
    const char *pagerduty;
    const char *notify_ca, *smtp, *smtp_from, *smtp_user, *smtp_password_file; /* NULL = none */
    struct skep_oidc_config oidc; /* issuer NULL = none; without its os */
};

/* Reads the environment through this, so that tests need not change theirs. */
typedef const char *skep_getenv_fn(void *ctx, const char *name);

/* Read argv[0 .. argc) (behind the subcommand) and the environment, and check all values.
 *
 * ret      texts live in the arena or in argv
 * Returns  SKEP_OK | SKEP_EINVAL (err: what is wrong with which flag) |
 *          SKEP_ECANCELED (--help was asked for; print skep_config_help) */
SKEP_NODISCARD skep_rc skep_config_read(int argc, char *const *argv, skep_getenv_fn *env,
                                        void *env_ctx, struct skep_arena *arena,
                                        struct skep_config *ret, skep_err *err);
/* The text of `skep serve --help`. */
void skep_config_help(struct skep_buf *out);

/* "256M" -> bytes; K M G T are powers of 1024, an ending B or iB is fine. */
SKEP_NODISCARD bool skep_parse_size(skep_str s, uint64_t *ret);
/* "30d" -> ns; ms s m h d w; "0" -> 0. */
SKEP_NODISCARD bool skep_parse_duration(skep_str s, int64_t *ret_ns);
/* "host:port" or "[v6]:port" whose host is loopback: 127.0.0.0/8, ::1, localhost. */
SKEP_NODISCARD bool skep_is_loopback(skep_str host_port);

#define SKEP_CONFIG_SELF_PROBE_MIN_NS INT64_C(1000000000)
enum { SKEP_CONFIG_MEMORY_MIN = 64 << 20, SKEP_CONFIG_DISK_MIN = 64 << 20 };
