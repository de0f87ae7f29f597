// SPDX-License-Identifier: Apache-2.0
/* xray.c - segments and subsegments over waggle's X-Ray exporter; see xray.h
 *
 * A waggle provider of its own, beside OpenTelemetry's: the traces have ids of their own, which
 * X-Ray's tools expect to begin with the time. A segment is a server span of it, a subsegment an
 * inner span; what only X-Ray knows goes by attributes the exporter understands.
 *
 * Threads: a segment's; the provider's batches are sent by a thread of waggle's.
 * Memory: a segment each, freed at its end. */
#include "xray.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xray_poll.h"
#include "xray_rules.h"

enum { ANNOTATIONS_MAX = 8, HOST_BYTES = 256, SEND_MS = 2000, DELAY_MS = 500 };

struct xray {
    struct waggle_provider *provider;
    struct waggle_tracer *tracer;
    struct xray_rules *rules; /* which requests are sampled */
    struct xray_poll *poll;   /* whoever keeps them fresh */
    const char *service, *url;
};

struct xray_segment {
    struct xray *xray;
    waggle_span span;
    const char *annotated[ANNOTATIONS_MAX]; /* keys: literals */
    size_t n_annotated;
};

/* --- ids ---------------------------------------------------------------------------------------
 */

/* The caller's root, when it names no parent: the next segment of this thread takes it as its
 * trace's id. Zero: none. */
static _Thread_local uint8_t next_trace_id[16];

static void make_trace_id(struct waggle_id_generator *self, uint8_t ret_id[16])
{
    static const uint8_t none[16];
    struct waggle_id_generator *fresh = waggle_id_generator_xray();
    (void)self;
    if (memcmp(next_trace_id, none, 16) == 0)
        fresh->ops->trace_id(fresh, ret_id);
    else
        memcpy(ret_id, next_trace_id, 16);
}

static const struct waggle_id_generator_ops id_ops = {.struct_size = sizeof id_ops,
                                                      .trace_id = make_trace_id};
static struct waggle_id_generator id_generator = {&id_ops};

/* --- starting ----------------------------------------------------------------------------------
 */

static bool make_provider(struct xray *xray, struct waggle_exporter *exporter)
{
    struct waggle_resource *resource = waggle_resource_new();
    if (resource != NULL) { // who it is, as the other ways say it: a failure is told of once
        waggle_detect_process(resource);
        waggle_detect_host(resource);
        waggle_detect_env(resource);
    }
    if (resource == NULL ||
        !waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_str("service.name", xray->service))))
        return false;
    xray->provider = waggle_provider_new(&(waggle_provider_options){
        .resource = resource,
        .sampler = waggle_sampler_always_on(), // the rules were asked before a span begins
        .id_generator = &id_generator});
    return xray->provider != NULL &&
           waggle_provider_add(
               xray->provider,
               waggle_batch_processor_new(exporter,
                                          &(waggle_batch_options){.schedule_delay_ms = DELAY_MS}));
}

struct xray *xray_new(const char *service, const char *url, const char *address)
{
    struct waggle_exporter *exporter = waggle_xray_exporter_new(address);
    struct xray *xray = calloc(1, sizeof *xray);
    if (exporter == NULL || xray == NULL) {
        fprintf(stderr, "cruddur: X-Ray is off: %s is no daemon's address\n", address);
        free(xray);
        return NULL;
    }
    xray->service = service;
    xray->url = url;
    xray->rules = xray_rules_new();
    if (xray->rules == NULL || !make_provider(xray, exporter)) {
        xray_free(xray);
        return NULL; // without memory
    }
    xray->poll = xray_poll_start(xray->rules, address);
    xray->tracer =
        waggle_provider_tracer(xray->provider, "cruddur", CRUDDUR_VERSION, NULL, WAGGLE_NO_ATTRS);
    return xray;
}

void xray_free(struct xray *xray)
{
    if (xray == NULL)
        return;
    xray_poll_stop(xray->poll);
    if (xray->provider != NULL) {
        (void)waggle_provider_shutdown(xray->provider,
                                       SEND_MS); // what is late is lost, as UDP's is
        waggle_provider_free(xray->provider);
    }
    xray_rules_free(xray->rules);
    free(xray);
}

