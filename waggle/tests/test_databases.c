// SPDX-License-Identifier: Apache-2.0
/* test_databases.c - libpq and hiredis against servers that speak just enough of each protocol to
 * answer them: the clients are real, the servers are not (a real PostgreSQL is 50 MB). With
 * WAGGLE_TEST_PG (a libpq connection string) and WAGGLE_TEST_REDIS (a port) the same runs against
 * real ones. */
#include "support.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <waggle/instrument/hiredis.h>
#include <waggle/instrument/libpq.h>

static struct capture *kept;
static struct waggle_provider *provider;
static struct waggle_tracer *tracer;

static int setup(void **state)
{
    (void)state;
    kept = capture_new();
    provider = provider_with(kept, NULL);
    tracer = waggle_tracer_get("databases", NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    waggle_provider_free(provider);
    capture_free(kept);
    return 0;
}

/* --- a server for one connection ---------------------------------------------------------------
 */

struct server {
    int listener, port;
    pthread_t thread;
    void (*serve)(int fd);
};

static void *serve(void *self)
{
    struct server *s = self;
    int fd = accept(s->listener, NULL, NULL);
    s->serve(fd);
    close(fd);
    return NULL;
}

static void server_start(struct server *s, void (*f)(int fd))
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    s->listener = socket(AF_INET, SOCK_STREAM, 0);
    s->serve = f;
    assert_int_equal(bind(s->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->listener, 1), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&a, &n), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    pthread_join(s->thread, NULL);
    close(s->listener);
}

static bool read_all(int fd, void *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t r = recv(fd, (char *)p + at, n - at, 0);
        if (r <= 0)
            return false;
        at += (size_t)r;
    }
    return true;
}

/* --- PostgreSQL --------------------------------------------------------------------------------
 */

static void put_message(int fd, char type, const char *body, size_t n)
{
    uint32_t length = htonl((uint32_t)n + 4);
    send(fd, &type, 1, MSG_NOSIGNAL | MSG_MORE);
    send(fd, &length, 4, MSG_NOSIGNAL | MSG_MORE);
    send(fd, body, n, MSG_NOSIGNAL | MSG_MORE);
}

static void ready(int fd)
{
    static const char z[] = {'Z', 0, 0, 0, 5, 'I'};
    send(fd, z, sizeof z, MSG_NOSIGNAL);
}

static bool read_message(int fd, bool typed, char *ret_type, char body[4096])
{
    uint32_t length = 0;
    if ((typed && !read_all(fd, ret_type, 1)) || !read_all(fd, &length, 4))
        return false;
    length = ntohl(length);
    memset(body, 0, 4096);
    return length >= 4 && length < 4096 && read_all(fd, body, length - 4);
}

static void postgres(int fd)
{
    static const char error[] = "SERROR\0VERROR\0C42P01\0Mrelation \"nothing\" does not exist\0";
    char body[4096];
    char type = 0;
    if (!read_message(fd, false, &type, body))
        return;
    put_message(fd, 'R', "\0\0\0\0", 4);
    ready(fd);
    while (read_message(fd, true, &type, body)) {
        if (type == 'Q' && strstr(body, "nothing") != NULL)
            put_message(fd, 'E', error, sizeof error);
        else if (type == 'Q' || type == 'E')
            put_message(fd, 'C', "SELECT 0", 9);
        else if (type == 'P')
            put_message(fd, '1', "", 0);
        else if (type == 'B')
            put_message(fd, '2', "", 0);
        else if (type == 'D')
            put_message(fd, 'n', "", 0);
        if (type == 'Q' || type == 'S')
            ready(fd);
        if (type == 'Q' && strstr(body, "goodbye") != NULL)
            return;
    }
}

