// SPDX-License-Identifier: Apache-2.0
/* The page, embedded: every file a browser asks for, raw and gzipped, as constant bytes.
 *
 * Built from ui/src by ui/build.mjs.  Scripts, styles and the icon live under /ui/assets/; the
 * names of scripts and styles carry a hash of their content, so those may be sent with
 * `Cache-Control: public, max-age=31536000, immutable`; the document itself needs `no-cache`. */
#pragma once

#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct skep_asset {
    const char *path;         /* request path, "/" for the document */
    const char *content_type; /* value of Content-Type */
    const char *etag;         /* strong, with its quotes */
    const uint8_t *gzip;      /* gzip[gzip_bytes], a whole gzip member */
    size_t gzip_bytes;
    const uint8_t *raw; /* raw[raw_bytes] */
    size_t raw_bytes;
};

/* Finds what a GET of `path` shows.
 *
 * path     request path without query string, e.g. "/", "/ui/query", "/ui/assets/favicon.svg"
 * Returns  the asset; the document for "/", "/ui" and every path under "/ui/" that is not under
 *          "/ui/assets/" (the page routes those itself); NULL for anything else
 * Owns     static storage, never freed
 * Threads  any */
const struct skep_asset *skep_asset_find(skep_str path);
