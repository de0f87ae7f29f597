// SPDX-License-Identifier: Apache-2.0
/* A server with phases, as nginx has them, calls a module's hooks for each request: instrumentation
 * is such a module. The server below is as small as can be (it makes its requests up); what counts
 * is the module. A request may wait between phases and go on in another thread: what belongs to it
 * is kept in its own context, and is current only while a hook or a handler runs. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <waggle/waggle.h>

/* --- the server's interface ------------------------------------------------------------------ */

struct header {
    const char *name, *value;
};

struct request {
    const char *method, *target;
    const struct header *headers; /* ends with NULL */
    const char *location;         /* found by the server: the pattern that matched */
    int status;
    void *module_data; /* the module's own */
};

struct module {
    void (*post_read)(struct request *r); /* the head has been read */
    void (*content)(struct request *r, void (*handler)(struct request *)); /* around the handler */
    void (*log)(struct request *r); /* the answer has gone out */
};

/* --- the module ------------------------------------------------------------------------------ */

struct traced {
    waggle_span span;
    waggle_context context;
};

static struct waggle_tracer *tracer;
static struct traced pool[16]; /* a server has a pool for each request */
static size_t n_pool;

static bool get_header(void *carrier, const char *key, size_t index, const char **ret_value,
                       size_t *ret_n)
{
    const struct request *r = carrier;
    for (const struct header *h = r->headers; h->name != NULL; h++) {
        if (strcasecmp(h->name, key) != 0 || index-- > 0)
            continue;
        *ret_value = h->value;
        *ret_n = strlen(h->value);
        return true;
    }
    return false;
}

static void traced_post_read(struct request *r)
{
    struct traced *t = &pool[n_pool++ % 16];
    r->module_data = t;
    t->span = waggle_http_server_start_with(tracer,
                                            &(waggle_http_request){.method = r->method,
                                                                   .target = r->target,
                                                                   .scheme = "http",
                                                                   .get = get_header,
                                                                   .carrier = r},
                                            &t->context);
}

static void traced_content(struct request *r, void (*handler)(struct request *))
{
    struct traced *t = r->module_data;
    waggle_scope scope = waggle_attach(&t->context);
    handler(r);
    waggle_detach(scope);
}

static void traced_log(struct request *r)
{
    struct traced *t = r->module_data;
    waggle_http_server_end(t->span, r->method, r->location, r->status, NULL);
    waggle_context_done(&t->context);
}

static const struct module tracing = {traced_post_read, traced_content, traced_log};

/* --- a server that uses it -------------------------------------------------------------------- */

static void show_user(struct request *r)
{
    waggle_span_end(waggle_span_start(tracer, "render", NULL)); // a child of the request's span
    r->status = 200;
}

int main(void)
{
    static const struct header headers[] = {
        {"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, {NULL, NULL}};
    struct request r = {.method = "GET", .target = "/users/7", .headers = headers};
    if (waggle_init(&(waggle_options){.service_name = "server-hooks"}) != 0)
        return 1;
    tracer = waggle_tracer_get("server_hooks", "1.0");
    tracing.post_read(&r);
    r.location = "/users/{id}";
    tracing.content(&r, show_user);
    tracing.log(&r);
    return waggle_shutdown(2000) ? 0 : 1;
}
