// SPDX-License-Identifier: Apache-2.0
/* test_instrument.c - libcurl asks libmicrohttpd, which asks SQLite: one trace of the three */
#include "support.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include <waggle/instrument/curl.h>
#include <waggle/instrument/microhttpd.h>
#include <waggle/instrument/sqlite.h>

static struct capture *kept;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;
static struct MHD_Daemon *server;
static struct waggle_mhd traced;
static sqlite3 *db;
static char base[64];
static _Atomic int completed, first_calls;

static size_t forget(char *p, size_t size, size_t n, void *self)
{
    (void)p;
    (void)self;
    return size * n;
}

/* Its own state in *req_cls, as libmicrohttpd's handlers have. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload_data,
                              size_t *upload_data_size, void **req_cls)
{
    (void)method;
    (void)version;
    (void)upload_data;
    assert_ptr_equal(cls, &traced);
    if (*req_cls == NULL) {
        first_calls++;
        *req_cls = malloc(1);
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    bool known = strncmp(url, "/users/", 7) == 0;
    if (known) {
        waggle_mhd_route("/users/{id}");
        assert_int_equal(waggle_mhd_span().generation, waggle_span_current().generation);
        assert_int_equal(sqlite3_exec(db, "SELECT name FROM users WHERE id = 7", NULL, NULL, NULL),
                         SQLITE_OK);
    }
    static char hello[] = "hello";
    struct MHD_Response *r = MHD_create_response_from_buffer(5, hello, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result ok = waggle_mhd_queue_response(connection, known ? 200 : 404, r);
    MHD_destroy_response(r);
    return ok;
}

static void done(void *cls, struct MHD_Connection *connection, void **req_cls,
                 enum MHD_RequestTerminationCode toe)
{
    (void)connection;
    (void)toe;
    assert_ptr_equal(cls, &traced);
    free(*req_cls);
    completed++;
}

static int setup(void **state)
{
    (void)state;
    kept = capture_new();
    provider = provider_with(kept, NULL);
    tracer = waggle_tracer_get("instrument", NULL);
    const struct waggle_propagator *both[] = {&waggle_propagator_tracecontext,
                                              &waggle_propagator_baggage};
    waggle_propagators_set(both, 2);
    traced = (struct waggle_mhd){.tracer = tracer,
                                 .handler = answer,
                                 .handler_cls = &traced,
                                 .completed = done,
                                 .completed_cls = &traced};
    completed = first_calls = 0;
    server = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, waggle_mhd_handle,
                              &traced, MHD_OPTION_NOTIFY_COMPLETED, waggle_mhd_completed, &traced,
                              MHD_OPTION_END);
    assert_non_null(server);
    snprintf(base, sizeof base, "http://127.0.0.1:%d",
             MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE TRIGGER t AFTER INSERT "
            "ON users BEGIN UPDATE users SET name = 'x'; END; INSERT INTO users VALUES (7, 'ann')",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(waggle_sqlite_trace(db, tracer), SQLITE_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (server != NULL)
        MHD_stop_daemon(server);
    sqlite3_close(db);
    waggle_provider_free(provider);
    capture_free(kept);
    return 0;
}

static void one_trace_of_three_libraries(void **state)
{
    (void)state;
    char url[128];
    CURL *easy = curl_easy_init();
    struct curl_slist *own = curl_slist_append(NULL, "X-Mine: 1");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
    waggle_span root = waggle_span_start(tracer, "root", NULL);
    waggle_scope scope = waggle_attach_span(root);
    snprintf(url, sizeof url, "%s/users/7?a=b", base);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "some body");
    assert_int_equal(waggle_curl_perform(tracer, easy, "POST", url, own), CURLE_OK);
    waggle_detach(scope);
    waggle_span_end(root);
    wait_for(completed == 1);
    wait_for(capture_count(kept) == 4);
    assert_int_equal(first_calls, 1);
    waggle_span_data top = capture_named(kept, "root");
    waggle_span_data client = capture_named(kept, "POST");
    waggle_span_data served = capture_named(kept, "POST /users/{id}");
    waggle_span_data query = capture_named(kept, "SELECT users");
    assert_memory_equal(client.parent_span_id, top.span_id, 8);
    assert_memory_equal(served.parent_span_id, client.span_id, 8);
    assert_memory_equal(query.parent_span_id, served.span_id, 8);
    assert_memory_equal(query.trace_id, top.trace_id, 16);
    assert_true(served.start_ns <= query.start_ns && query.end_ns <= served.end_ns);
    assert_string_equal(attr_text(&client, "url.full"), url);
    assert_string_equal(attr_text(&client, "http.response.status_code"), "200");
    assert_string_equal(attr_text(&client, "network.peer.address"), "127.0.0.1");
    assert_string_equal(attr_text(&client, "network.protocol.version"), "1.1");
    assert_string_equal(attr_text(&served, "url.path"), "/users/7");
    assert_string_equal(attr_text(&served, "client.address"), "127.0.0.1");
    assert_string_equal(attr_text(&served, "server.address"), "127.0.0.1");
    assert_string_equal(attr_text(&served, "http.response.status_code"), "200");
    assert_string_equal(attr_text(&query, "db.query.text"), "SELECT name FROM users WHERE id = ?");
    assert_string_equal(attr_text(&query, "db.system.name"), "sqlite");
    assert_string_equal(attr_text(&query, "db.namespace"), ":memory:");
    // the handle is as it was: its own headers, no context of a span that has ended
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    wait_for(completed == 2);
    wait_for(capture_count(kept) == 6);
    waggle_span_data again = capture_span(kept, 5);
    assert_memory_not_equal(again.trace_id, top.trace_id, 16);
    curl_slist_free_all(own);
    curl_easy_cleanup(easy);
}

static void a_server_that_is_not_there(void **state)
{
    (void)state;
    char url[128];
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, forget);
    snprintf(url, sizeof url, "%s/nothing", base);
    assert_int_equal(waggle_curl_perform(tracer, easy, "GET", url, NULL), CURLE_OK);
    wait_for(capture_count(kept) == 2);
    size_t errors = 0;
    for (size_t i = 0; i < 2; i++) { // 404 is the client's error, not the server's
        waggle_span_data s = capture_span(kept, i);
        assert_string_equal(attr_text(&s, "http.response.status_code"), "404");
        assert_true((s.status == WAGGLE_STATUS_ERROR) == (s.kind == WAGGLE_KIND_CLIENT));
        errors += s.status == WAGGLE_STATUS_ERROR;
    }
    assert_int_equal(errors, 1);
    capture_clear(kept);
    MHD_stop_daemon(server);
    server = NULL;
    assert_int_equal(waggle_curl_perform(tracer, easy, "GET", url, NULL), CURLE_COULDNT_CONNECT);
    waggle_span_data s = capture_named(kept, "GET");
    assert_int_equal(s.status, WAGGLE_STATUS_ERROR);
    assert_string_equal(attr_text(&s, "error.type"), curl_easy_strerror(CURLE_COULDNT_CONNECT));
    curl_easy_cleanup(easy);
}

static void statements(void **state)
{
    (void)state;
    sqlite3_stmt *outer;
    sqlite3_stmt *inner;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT id FROM users", -1, &outer, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO users(name) VALUES (?)", -1, &inner, NULL),
                     SQLITE_OK);
    sqlite3_bind_text(inner, 1, "secret", -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(outer), SQLITE_ROW);
    assert_int_equal(sqlite3_step(inner), SQLITE_DONE); // fires the trigger
    assert_int_equal(capture_count(kept), 1);
    sqlite3_finalize(inner);
    sqlite3_reset(outer);
    assert_int_equal(capture_count(kept), 2);
    waggle_span_data i = capture_named(kept, "INSERT users");
    waggle_span_data o = capture_named(kept, "SELECT users");
    assert_true(o.start_ns <= i.start_ns && i.end_ns <= o.end_ns);
    assert_string_equal(attr_text(&i, "db.query.text"), "INSERT INTO users(name) VALUES (?)");
    assert_int_equal(i.status, WAGGLE_STATUS_UNSET);
    sqlite3_finalize(outer);
    capture_clear(kept);
    assert_int_equal(
        waggle_sqlite_exec(db, "-- none\n; INSERT INTO users(id) VALUES (7); SELECT 1"),
        SQLITE_CONSTRAINT);
    waggle_span_data failed = capture_named(kept, "INSERT users");
    assert_int_equal(capture_count(kept), 1);
    assert_int_equal(failed.status, WAGGLE_STATUS_ERROR);
    assert_string_equal(attr_text(&failed, "db.response.status_code"), "19");
    assert_non_null(strstr(failed.status_message.p, "UNIQUE constraint failed"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_trace_of_three_libraries),
        T(a_server_that_is_not_there),
        T(statements),
    };
    curl_global_init(CURL_GLOBAL_ALL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