static void queries(void **state)
{
    (void)state;
    struct server s;
    char info[128];
    const char *real = getenv("WAGGLE_TEST_PG");
    if (real == NULL)
        server_start(&s, postgres);
    snprintf(info, sizeof info,
             "host=127.0.0.1 port=%d dbname=shop user=u sslmode=disable gssencmode=disable",
             real ? 0 : s.port);
    PGconn *conn = PQconnectdb(real ? real : info);
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    waggle_span root = waggle_span_start(tracer, "root", NULL);
    waggle_scope scope = waggle_attach_span(root);
    PQclear(waggle_pq_exec(tracer, conn, "SELECT relname FROM pg_class WHERE relname = 'secret'"));
    waggle_detach(scope);
    waggle_span_end(root);
    waggle_span_data q = capture_named(kept, "SELECT pg_class");
    waggle_span_data r = capture_named(kept, "root");
    assert_memory_equal(q.parent_span_id, r.span_id, 8);
    assert_int_equal(q.status, WAGGLE_STATUS_UNSET);
    assert_string_equal(attr_text(&q, "db.query.text"),
                        "SELECT relname FROM pg_class WHERE relname = ?");
    assert_string_equal(attr_text(&q, "db.system.name"), "postgresql");
    assert_string_equal(attr_text(&q, "db.namespace"), PQdb(conn));
    assert_string_equal(attr_text(&q, "server.address"), PQhost(conn));
    assert_string_equal(attr_text(&q, "server.port"), PQport(conn));
    const char *values[] = {"secret"};
    PQclear(waggle_pq_exec_params(tracer, conn, "INSERT INTO pg_temp.t VALUES ($1)", 1, NULL,
                                  values, NULL, NULL, 0));
    q = capture_named(kept, "INSERT pg_temp.t");
    assert_string_equal(attr_text(&q, "db.query.text"), "INSERT INTO pg_temp.t VALUES ($1)");
    PQclear(waggle_pq_exec(tracer, conn, "SELECT 1 FROM nothing"));
    q = capture_named(kept, "SELECT nothing");
    assert_int_equal(q.status, WAGGLE_STATUS_ERROR);
    assert_string_equal(attr_text(&q, "db.response.status_code"), "42P01");
    assert_true(str_is(q.status_message, "relation \"nothing\" does not exist"));
    PQclear(waggle_pq_exec_prepared(tracer, conn, "by_name", 1, values, NULL, NULL, 0));
    q = capture_named(kept, "EXECUTE by_name");
    assert_string_equal(attr_text(&q, "db.operation.name"), "EXECUTE");
    if (real == NULL) { // the server goes
        PQclear(waggle_pq_exec(tracer, conn, "SELECT 1 FROM goodbye"));
        server_stop(&s);
        PQclear(waggle_pq_exec(tracer, conn, "SELECT 1 FROM nobody"));
        q = capture_named(kept, "SELECT nobody");
        assert_string_equal(attr_text(&q, "error.type"), "connection_error");
    }
    PQfinish(conn);
}

/* --- Redis -------------------------------------------------------------------------------------
 */

static bool read_line(int fd, char line[256])
{
    size_t n = 0;
    while (n + 1 < 256 && read_all(fd, line + n, 1))
        if (line[n++] == '\n') {
            line[n] = '\0';
            return true;
        }
    return false;
}

/* A command is "*N", then N times "$LENGTH" and a text. */
static void redis(int fd)
{
    char line[256];
    char name[256] = "";
    while (read_line(fd, line)) {
        long parts = strtol(line + 1, NULL, 10);
        for (long i = 0; i < parts; i++)
            if (!read_line(fd, line) || !read_line(fd, i == 0 ? name : line))
                return;
        static const char wrong[] =
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        if (strncmp(name, "QUIT", 4) == 0)
            return;
        if (strncmp(name, "LPUSH", 5) == 0)
            send(fd, wrong, sizeof wrong - 1, MSG_NOSIGNAL);
        else
            send(fd, "+OK\r\n", 5, MSG_NOSIGNAL);
    }
}

static void commands(void **state)
{
    (void)state;
    struct server s;
    char port[16];
    const char *real = getenv("WAGGLE_TEST_REDIS");
    if (real == NULL)
        server_start(&s, redis);
    snprintf(port, sizeof port, "%d", real ? (int)strtol(real, NULL, 10) : s.port);
    redisContext *c = redisConnect("127.0.0.1", (int)strtol(port, NULL, 10));
    assert_int_equal(c->err, 0);
    freeReplyObject(waggle_redis_command(tracer, c, "set %s  %b", "key", "secret", (size_t)6));
    waggle_span_data q = capture_named(kept, "SET");
    assert_string_equal(attr_text(&q, "db.system.name"), "redis");
    assert_string_equal(attr_text(&q, "db.query.text"), "SET ? ?");
    assert_string_equal(attr_text(&q, "db.operation.name"), "SET");
    assert_string_equal(attr_text(&q, "server.address"), "127.0.0.1");
    assert_string_equal(attr_text(&q, "server.port"), port);
    assert_int_equal(q.status, WAGGLE_STATUS_UNSET);
    const char *push[] = {"LPUSH", "key", "secret"};
    freeReplyObject(waggle_redis_command_argv(tracer, c, 3, push, NULL));
    q = capture_named(kept, "LPUSH");
    assert_string_equal(attr_text(&q, "db.query.text"), "LPUSH ? ?");
    assert_int_equal(q.status, WAGGLE_STATUS_ERROR);
    assert_string_equal(attr_text(&q, "db.response.status_code"), "WRONGTYPE");
    if (real == NULL) { // the server goes
        assert_null(waggle_redis_command(tracer, c, "QUIT"));
        q = capture_named(kept, "QUIT");
        assert_string_equal(attr_text(&q, "error.type"), "connection_error");
        server_stop(&s);
    }
    redisFree(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(queries), T(commands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
