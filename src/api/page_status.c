// SPDX-License-Identifier: Apache-2.0
/* GET /skep/v1/status: what the server is, holds and has taken in.
 * Threads: answered on the I/O thread from counters; nothing waits. */
#include "api/api_priv.h"

#include "ingest/ingest.h"

static void size_pair(struct skep_json *json, skep_str key, uint64_t used, uint64_t limit)
{
    skep_json_key(json, key);
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("used_bytes"), used);
    skep_json_put_u64(json, SKEP_STR("limit_bytes"), limit);
    skep_json_end(json);
}

static void time_or_null(struct skep_json *json, skep_str key, skep_ts_ns ns, bool is)
{
    skep_json_key(json, key);
    if (is)
        skep_json_i64_str(json, ns);
    else
        skep_json_null(json);
}

/* Every port takes every protocol: the first bytes of a connection decide. */
static void listeners(struct skep_json *json, const struct skep_api_config *cfg)
{
    skep_json_key(json, SKEP_STR("listeners"));
    skep_json_array(json);
    for (unsigned i = 0; i < cfg->n_listeners; i++) {
        if (skep_net_address(cfg->net, i).n == 0)
            continue; /* no IPv6 on this machine */
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("address"), skep_net_address(cfg->net, i));
        skep_json_key(json, SKEP_STR("takes"));
        skep_json_array(json);
        skep_json_str(json, SKEP_STR("otlp/http"));
        skep_json_str(json, SKEP_STR("otlp/grpc"));
        skep_json_str(json, SKEP_STR("page"));
        skep_json_end(json);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void loss(void *ctx, skep_str text)
{
    skep_json_str(ctx, text);
}

/* What is known to be lost, and what recovery found. */
static void losses(struct skep_json *json, struct skep_store *store,
                   const struct skep_store_stats *s)
{
    skep_json_key(json, SKEP_STR("missing"));
    skep_json_array(json);
    if (store->ops->each_loss)
        store->ops->each_loss(store, loss, json);
    skep_json_end(json);
    skep_json_put_u64(json, SKEP_STR("lost_rows"), s->lost_rows);
    skep_json_put_u64(json, SKEP_STR("damaged_regions"), s->damaged_regions);
    skep_json_put_u64(json, SKEP_STR("torn_writes"), s->torn_writes);
}

static void work(struct skep_json *json, skep_str key, const struct skep_store_writing *w)
{
    skep_json_key(json, key);
    if (!w->running) {
        skep_json_null(json);
        return;
    }
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("rows"), w->rows);
    skep_json_put_u64(json, SKEP_STR("rows_done"), w->rows_done);
    skep_json_put_u64(json, SKEP_STR("bytes_written"), w->bytes_written);
    skep_json_put_i64_str(json, SKEP_STR("since_ns"), w->since_ns);
    skep_json_end(json);
}

static void store_counters(struct skep_json *json, struct skep_store *store,
                           const struct skep_store_stats *s)
{
    skep_json_key(json, SKEP_STR("store"));
    skep_json_object(json);
    skep_json_put_bool(json, SKEP_STR("read_only"), s->read_only);
    losses(json, store, s);
    skep_json_put_u64(json, SKEP_STR("parts"), s->parts);
    skep_json_put_u64(json, SKEP_STR("part_rows"), s->part_rows);
    skep_json_put_u64(json, SKEP_STR("part_bytes"), s->part_bytes);
    skep_json_put_u64(json, SKEP_STR("segments"), s->segments);
    skep_json_put_u64(json, SKEP_STR("segment_rows"), s->segment_rows);
    skep_json_put_u64(json, SKEP_STR("segment_bytes"), s->segment_bytes);
    skep_json_put_u64(json, SKEP_STR("wal_bytes"), s->wal_bytes);
    skep_json_put_u64(json, SKEP_STR("cache_bytes"), s->cache_bytes);
    skep_json_put_u64(json, SKEP_STR("commits"), s->commits);
    skep_json_put_u64(json, SKEP_STR("commit_rows"), s->commit_rows);
    skep_json_put_u64(json, SKEP_STR("duplicates"), s->duplicates);
    skep_json_put_u64(json, SKEP_STR("fsyncs"), s->fsyncs);
    skep_json_put_u64(json, SKEP_STR("merges"), s->merges);
    skep_json_put_u64(json, SKEP_STR("merge_rows"), s->merge_rows);
    skep_json_put_u64(json, SKEP_STR("expired_rows"), s->expired_rows);
    skep_json_put_u64(json, SKEP_STR("deleted_rows"), s->deleted_rows);
    skep_json_put_u64(json, SKEP_STR("superseded_rows"), s->superseded_rows);
    skep_json_put_u64(json, SKEP_STR("stored_rows"), s->stored_rows);
    work(json, SKEP_STR("flush"), &s->writing_flush);
    work(json, SKEP_STR("merge"), &s->writing_merge);
    skep_json_put_u64(json, SKEP_STR("merge_rows_written"), s->merge.rows);
    skep_json_put_u64(json, SKEP_STR("merge_rows_taken_over"), s->merge_rows_taken_over);
    skep_json_put_u64(json, SKEP_STR("merge_backlog_rows"), s->merge_backlog_rows);
    time_or_null(json, SKEP_STR("merge_backlog_since_ns"), s->merge_backlog_since_ns,
                 s->merge_backlog_since_ns > 0);
    skep_json_end(json);
}

