// SPDX-License-Identifier: Apache-2.0
/* For src/fetch and its tests. */
#pragma once

#include "fetch/libcurl.h"

/* Open that library and find its functions; SKEP_EUNSUPPORTED names what is missing. */
SKEP_NODISCARD skep_rc skep_fetch__open(const char *soname, struct skep_curl *ret, skep_err *err);
