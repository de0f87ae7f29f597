// SPDX-License-Identifier: Apache-2.0
/* Texts with places to fill in, in the part of Go's text/template that people use for messages:
 *
 *   {{ .Name }}  {{ .Result.Groups }}  {{ $x := len .List }}  {{ .A | toJson }}  {{- trimmed -}}
 *   {{ if eq .Status "OK" }} ... {{ else if ... }} ... {{ else }} ... {{ end }}
 *   {{ range $i, $g := .List }} ... {{ else }} ... {{ end }}   {{ with .A }} ... {{ end }}
 *
 * Functions: and or not eq ne lt le gt ge len index print printf toJson quote lower upper trim join
 * replace contains hasPrefix hasSuffix default.  printf knows %v %s %d %f %g %q %#v %t %%.
 *
 * Fields are looked for by their name, then in any case: {"group": ...} is found as .Group.  What
 * is not there prints as "<no value>", as Go's does, and is false.
 *
 * A template is somebody else's text: its depth, its steps and what it makes are bounded. */
#pragma once

#include <yyjson.h>

#include "base/buf.h"
#include "base/err.h"

enum {
    SKEP_FILL_DEPTH = 32,
    SKEP_FILL_STEPS = 100000, /* actions carried out */
    SKEP_FILL_VARIABLES = 64,
    SKEP_FILL_BYTES = 8 << 20 /* of data and values, beside what is written */
};

/* Write a template with data.
 *
 * data     a JSON object, or NULL: the template is only read, every branch of it, and nothing is
 *          written
 * out      its limit bounds what is made
 * Returns  SKEP_OK | SKEP_EINVAL (err says what is wrong and where: "at byte 17: ...") |
 *          SKEP_ETOOLARGE
 * Threads  any */
SKEP_NODISCARD skep_rc skep_fill(skep_str text, yyjson_val *data, struct skep_buf *out,
                                 skep_err *err);