static void unknown_paths(struct skep_json *json, struct skep_net *net)
{
    struct skep_net_stray strays[SKEP_NET_STRAYS];
    unsigned n = skep_net_strays(net, strays);
    skep_json_key(json, SKEP_STR("unknown_paths"));
    skep_json_array(json);
    for (unsigned i = 0; i < n; i++) {
        skep_json_object(json);
        skep_json_put_str(json, SKEP_STR("what"), skep_str_c(strays[i].what));
        skep_json_put_u64(json, SKEP_STR("times"), strays[i].times);
        skep_json_end(json);
    }
    skep_json_end(json);
}

static void net_counters(struct skep_json *json, struct skep_net *net)
{
    struct skep_net_stats n;
    skep_net_stats(net, &n);
    skep_json_key(json, SKEP_STR("net"));
    skep_json_object(json);
    skep_json_put_u64(json, SKEP_STR("connections"), n.connections);
    skep_json_put_u64(json, SKEP_STR("connections_open"), n.connections_open);
    skep_json_put_u64(json, SKEP_STR("requests"), n.requests);
    skep_json_put_u64(json, SKEP_STR("bytes_in"), n.bytes_in);
    skep_json_put_u64(json, SKEP_STR("bytes_out"), n.bytes_out);
    skep_json_put_u64(json, SKEP_STR("refused_host"), n.refused_host);
    skep_json_put_u64(json, SKEP_STR("refused_origin"), n.refused_origin);
    skep_json_put_u64(json, SKEP_STR("refused_limit"), n.refused_limit);
    skep_json_put_u64(json, SKEP_STR("refused_encoding"), n.refused_encoding);
    skep_json_put_u64(json, SKEP_STR("refused_budget"), n.refused_budget);
    skep_json_put_u64(json, SKEP_STR("refused_key"), n.refused_key);
    skep_json_put_u64(json, SKEP_STR("refused_address"), n.refused_address);
    skep_json_put_u64(json, SKEP_STR("refused_plain"), n.refused_plain);
    skep_json_put_u64(json, SKEP_STR("refused_client"), n.refused_client);
    skep_json_put_u64(json, SKEP_STR("cut_slow"), n.cut_slow);
    skep_json_put_u64(json, SKEP_STR("tls_connections"), n.tls_connections);
    skep_json_put_u64(json, SKEP_STR("h2_resets"), n.h2_resets);
    unknown_paths(json, net);
    skep_json_end(json);
}

static void self(struct skep_json *json, const struct skep_api_config *cfg)
{
    struct skep_api_self s;
    if (!cfg->self)
        return;
    cfg->self(cfg->self_ctx, &s);
    bool good = s.last_good_ns != 0;
    skep_json_key(json, SKEP_STR("self"));
    skep_json_object(json);
    skep_json_put_f64(json, SKEP_STR("interval_s"), (double)s.interval_ns / 1e9);
    skep_json_put_u64(json, SKEP_STR("attempts"), s.attempts);
    skep_json_put_u64(json, SKEP_STR("failures"), s.failures);
    skep_json_key(json, SKEP_STR("last_ms"));
    if (good)
        skep_json_i64(json, s.last_good_ns / 1000000);
    else
        skep_json_null(json);
    skep_json_key(json, SKEP_STR("last_error"));
    if (s.error[0])
        skep_json_str(json, skep_str_c(s.error));
    else
        skep_json_null(json);
    static const skep_str keys[] = {SKEP_STR("ack_ms"), SKEP_STR("visible_ms"),
                                    SKEP_STR("queries")};
    const double values[] = {(double)s.ack_ns / 1e6, (double)s.visible_ns / 1e6, s.queries};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(keys); i++) {
        skep_json_key(json, keys[i]);
        if (good)
            skep_json_f64(json, values[i]);
        else
            skep_json_null(json);
    }
    skep_json_end(json);
}

