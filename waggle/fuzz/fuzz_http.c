// SPDX-License-Identifier: Apache-2.0
/* HTTP responses in pieces of any size, OTLP's and AWS's answers, Retry-After, URLs: any bytes end
 * in DONE, BAD or a wait. */
#include "aws_answer.h"
#include "http_parse.h"
#include "otlp_answer.h"

#include <stdlib.h>

static int parse(const uint8_t *data, size_t size, size_t step, size_t *ret_body)
{
    char body[64];
    struct waggle__http h;
    waggle__http_init(&h, body, sizeof body, 1700000000);
    for (size_t at = 0; at < size;) {
        size_t n = WAGGLE__MIN(step, size - at);
        size_t used = waggle__http_feed(&h, (const char *)data + at, n);
        if (used > n)
            abort();
        at += used;
        if (h.state == WAGGLE__HTTP_DONE || h.state == WAGGLE__HTTP_BAD)
            break;
    }
    (void)waggle__http_eof(&h); // only its effect on the state counts
    if (h.body_n > sizeof body || (h.state == WAGGLE__HTTP_DONE && h.status < 100))
        abort();
    *ret_body = h.body_n;
    return h.state == WAGGLE__HTTP_DONE ? h.status : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t whole_body = 0;
    size_t pieces_body = 0;
    int whole = parse(data, size, size + 1, &whole_body);
    int pieces = parse(data, size, 3, &pieces_body);
    if (whole != pieces || (whole != 0 && whole_body != pieces_body))
        abort();
    (void)waggle__retry_after((const char *)data, size, 1700000000); // any number is fine
    waggle_str body = {(const char *)data, size};
    waggle_str message;
    uint64_t rejected = waggle__partial_json(body, &message);
    if (rejected > INT64_MAX || message.n > size)
        abort();
    (void)waggle__partial_protobuf(body, &message); // any number below 2^63 is fine
    if (message.n > size || waggle__status_message(body).n > size)
        abort();
    if (waggle__aws_exception(body).n > size || waggle__aws_message(body).n > size ||
        waggle__aws_rejected(body, 7) > 7)
        abort();
    int64_t ms = waggle_grpc_retry_ms(body.p, body.n);
    if (ms < -1 || ms > 86400000)
        abort();
    char *url = malloc(size + 1);
    if (url == NULL)
        return 0;
    memcpy(url, data, size);
    url[size] = '\0';
    struct waggle__url parsed;
    if (waggle__url_parse(url, &parsed) && (parsed.host[0] == '\0' || parsed.port[0] == '\0'))
        abort();
    free(url);
    return 0;
}
