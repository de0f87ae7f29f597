// SPDX-License-Identifier: Apache-2.0
/*
 * detectors.c - what can be known of the process and its machine without asking anyone
 *
 * Each detector adds what it finds and leaves out what it does not. Command line arguments are not
 * among it: they may hold secrets.
 *
 * Threads: one at a time. Reads files of /proc and /etc, each at most once.
 */
#include "sdk_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct {
    const char *name;
    waggle_detect_fn *detect;
} all[] = {
    {"process", waggle_detect_process},
    {"host", waggle_detect_host},
    {"os", waggle_detect_os},
    {"container", waggle_detect_container},
    {"instance", waggle_detect_instance},
    {"env", waggle_detect_env}, /* last: what the user says wins */
};

/* The beginning of a file as text; false if it cannot be read. */
static bool read_file(const char *path, char *ret_text, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t n = 0;
    while (n + 1 < cap) {
        ssize_t r = read(fd, ret_text + n, cap - 1 - n);
        if (r <= 0)
            break;
        n += (size_t)r;
    }
    (void)close(fd); // only read
    ret_text[n] = '\0';
    return n > 0;
}

static void set_str(struct waggle_resource *r, const char *key, const char *value)
{
    // Without memory the resource is without it; its provider will say so.
    (void)waggle_resource_set(r, WAGGLE_ATTRS(waggle_kv_str(key, value)));
}

static bool executable(char *ret_path, size_t cap)
{
    ssize_t n = readlink("/proc/self/exe", ret_path, cap - 1);
    if (n <= 0)
        return false;
    ret_path[n] = '\0';
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void waggle_detect_sdk(struct waggle_resource *resource)
{
    set_str(resource, "telemetry.sdk.name", "waggle");
    set_str(resource, "telemetry.sdk.language", "c");
    set_str(resource, "telemetry.sdk.version", WAGGLE_VERSION);
}

void waggle_detect_process(struct waggle_resource *resource)
{
    char path[1024];
    (void)waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_i64("process.pid", getpid())));
    if (!executable(path, sizeof path))
        return;
    set_str(resource, "process.executable.path", path);
    set_str(resource, "process.executable.name", base_name(path));
}

void waggle_detect_host(struct waggle_resource *resource)
{
    struct utsname u;
    char id[64];
    if (uname(&u) == 0) {
        static const char *const arches[][2] = {{"x86_64", "amd64"},
                                                {"aarch64", "arm64"},
                                                {"i686", "x86"},
                                                {"armv7l", "arm32"},
                                                {"ppc64le", "ppc64"}};
        const char *arch = u.machine;
        for (size_t i = 0; i < WAGGLE__COUNT(arches); i++)
            if (strcmp(u.machine, arches[i][0]) == 0)
                arch = arches[i][1];
        set_str(resource, "host.name", u.nodename);
        set_str(resource, "host.arch", arch);
    }
    if (read_file("/etc/machine-id", id, sizeof id)) {
        id[strcspn(id, "\n")] = '\0';
        if (id[0] != '\0')
            set_str(resource, "host.id", id);
    }
}

void waggle_detect_os(struct waggle_resource *resource)
{
    struct utsname u;
    char description[sizeof u.sysname + sizeof u.release + sizeof u.version + 3];
    char type[sizeof u.sysname];
    if (uname(&u) != 0)
        return;
    size_t i = 0;
    for (; u.sysname[i] != '\0'; i++)
        type[i] =
            u.sysname[i] >= 'A' && u.sysname[i] <= 'Z' ? (char)(u.sysname[i] + 32) : u.sysname[i];
    type[i] = '\0';
    (void)snprintf(description, sizeof description, "%s %s %s", u.sysname, u.release, u.version);
    set_str(resource, "os.type", type);
    set_str(resource, "os.version", u.release);
    set_str(resource, "os.description", description);
}

/* The first run of exactly 64 hex digits: how container runtimes name a container. */
static const char *find_id(const char *text)
{
    enum { ID = 64 };
    size_t run = 0;
    for (const char *p = text; *p != '\0'; p++) {
        bool hex = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f');
        run = hex ? run + 1 : 0;
        bool ends = !((p[1] >= '0' && p[1] <= '9') || (p[1] >= 'a' && p[1] <= 'f'));
        if (run == ID && ends)
            return p + 1 - ID;
    }
    return NULL;
}

void waggle_detect_container(struct waggle_resource *resource)
{
    static const char *const paths[] = {"/proc/self/cgroup", "/proc/self/mountinfo"};
    char text[16384];
    for (size_t i = 0; i < WAGGLE__COUNT(paths); i++) {
        const char *id = read_file(paths[i], text, sizeof text) ? find_id(text) : NULL;
        if (i == 1 && id != NULL) { // cgroup v2: the runtime mounts files of the container's folder
            const char *mark = strstr(text, "/containers/");
            id = mark ? find_id(mark) : NULL;
        }
        if (id == NULL)
            continue;
        (void)waggle_resource_set(resource, WAGGLE_ATTRS(waggle_kv_strn("container.id", id, 64)));
        return;
    }
}

void waggle__resource_set_pair(void *self, waggle_str key, waggle_str value)
{
    waggle_kv kv = {
        .key = key.p, .key_n = waggle__u32(key.n), .value = waggle_value_strn(value.p, value.n)};
    (void)waggle_resource_set(self, waggle_attrs_of(&kv, 1));
    if (key.n == strlen("service.instance.id") && memcmp(key.p, "service.instance.id", key.n) == 0)
        waggle__resource_not_own_instance(self);
}

void waggle_detect_env(struct waggle_resource *resource)
{
    const char *list = waggle__env("OTEL_RESOURCE_ATTRIBUTES");
    if (list != NULL && !waggle__pairs(list, waggle__resource_set_pair, resource))
        waggle__error(WAGGLE_LEVEL_ERROR, "OTEL_RESOURCE_ATTRIBUTES is malformed, ignoring it");
    const char *name = waggle__env("OTEL_SERVICE_NAME");
    if (name != NULL)
        set_str(resource, "service.name", name);
}

void waggle__detect_default(struct waggle_resource *resource)
{
    char path[1024];
    char service[1100] = "unknown_service";
    if (executable(path, sizeof path))
        (void)snprintf(service, sizeof service, "unknown_service:%s", base_name(path)); // fits
    set_str(resource, "service.name", service);
    waggle_detect_sdk(resource);
}

void waggle_detect_all(struct waggle_resource *resource)
{
    waggle__detect_default(resource);
    for (size_t i = 0; i < WAGGLE__COUNT(all); i++)
        all[i].detect(resource);
}
