#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# amalgamate.sh OUTDIR - writes waggle as two files, waggle.h and waggle.c, for programs that would rather
# have them beside their own sources than link a library:  cc app.c waggle.c -lpthread
set -euo pipefail

out=$1
top=$(cd "$(dirname "$0")/.." && pwd)
version=$(cat "$top/VERSION")
headers="export value api context logs bridge error metrics baggage propagation http db record plugin reader resource transport rollbar cloudwatch sdk composite prometheus config"

# The file without its licence line, without includes of what is in the amalgamation, without once-only
# pragmas (each file stands here once).
body() {
    printf '\n/* --- %s --- */\n' "${1#"$top"/}"
    grep -v -e '^#include "' -e '^#pragma once' -e '^// SPDX-License-Identifier' "$1"
}

mkdir -p "$out"
{
    printf '// SPDX-License-Identifier: Apache-2.0\n'
    printf '/* waggle %s in one header; made by tools/amalgamate.sh, not to be edited. */\n' "$version"
    for name in $headers; do body "$top/include/waggle/$name.h"; done
} > "$out/waggle.h"
{
    printf '// SPDX-License-Identifier: Apache-2.0\n'
    printf '/* waggle %s in one file; made by tools/amalgamate.sh, not to be edited. */\n' "$version"
    printf '#ifndef _GNU_SOURCE\n#define _GNU_SOURCE 1\n#endif\n#include "waggle.h"\n'
    for name in priv sdk_priv metrics_priv worker stack hex http_parse gzip json json_in otlp_answer otlp_json post frames backtrace crash_record rollbar_item aws_answer cloudwatch_event sha256 sigv4 semconv xray_rules yaml config_priv prom threshold twin jaeger_strategy; do body "$top/src/$name.h"; done
    for file in "$top"/src/*.c; do body "$file"; done
} > "$out/waggle.c"
