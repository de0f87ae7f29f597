// SPDX-License-Identifier: Apache-2.0
/* Look-up in the table of embedded files.
 *
 * The table has five or so rows, so the search is linear.  The document is row 0; every address
 * the page makes up for itself (/ui/query, /ui/trace/<id>, ...) answers with it, so that a
 * permalink opened in a new tab works.  A missing file under /ui/assets/ stays missing: answering
 * HTML for a script would hide a broken build.
 *
 * Threads: reads constants only.  Memory: none. */
#include "ui/assets.h"

#include "ui/assets_priv.h"

static bool is_document_path(skep_str path)
{
    if (skep_str_eq(path, SKEP_STR("/ui")) || skep_str_eq(path, SKEP_STR("/"))) {
        return true;
    }
    const skep_str root = SKEP_STR("/ui/");
    const skep_str files = SKEP_STR("/ui/assets/");
    if (path.n < root.n || memcmp(path.p, root.p, root.n) != 0) {
        return false;
    }
    return path.n < files.n || memcmp(path.p, files.p, files.n) != 0;
}

const struct skep_asset *skep_asset_find(skep_str path)
{
    if (is_document_path(path)) {
        return &skep_assets__all[0];
    }
    for (size_t i = 1; i < skep_assets__n; i++) {
        if (skep_str_eq(path, skep_str_c(skep_assets__all[i].path))) {
            return &skep_assets__all[i];
        }
    }
    return NULL;
}
