// SPDX-License-Identifier: Apache-2.0
/*
 * xray.h - AWS X-Ray, beside OpenTelemetry, as the course has it: traces of their own
 *
 * A segment for each request, subsegments in it, annotations (which can be searched for) and
 * metadata (which cannot). They are sent to the X-Ray daemon. Every function takes NULL for "X-Ray
 * is off, or the request is not sampled" and does nothing then.
 *
 *     struct xray_segment *s = xray_begin(request->segment, "Create Activity");
 *     xray_annotate(s, "user_handle", handle);
 *     xray_end(s);
 *
 * Threads: a segment and its subsegments belong to one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <waggle/waggle.h>

struct xray;
struct xray_segment;

/* Get ready to send to the daemon, and ask it for sampling rules.
 *
 * service   names the segments
 * url       AWS_XRAY_URL: a pattern with * and ?; a request whose Host matches it gives its segment
 *           that host's name (dynamic naming); NULL: none does
 * address   of the daemon: AWS_XRAY_DAEMON_ADDRESS
 * All are borrowed for as long as it lives.
 * Returns   NULL without memory or with an address of no use, of which standard error is told */
struct xray *xray_new(const char *service, const char *url, const char *address);

/* Send what is left (at most 2 s), free it. NULL is fine. */
void xray_free(struct xray *xray);

/* What is known of a request when its segment begins. */
struct xray_request {
    const char *trace_header; /* the caller's X-Amzn-Trace-Id; NULL: none */
    const char *host;         /* NULL: not said */
    const char *method, *path, *url, *client_ip, *user_agent;
};

/* Begin a segment. NULL if it is not sampled. */
struct xray_segment *xray_segment_begin(struct xray *xray, const struct xray_request *request);

/* Set the answer's status, end the segment and free it. */
void xray_segment_end(struct xray_segment *segment, unsigned status, uint64_t body_bytes);

/* Begin a subsegment. It must end before its parent does. */
struct xray_segment *xray_begin(struct xray_segment *parent, const char *name);

/* Begin a subsegment around a request to another program (of this name) and write the header that
 * takes the trace there; "" is written for NULL. */
enum { XRAY_HEADER_BYTES = 96 };
struct xray_segment *xray_begin_remote(struct xray_segment *parent, const char *name,
                                       const char *method, const char *url,
                                       char ret_header[XRAY_HEADER_BYTES]);

/* End it: what was answered; 0: nothing. */
void xray_end_remote(struct xray_segment *segment, long status);

/* End a subsegment and free it. */
void xray_end(struct xray_segment *segment);

/* A word that can be searched for. */
void xray_annotate(struct xray_segment *segment, const char *key, const char *value);

/* Metadata: `members` as an object under `key` in a namespace. Of several calls for one namespace
 * the last counts. Keys and values are copied; `key` of xray_annotate is a literal. */
void xray_metadata(struct xray_segment *segment, const char *name_space, const char *key,
                   waggle_attrs members);

/* The cause of a fault. stack: as the sanitizers write it; NULL: not known. */
void xray_exception(struct xray_segment *segment, const char *type, const char *message,
                    const char *stack);

/* The trace's id as X-Ray writes it, "1-5759e988-bd862e3fe1be46a994272793"; false, and nothing
 * written, for NULL. */
enum { XRAY_TRACE_BYTES = 36 };
bool xray_trace(const struct xray_segment *segment, char ret_trace[XRAY_TRACE_BYTES]);