/* --- segments ----------------------------------------------------------------------------------
 */

/* A carrier of one header. */
static bool get_trace_header(void *carrier, const char *key, size_t index, const char **ret_value,
                             size_t *ret_n)
{
    const char *header = *(const char *const *)carrier;
    if (header == NULL || index > 0 || strcmp(key, "x-amzn-trace-id") != 0)
        return false;
    *ret_value = header;
    *ret_n = strlen(header);
    return true;
}

/* The root a header names; zeroes if it names none. */
static void read_root(const char *header, uint8_t ret_id[16])
{
    char hex[56] = "00-";
    waggle_span_context read;
    const char *root = header != NULL ? strstr(header, "Root=1-") : NULL;
    memset(ret_id, 0, 16);
    if (root == NULL || strlen(root) < 42 || root[15] != '-')
        return;
    memcpy(hex + 3, root + 7, 8);
    memcpy(hex + 11, root + 16, 24);
    memcpy(hex + 35, "-0000000000000001-01", 21); // as a whole traceparent, which waggle reads
    if (waggle_traceparent_parse(hex, strlen(hex), &read))
        memcpy(ret_id, read.trace_id, 16);
}

/* What the segment is called: the host asked for, if dynamic naming takes it, else the service. */
static const char *name_of(const struct xray *xray, const char *host, char ret[HOST_BYTES])
{
    if (xray->url == NULL || host == NULL)
        return xray->service;
    snprintf(ret, HOST_BYTES, "%s", host);
    return fnmatch(xray->url, ret, 0) == 0 ? ret : xray->service;
}

/* ret_rule: the sampling rule that was asked; "" = the caller decided. */
static bool is_sampled(const struct xray *xray, const struct xray_request *request,
                       const char *name, char ret_rule[XRAY_RULE_BYTES])
{
    const char *decided =
        request->trace_header != NULL ? strstr(request->trace_header, "Sampled=") : NULL;
    ret_rule[0] = '\0';
    if (decided != NULL && (decided[8] == '0' || decided[8] == '1'))
        return decided[8] == '1';
    return xray_rules_sample(xray->rules, name, request, ret_rule);
}

static waggle_kv text_kv(const char *key, const char *value)
{
    return waggle_kv_str(value != NULL ? key : "", value); // a key of no bytes is ignored
}

struct xray_segment *xray_segment_begin(struct xray *xray, const struct xray_request *request)
{
    char host[HOST_BYTES];
    char rule[XRAY_RULE_BYTES];
    const char *header = request->trace_header;
    waggle_context context;
    if (xray == NULL)
        return NULL;
    const char *name = name_of(xray, request->host, host);
    if (!is_sampled(xray, request, name, rule))
        return NULL;
    struct xray_segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL)
        return NULL;
    waggle_context_init(&context);
    waggle_propagator_xray.extract(&context, get_trace_header, &header);
    context.remote.flags |= WAGGLE_FLAG_SAMPLED; // decided above
    read_root(header, next_trace_id);
    segment->xray = xray;
    segment->span = waggle_span_start(
        xray->tracer, name,
        &(waggle_span_opts){
            .kind = WAGGLE_KIND_SERVER,
            .context = &context,
            .attributes = WAGGLE_ATTRS(
                text_kv("aws.local.service", name), text_kv("http.request.method", request->method),
                text_kv("url.full", request->url), text_kv("client.address", request->client_ip),
                text_kv("user_agent.original", request->user_agent))});
    if (rule[0] != '\0')
        waggle_span_set_kv(segment->span, waggle_kv_str("aws.xray.sampling_rule", rule));
    memset(next_trace_id, 0, sizeof next_trace_id);
    waggle_context_done(&context);
    return segment;
}

static void end(struct xray_segment *segment)
{
    if (segment->n_annotated > 0)
        waggle_span_set_kv(segment->span, waggle_kv_strs("aws.xray.annotations", segment->annotated,
                                                         segment->n_annotated));
    waggle_span_end(segment->span);
    free(segment);
}

