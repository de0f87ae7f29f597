// SPDX-License-Identifier: Apache-2.0
/* What to copy of a new key, client by client.
 *
 * Each line is what that client really reads: OpenTelemetry and AWS have environment variables,
 * Rollbar's notifiers want a line of code each, with the endpoint in the form that one expects.
 * Threads: main.  Memory: the buffer. */
#include <inttypes.h>

#include "auth/auth.h"
#include "server/cli.h"

/* "http://127.0.0.1:4318" -> "127.0.0.1" */
static skep_str host_of(skep_str url)
{
    size_t scheme = skep_str_find(url, SKEP_STR("://"));
    skep_str rest = scheme == SIZE_MAX ? url : skep_str_skip(url, scheme + 3);
    rest = skep_str_cut(&rest, '/');
    size_t colon = rest.n;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] == ']')
            colon = i + 1;
        else if (rest.p[i] == ':' && rest.p[0] != '[')
            colon = SKEP_MIN(colon, i);
    }
    return (skep_str){rest.p, SKEP_MIN(colon, rest.n)};
}

static void head(struct skep_buf *out, const struct skep_issue *what, const struct skep_issued *k)
{
    struct skep_arena arena;
    skep_arena_init(&arena, "key", NULL);
    skep_buf_str(out, SKEP_STR("Key "));
    skep_cli_safe(out, what->name);
    skep_buf_printf(out, " (%s), rights " SKEP_STRFMT ", ", k->id,
                    SKEP_STRARG(skep_rights_text(&arena, what->rights)));
    if (what->environment.n)
        skep_buf_printf(out, "environment " SKEP_STRFMT, SKEP_STRARG(what->environment));
    else
        skep_buf_str(out, SKEP_STR("all environments"));
    skep_buf_str(out, SKEP_STR(".\nIts secrets are shown this once.\n"));
    skep_arena_done(&arena);
}

static void sending(struct skep_buf *out, const struct skep_issued *k, skep_str url)
{
    skep_buf_printf(out,
                    "\nOpenTelemetry SDKs and collectors\n"
                    "  export OTEL_EXPORTER_OTLP_ENDPOINT=" SKEP_STRFMT "\n"
                    "  export OTEL_EXPORTER_OTLP_HEADERS=x-honeycomb-team=%s\n",
                    SKEP_STRARG(url), k->token);
    skep_buf_printf(out,
                    "\nHoneycomb's SDKs and tools\n"
                    "  export HONEYCOMB_API_ENDPOINT=" SKEP_STRFMT "\n"
                    "  export HONEYCOMB_API_KEY=%s\n",
                    SKEP_STRARG(url), k->token);
}

static void aws(struct skep_buf *out, const struct skep_issued *k,
                const struct skep_cli_places *places)
{
    skep_str url = places->url, region = places->region;
    skep_buf_printf(out,
                    "\nAWS SDKs and command line\n"
                    "  export AWS_ENDPOINT_URL=" SKEP_STRFMT "\n"
                    "  export AWS_ACCESS_KEY_ID=%s\n"
                    "  export AWS_SECRET_ACCESS_KEY=%s\n"
                    "  export AWS_REGION=" SKEP_STRFMT " AWS_DEFAULT_REGION=" SKEP_STRFMT "\n"
                    "  # botocore before 1.31 (Debian 12's boto3) does not read AWS_ENDPOINT_URL:\n"
                    "  #   boto3.client(\"logs\", endpoint_url=\"" SKEP_STRFMT "\")\n"
                    "  # nor does Debian 12's command line:\n"
                    "  #   aws --endpoint-url " SKEP_STRFMT " logs describe-log-groups\n",
                    SKEP_STRARG(url), k->access_key, k->aws_secret, SKEP_STRARG(region),
                    SKEP_STRARG(region), SKEP_STRARG(url), SKEP_STRARG(url));
    struct skep_buf xray;
    skep_buf_init(&xray, 4096);
    if (places->xray.n)
        skep_buf_str(&xray, places->xray);
    else
        skep_buf_printf(&xray, SKEP_STRFMT ":2000", SKEP_STRARG(host_of(url)));
    skep_buf_printf(out,
                    "\nX-Ray SDKs (the daemon's port takes no key: the server allows addresses)\n"
                    "  export AWS_XRAY_DAEMON_ADDRESS=" SKEP_STRFMT "\n",
                    SKEP_STRARG(skep_buf_text(&xray)));
    skep_buf_done(&xray);
}

static void rollbar(struct skep_buf *out, const struct skep_issue *what,
                    const struct skep_issued *k, skep_str url)
{
    skep_str env = what->environment.n ? what->environment : SKEP_STR("default");
    skep_buf_printf(out,
                    "\nRollbar's notifiers (no environment variable: a line of code each)\n"
                    "  Python  rollbar.init(\"%s\", \"" SKEP_STRFMT "\", endpoint=\"" SKEP_STRFMT
                    "/api/1/\")   # the slash at the end matters\n"
                    "  Node    new Rollbar({ accessToken: \"%s\", endpoint: \"" SKEP_STRFMT
                    "/api/1/item/\" })\n"
                    "  Ruby    config.access_token = \"%s\"; config.endpoint = \"" SKEP_STRFMT
                    "/api/1/item/\"\n"
                    "  Go      rollbar.SetToken(\"%s\"); rollbar.SetEndpoint(\"" SKEP_STRFMT
                    "/api/1/item/\")\n",
                    k->rollbar, SKEP_STRARG(env), SKEP_STRARG(url), k->rollbar, SKEP_STRARG(url),
                    k->rollbar, SKEP_STRARG(url), k->rollbar, SKEP_STRARG(url));
}

void skep_cli_key_lines(struct skep_buf *out, const struct skep_issue *what,
                        const struct skep_issued *k, const struct skep_cli_places *places)
{
    skep_str url = places->url;
    head(out, what, k);
    skep_buf_printf(out,
                    "\nskep's own terminal, and scripts (Authorization: Bearer KEY)\n"
                    "  export SKEP_URL=" SKEP_STRFMT "\n"
                    "  export SKEP_KEY=%s\n",
                    SKEP_STRARG(url), k->token);
    if (what->rights & SKEP_RIGHT_INGEST)
        sending(out, k, url);
    if (what->rights & (SKEP_RIGHT_INGEST | SKEP_RIGHT_QUERY))
        aws(out, k, places);
    if (what->rights & SKEP_RIGHT_INGEST)
        rollbar(out, what, k, url);
    if (what->rights & SKEP_RIGHT_ADMIN)
        skep_buf_printf(out,
                        "\nHoneycomb's management API (Authorization: Bearer KEY_ID:SECRET)\n"
                        "  export HONEYCOMB_KEY_ID=%s HONEYCOMB_KEY_SECRET=%s\n",
                        k->id, k->token + sizeof k->id - 1);
}
