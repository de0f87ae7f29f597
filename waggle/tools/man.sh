#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# man.sh OUTDIR - writes a man page of section 3 for each public header, from the header itself
set -euo pipefail
out=$1
top=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
for header in "$top"/include/waggle/*.h "$top"/include/waggle/instrument/*.h; do
    name=$(basename "$header" .h)
    case $name in waggle | export) continue ;; esac
    awk -v page="waggle_$name" -v version="$(cat "$top/VERSION")" -f "$top/tools/man.awk" "$header" > "$out/waggle_$name.3"
done