static void status(struct skep_api *api, struct skep_json *json)
{
    const struct skep_api_config *cfg = &api->cfg;
    struct skep_store_stats s;
    cfg->store->ops->stats(cfg->store, &s);
    int64_t up_ns = cfg->os->mono_ns(cfg->os) - api->started_mono_ns;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("version"), cfg->version);
    skep_json_put_f64(json, SKEP_STR("uptime_s"), (double)(up_ns / 1000000) / 1000.0);
    skep_json_put_i64_str(json, SKEP_STR("now_ns"), skep_api__now(api));
    skep_json_put_bool(json, SKEP_STR("recovering"), s.recovering);
    skep_json_put_u64(json, SKEP_STR("rows"), s.rows_live - s.hidden_rows);
    time_or_null(json, SKEP_STR("oldest_ns"), s.oldest_ns, s.rows_live > s.hidden_rows);
    time_or_null(json, SKEP_STR("newest_ns"), s.newest_ns, s.rows_live > s.hidden_rows);
    size_pair(json, SKEP_STR("memory"), skep_budget_used(cfg->memory), cfg->memory->limit_bytes);
    size_pair(json, SKEP_STR("disk"), s.disk_bytes, s.disk_limit_bytes);
    listeners(json, cfg);
    store_counters(json, cfg->store, &s);
    net_counters(json, cfg->net);
    self(json, cfg);
    skep_ingest_status(cfg->ingest, json);
    skep_json_end(json);
}

/* What is no business of other environments' keys. */
static void status_of_one(struct skep_api *api, struct skep_json *json, skep_str environment)
{
    const struct skep_api_config *cfg = &api->cfg;
    struct skep_store_stats s;
    cfg->store->ops->stats(cfg->store, &s);
    int64_t up_ns = cfg->os->mono_ns(cfg->os) - api->started_mono_ns;
    skep_json_object(json);
    skep_json_put_str(json, SKEP_STR("version"), cfg->version);
    skep_json_put_f64(json, SKEP_STR("uptime_s"), (double)(up_ns / 1000000) / 1000.0);
    skep_json_put_i64_str(json, SKEP_STR("now_ns"), skep_api__now(api));
    skep_json_put_bool(json, SKEP_STR("recovering"), s.recovering);
    skep_json_put_bool(json, SKEP_STR("read_only"), s.read_only);
    skep_json_put_str(json, SKEP_STR("environment"), environment);
    skep_json_end(json);
}

static void handle(void *ctx, struct skep_request *req)
{
    struct skep_buf buf;
    struct skep_json json;
    struct skep_response resp = {.status = 200,
                                 .content_type = SKEP_STR("application/json"),
                                 .headers = {{SKEP_STR("Cache-Control"), SKEP_STR("no-store")}},
                                 .n_headers = 1,
                                 .compressible = true};
    skep_buf_init(&buf, 4 << 20);
    skep_json_init(&json, &buf);
    if (req->caller.whole)
        status(ctx, &json);
    else
        status_of_one(ctx, &json, req->caller.environment);
    if (buf.bad)
        skep_api__fail(req, &(struct skep_api__error){.status = 500,
                                                      .text = SKEP_STR("the status is too large")});
    else
        skep_respond_buf(req, &resp, &buf);
    skep_buf_done(&buf);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/skep/v1/status",
     .handle = handle,
     .refuse = skep_api__refuse,
     .right = SKEP_RIGHT_QUERY,
     .form = SKEP_FORM_PAGE},
};

const struct skep_api__routes skep_api__page_status = {routes, SKEP_ARRAY_LEN(routes)};
