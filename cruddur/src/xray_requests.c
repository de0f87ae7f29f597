// SPDX-License-Identifier: Apache-2.0
/* xray_requests.c - an X-Ray segment for each request, and its header on each reply
 *
 *   X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793
 *
 * The header is there with X-Ray off and for requests that are not sampled, too: with the caller's
 * root, or a new one. A caller that asked for the decision (Sampled=?) is told.
 *
 * Threads: the request's. Memory: the segment's. */
#include <stdio.h>
#include <string.h>

#include "middleware.h"
#include "random.h"
#include "reply.h"
#include "when.h"

static void before(struct request *request)
{
    char url[1024];
    const char *host = request_header(request, "Host");
    snprintf(url, sizeof url, "http://%s%s", host != NULL ? host : "", request->path);
    request->segment = xray_segment_begin(
        request->service->xray,
        &(struct xray_request){.trace_header = request_header(request, "X-Amzn-Trace-Id"),
                               .host = host,
                               .method = request->method,
                               .path = request->path,
                               .url = url,
                               .client_ip = request->peer,
                               .user_agent = request_header(request, "User-Agent")});
}

/* The root of the caller's header, if it looks like one. */
static bool callers_root(const char *header, char ret_root[XRAY_TRACE_BYTES])
{
    const char *root = header != NULL ? strstr(header, "Root=") : NULL;
    if (root == NULL || strspn(root + 5, "0123456789abcdefABCDEF-") != XRAY_TRACE_BYTES - 1)
        return false;
    memcpy(ret_root, root + 5, XRAY_TRACE_BYTES - 1);
    ret_root[XRAY_TRACE_BYTES - 1] = '\0';
    return true;
}

static void new_root(int64_t now_us, char ret_root[XRAY_TRACE_BYTES])
{
    char uuid[UUID_BYTES];
    char digits[25];
    size_t n = 0;
    random_uuid(uuid);
    for (const char *c = uuid; n < sizeof digits - 1; c++)
        if (*c != '-')
            digits[n++] = *c;
    digits[n] = '\0';
    snprintf(ret_root, XRAY_TRACE_BYTES, "1-%08x-%s", (unsigned)(now_us / WHEN_SECOND), digits);
}

static void after(struct request *request)
{
    char root[XRAY_TRACE_BYTES];
    const char *header = request_header(request, "X-Amzn-Trace-Id");
    bool sampled = request->segment != NULL;
    const char *told = "";
    if (!callers_root(header, root) && !xray_trace(request->segment, root))
        new_root(request->began_us, root);
    if (header != NULL && strstr(header, "Sampled=?") != NULL)
        told = sampled ? ";Sampled=1" : ";Sampled=0";
    reply_header(request, "X-Amzn-Trace-Id", "Root=%s%s", root, told);
    xray_segment_end(request->segment, request->reply.status, request->reply.body_n);
    request->segment = NULL;
}

/* The caller left before there was an answer. */
static void gone(struct request *request)
{
    xray_segment_end(request->segment, 499, 0);
    request->segment = NULL;
}

const struct middleware middleware_xray = {
    .name = "xray", .before = before, .after = after, .gone = gone};
