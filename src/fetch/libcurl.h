// SPDX-License-Identifier: Apache-2.0
/* libcurl, opened by the first who asks something of others: with it come eighteen libraries more,
 * which took half of linking, at every start and of every command.
 *
 * Its functions by their names without "curl_": lib->easy_perform(handle).  It stays open. */
#pragma once

#include <curl/curl.h>

#include "base/err.h"

/* Every function of it that we call. */
#define SKEP_CURL_FUNCTIONS(X)                                                                     \
    X(global_init)                                                                                 \
    X(easy_init)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_perform)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_reset)                                                                                  \
    X(easy_cleanup)                                                                                \
    X(easy_strerror)                                                                               \
    X(slist_append)                                                                                \
    X(slist_free_all)

struct skep_curl {
#define X(name) __typeof__(curl_##name) *name;
    SKEP_CURL_FUNCTIONS(X)
#undef X
};

/* NULL, and SKEP_EUNSUPPORTED with what is missing in err, when it is not on this machine.
 * Threads: any. */
const struct skep_curl *skep_curl(skep_err *err);
