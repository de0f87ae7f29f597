// SPDX-License-Identifier: Apache-2.0
/* dlopen of libcurl by the soname it was built against, once (libcurl.h).  The prototypes are the
 * header's; a library of that soname has them all.
 * Threads: any.  Memory: libcurl's. */
#include "fetch/libcurl.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/assert.h"
#include "fetch/fetch_priv.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct skep_curl table;
static skep_rc opened;
static skep_err why;

skep_rc skep_fetch__open(const char *soname, struct skep_curl *ret, skep_err *err)
{
    void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
    const char *error = lib ? NULL : dlerror();
    if (!lib)
        return skep_fail(err, SKEP_EUNSUPPORTED,
                         "calls to other servers need the library %s: %.150s", soname,
                         error ? error : "not found");
#define X(name)                                                                                    \
    *(void **)(void *)&ret->name = dlsym(lib, "curl_" #name);                                      \
    if (!ret->name)                                                                                \
        return skep_fail(err, SKEP_EUNSUPPORTED, "the library %s has no curl_" #name, soname);
    SKEP_CURL_FUNCTIONS(X)
#undef X
    return SKEP_OK;
}

static void open_once(void)
{
    opened = skep_fetch__open(SKEP_LIBCURL, &table, &why);
    if (opened != SKEP_OK)
        return;
    CURLcode code = table.global_init(CURL_GLOBAL_DEFAULT);
    skep_assert(code == CURLE_OK);
}

const struct skep_curl *skep_curl(skep_err *err)
{
    (void)pthread_once(&once, open_once);
    if (opened == SKEP_OK)
        return &table;
    if (err)
        *err = why;
    return NULL;
}
