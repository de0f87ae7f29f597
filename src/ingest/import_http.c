// SPDX-License-Identifier: Apache-2.0
/* POST /skep/v1/import: rows as JSON lines (docs/formats/rows.md) -> batch -> store -> answer.
 *
 *   I/O thread                                committer's thread
 *   handle: lines -> batch, append  ......>   committed: answer
 *
 * A body is one commit: all of its rows are stored or none.  The header X-Skep-Chunk (32 hex
 * digits) is its identity: the same one again within ten minutes is answered and stores nothing.
 *
 * I1  each request is answered exactly once; 200 is sent when the rows are on disk.
 * I2  `struct pending` lies in the request's arena: nothing touches it after the answer.
 * Threads: handlers on I/O threads, committed() on the committer's. */
#include "ingest/ingest_priv.h"

#include "base/assert.h"
#include "ingest/row_text.h"
#include "wire/json_out.h"

struct pending {
    struct skep_ingest *in;
    struct skep_request *req;
    uint32_t rows;
    struct skep_ingest__mixture mixture; /* for the ledger */
};

static void respond(struct skep_ingest *in, struct skep_request *req, int status, int retry_after_s,
                    skep_str json)
{
    const struct skep_response resp = {.status = status,
                                       .content_type = SKEP_STR("application/json"),
                                       .body = skep_str_bytes(json),
                                       .retry_after_s = retry_after_s};
    skep_ingest__note(in, req, status, status < 400 ? SKEP_STR_NULL : json);
    skep_respond(req, &resp);
}

static void refuse_with(struct skep_ingest *in, struct skep_request *req, skep_rc rc, int status,
                        skep_str text, uint64_t line)
{
    struct skep_buf buf;
    struct skep_json json;
    int retry = !skep_rc_info(rc)->retry ? 0 : rc == SKEP_ENOSPC ? 60 : 2;
    skep_buf_init(&buf, 64 << 10);
    skep_json_init(&json, &buf);
    skep_json_object(&json);
    skep_json_put_str(&json, SKEP_STR("error"), text);
    if (line)
        skep_json_put_u64(&json, SKEP_STR("line"), line);
    skep_json_end(&json);
    respond(in, req, status, retry, skep_buf_text(&buf));
    skep_buf_done(&buf);
}

static void committed(void *ctx, skep_rc rc, const struct skep_append_result *res,
                      const skep_err *err)
{
    struct pending *p = ctx;
    struct skep_buf buf;
    skep_ingest__settled_mixture(p->in, &p->mixture, rc, res->duplicate);
    if (rc != SKEP_OK) {
        refuse_with(p->in, p->req, rc, skep_rc_info(rc)->http,
                    skep_str_c(err && err->text[0] ? err->text : skep_rc_info(rc)->text), 0);
        return;
    }
    skep_buf_init(&buf, 256);
    skep_buf_printf(&buf, "{\"rows\":%u,\"duplicate\":%s}", p->rows,
                    res->duplicate ? "true" : "false");
    respond(p->in, p->req, 200, 0, skep_buf_text(&buf));
    skep_buf_done(&buf);
}

static skep_rc read_lines(struct skep_ingest *in, skep_str body, struct skep_batch *b,
                          uint64_t *ret_line, skep_err *err)
{
    struct skep_row_reader *r = skep_row_reader_new(in->cfg.budget);
    skep_rc rc = SKEP_OK;
    *ret_line = 0;
    while (body.n && rc == SKEP_OK) {
        skep_str line = skep_str_trim(skep_str_cut(&body, '\n'));
        ++*ret_line;
        if (line.n) /* the end of an export, as curl keeps it, is no row */
            rc = skep_str_starts(line, SKEP_STR("{\"type\":\"end\""))
                     ? SKEP_OK
                     : skep_row_read(r, line, b, err);
    }
    skep_row_reader_free(r);
    return rc;
}

static bool identity_of(const struct skep_request *req, struct skep_batch *b)
{
    skep_str chunk = skep_request_header(req, SKEP_STR("X-Skep-Chunk"));
    return chunk.n == 0 ||
           (chunk.n == 32 && skep_hex_decode(chunk, b->identity, sizeof b->identity));
}

static void handle(void *ctx, struct skep_request *req)
{
    struct skep_ingest *in = ctx;
    skep_err err = {.text = ""};
    uint64_t line = 0;
    struct skep_batch *b = skep_batch_new(in->cfg.budget, in->cfg.os->now_ns(in->cfg.os));
    skep_rc rc = read_lines(in, skep_bytes_str(req->body), b, &line, &err);
    if (rc == SKEP_OK && !identity_of(req, b)) {
        line = 0;
        rc = skep_fail(&err, SKEP_EINVAL, "X-Skep-Chunk is 32 hex digits");
    }
    if (rc != SKEP_OK) {
        skep_batch_free(b);
        refuse_with(in, req, rc, skep_rc_info(rc)->http, skep_str_c(err.text), line);
        return;
    }
    if (b->n_rows == 0) {
        skep_batch_free(b);
        respond(in, req, 200, 0, SKEP_STR("{\"rows\":0,\"duplicate\":false}"));
        return;
    }
    /* Who may do anything brings back what was exported as it was. */
    if (!(req->caller.rights & SKEP_RIGHT_ADMIN))
        skep_batch_environment(b, req->caller.environment);
    struct pending *p = skep_new(req->arena, struct pending);
    *p = (struct pending){.in = in, .req = req, .rows = b->n_rows};
    skep_ingest__mixture_of(b, &p->mixture);
    skep_request_rows(req, b->n_rows);
    skep_ingest__received_mixture(in, &p->mixture);
    skep_store_append(in->cfg.store, b, committed, p);
}

static void refuse(void *ctx, struct skep_request *req, int http_status, skep_rc rc,
                   skep_str message)
{
    refuse_with(ctx, req, rc, http_status, message, 0);
}

static const struct skep_route routes[] = {
    {.method = "POST",
     .path = "/skep/v1/import",
     .handle = handle,
     .refuse = refuse,
     .right = SKEP_RIGHT_INGEST,
     .form = SKEP_FORM_PAGE},
};

const struct skep_route *skep_ingest_import_routes(size_t *ret_n)
{
    skep_assert(ret_n != NULL);
    *ret_n = SKEP_ARRAY_LEN(routes);
    return routes;
}