void xray_segment_end(struct xray_segment *segment, unsigned status, uint64_t body_bytes)
{
    if (segment == NULL)
        return;
    waggle_span_set(segment->span,
                    WAGGLE_ATTRS(waggle_kv_i64("http.response.status_code", status),
                                 waggle_kv_i64("http.response.body.size", (int64_t)body_bytes)));
    end(segment);
}

/* --- subsegments -------------------------------------------------------------------------------
 */

struct xray_segment *xray_begin(struct xray_segment *parent, const char *name)
{
    struct xray_segment *segment = parent != NULL ? calloc(1, sizeof *segment) : NULL;
    if (segment == NULL)
        return NULL;
    segment->xray = parent->xray;
    segment->span =
        waggle_span_start(parent->xray->tracer, name, &(waggle_span_opts){.parent = parent->span});
    return segment;
}

struct xray_segment *xray_begin_remote(struct xray_segment *parent, const char *name,
                                       const char *method, const char *url,
                                       char ret_header[XRAY_HEADER_BYTES])
{
    char trace[XRAY_TRACE_BYTES];
    char id[17];
    waggle_span_context context;
    struct xray_segment *segment = parent != NULL ? calloc(1, sizeof *segment) : NULL;
    ret_header[0] = '\0';
    if (segment == NULL)
        return NULL;
    segment->xray = parent->xray;
    segment->span = waggle_span_start(
        parent->xray->tracer, name,
        &(waggle_span_opts){.parent = parent->span,
                            .kind = WAGGLE_KIND_CLIENT,
                            .attributes = WAGGLE_ATTRS(waggle_kv_str("http.request.method", method),
                                                       waggle_kv_str("url.full", url))});
    if (xray_trace(segment, trace) && waggle_span_get_context(segment->span, &context)) {
        waggle_span_id_hex(context.span_id, id);
        snprintf(ret_header, XRAY_HEADER_BYTES, "Root=%s;Parent=%s;Sampled=1", trace, id);
    }
    return segment;
}

void xray_end_remote(struct xray_segment *segment, long status)
{
    if (segment == NULL)
        return;
    if (status != 0)
        waggle_span_set_kv(segment->span, waggle_kv_i64("http.response.status_code", status));
    else
        waggle_span_set_status(segment->span, WAGGLE_STATUS_ERROR, "no answer");
    end(segment);
}

void xray_end(struct xray_segment *segment)
{
    if (segment != NULL)
        end(segment);
}

void xray_annotate(struct xray_segment *segment, const char *key, const char *value)
{
    if (segment == NULL || segment->n_annotated == ANNOTATIONS_MAX)
        return;
    segment->annotated[segment->n_annotated++] = key;
    waggle_span_set_kv(segment->span, waggle_kv_str(key, value));
}

void xray_metadata(struct xray_segment *segment, const char *name_space, const char *key,
                   waggle_attrs members)
{
    char attribute[96];
    waggle_kv value = waggle_kv_map(key, members.p, members.n);
    if (segment == NULL)
        return;
    snprintf(attribute, sizeof attribute, "aws.xray.metadata.%s", name_space);
    waggle_span_set_kv(segment->span, waggle_kv_map(attribute, &value, 1));
}

void xray_exception(struct xray_segment *segment, const char *type, const char *message,
                    const char *stack)
{
    if (segment == NULL)
        return;
    waggle_span_exception(segment->span, type, message, stack, WAGGLE_NO_ATTRS);
    waggle_span_set_status(segment->span, WAGGLE_STATUS_ERROR, message);
}

bool xray_trace(const struct xray_segment *segment, char ret_trace[XRAY_TRACE_BYTES])
{
    waggle_span_context context;
    char hex[33];
    if (segment == NULL || !waggle_span_get_context(segment->span, &context))
        return false;
    waggle_trace_id_hex(context.trace_id, hex);
    snprintf(ret_trace, XRAY_TRACE_BYTES, "1-%.8s-%s", hex, hex + 8);
    return true;
}
