// SPDX-License-Identifier: Apache-2.0
/* page.c - a small server of static files; see page.h
 *
 * The files are read once, at start; a path is looked up among them, so that no request names a
 * file of the machine. /config.json says where the API and the receiver of traces are.
 *
 * Threads: one, libmicrohttpd's. Memory: the files, while it runs. */
#include "page.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

enum { FILES_MAX = 64, FILE_BYTES_MAX = 4 << 20, PATH_BYTES = 1024 };

struct file {
    char path[320]; /* as asked for: "/assets/app.js" */
    char *bytes;
    size_t n;
};

struct page {
    const struct config *config;
    struct MHD_Daemon *daemon;
    _Atomic uint16_t api_port;
    struct file files[FILES_MAX];
    size_t n;
};

/* --- the files ---------------------------------------------------------------------------------
 */

static bool read_file(const char *path, struct file *file)
{
    FILE *in = fopen(path, "rbe");
    if (in == NULL)
        return false;
    file->bytes = malloc(FILE_BYTES_MAX);
    file->n = file->bytes != NULL ? fread(file->bytes, 1, FILE_BYTES_MAX, in) : 0;
    bool whole = file->bytes != NULL && file->n < FILE_BYTES_MAX && ferror(in) == 0;
    (void)fclose(in); // only read
    if (whole && file->n > 0)
        file->bytes = realloc(file->bytes, file->n); // smaller
    return whole;
}

/* Reads the files of a folder, which are asked for as prefix/NAME. */
static bool read_folder(struct page *page, const char *folder, const char *prefix)
{
    char path[PATH_BYTES];
    DIR *dir = opendir(folder);
    bool ok = dir != NULL;
    for (const struct dirent *entry; ok && (entry = readdir(dir)) != NULL;) {
        struct file *file = &page->files[page->n];
        if (entry->d_type != DT_REG || entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        snprintf(file->path, sizeof file->path, "%s/%s", prefix, entry->d_name);
        ok = read_file(path, file);
        page->n++;
        ok = ok && page->n < FILES_MAX;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return ok;
}

static const struct file *find(const struct page *page, const char *path)
{
    for (size_t i = 0; i < page->n; i++)
        if (strcmp(page->files[i].path, path) == 0)
            return &page->files[i];
    return NULL;
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i][0], dot) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* --- /config.json ------------------------------------------------------------------------------
 */

/* "k=v,k2=v2" as an object. */
static yyjson_mut_val *headers_object(yyjson_mut_doc *doc, const char *list)
{
    yyjson_mut_val *object = yyjson_mut_obj(doc);
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        size_t key_n = strcspn(list, "=,");
        if (key_n > 0 && key_n < n)
            yyjson_mut_obj_add(object, yyjson_mut_strncpy(doc, list, key_n),
                               yyjson_mut_strncpy(doc, list + key_n + 1, n - key_n - 1));
        list += n + (list[n] == ',');
    }
    return object;
}

static char *config_json(struct page *page, size_t *ret_n)
{
    const struct config *config = page->config;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_obj_add_str(doc, root, "api",
                           config->backend_url != NULL ? config->backend_url : "");
    yyjson_mut_obj_add_int(doc, root, "apiPort", atomic_load(&page->api_port));
    yyjson_mut_obj_add_str(doc, root, "otlp", config->page_otlp);
    yyjson_mut_obj_add_val(doc, root, "headers", headers_object(doc, config->page_headers));
    yyjson_mut_obj_add_bool(doc, root, "bootcamp", config->bootcamp);
    char *json = yyjson_mut_val_write(root, 0, ret_n);
    yyjson_mut_doc_free(doc);
    return json;
}

/* --- serving -----------------------------------------------------------------------------------
 */

static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     struct MHD_Response *response, const char *type)
{
    static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; "
                                 "img-src 'self'; connect-src http: https:; base-uri 'none'; "
                                 "form-action 'none'; frame-ancestors 'none'";
    if (response == NULL)
        return MHD_NO;
    // None of these can be malformed: without memory a header is missing.
    (void)MHD_add_response_header(response, "Content-Type", type);
    (void)MHD_add_response_header(response, "Content-Security-Policy", policy);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Cache-Control", "no-cache");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* The file of a path; a path without a dot is a view of the page's own, and gets index.html. */
static enum MHD_Result send_file(struct page *page, struct MHD_Connection *connection,
                                 const char *path)
{
    static char missing[] = "not found\n";
    const struct file *file = find(page, strchr(path, '.') != NULL ? path : "/index.html");
    if (file == NULL)
        return send_response(
            connection, 404,
            MHD_create_response_from_buffer(sizeof missing - 1, missing, MHD_RESPMEM_PERSISTENT),
            "text/plain");
    return send_response(
        connection, 200,
        MHD_create_response_from_buffer(file->n, file->bytes, MHD_RESPMEM_PERSISTENT),
        type_of(file->path));
}

static enum MHD_Result serve(void *self, struct MHD_Connection *connection, const char *path,
                             const char *method, const char *version, const char *piece, size_t *n,
                             void **state)
{
    static char refused[] = "only GET and HEAD\n";
    static int begun;
    struct page *page = self;
    (void)version;
    (void)piece;
    if (*state == NULL) {
        *state = &begun; // the answer comes when the request is whole
        return MHD_YES;
    }
    if (*n > 0) {
        *n = 0; // a body is read and left
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_response(
            connection, 405,
            MHD_create_response_from_buffer(sizeof refused - 1, refused, MHD_RESPMEM_PERSISTENT),
            "text/plain");
    if (strcmp(path, "/config.json") != 0)
        return send_file(page, connection, path);
    size_t json_n = 0;
    char *json = config_json(page, &json_n);
    return json == NULL
               ? MHD_NO
               : send_response(connection, 200,
                               MHD_create_response_from_buffer(json_n, json, MHD_RESPMEM_MUST_FREE),
                               "application/json");
}

struct page *page_start(const struct config *config, uint16_t *ret_port)
{
    char assets[PATH_BYTES];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(config->page_port)};
    struct page *page = calloc(1, sizeof *page);
    if (page == NULL)
        return NULL;
    page->config = config;
    snprintf(assets, sizeof assets, "%s/assets", config->page_folder);
    if (!read_folder(page, config->page_folder, "") || !read_folder(page, assets, "/assets") ||
        find(page, "/index.html") == NULL) {
        fprintf(stderr, "cruddur: %s holds no built page\n", config->page_folder);
        page_stop(page);
        return NULL;
    }
    if (inet_pton(AF_INET, config->host, &address.sin_addr) == 1)
        page->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, config->page_port, NULL, NULL, serve,
            page, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_TIMEOUT, 60u,
            MHD_OPTION_CONNECTION_LIMIT, 256u, MHD_OPTION_END);
    if (page->daemon == NULL) {
        fprintf(stderr, "cruddur: the page cannot listen on %s:%u: %s\n", config->host,
                config->page_port, strerror(errno));
        page_stop(page);
        return NULL;
    }
    *ret_port = MHD_get_daemon_info(page->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return page;
}

void page_set_api_port(struct page *page, uint16_t api_port)
{
    atomic_store(&page->api_port, api_port);
}

void page_stop(struct page *page)
{
    if (page == NULL)
        return;
    if (page->daemon != NULL)
        MHD_stop_daemon(page->daemon);
    for (size_t i = 0; i < page->n; i++)
        free(page->files[i].bytes);
    free(page);
}
