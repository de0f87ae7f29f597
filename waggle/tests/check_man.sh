#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check_man.sh - every function of a public header is in that header's man page, and groff has no complaint
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"$top/tools/man.sh" "$work"
bad=0
n=0
for page in "$work"/*.3; do
    header=$top/include/waggle/$(basename "$page" .3 | sed 's/^waggle_//').h
    [ -f "$header" ] || header=$top/include/waggle/instrument/$(basename "$header")
    for name in $(grep -oE '^[A-Za-z].*\bwaggle_[a-z0-9_]+\(' "$header" | grep -oE 'waggle_[a-z0-9_]+\($' | tr -d '(' | grep -v __ | sort -u); do
        n=$((n + 1))
        grep -q "$name" "$page" || { echo "$(basename "$page"): no $name"; bad=1; }
    done
done
if command -v groff >/dev/null; then
    for page in "$work"/*.3 "$top"/man/*; do
        complaints=$(groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null | grep -v 'adjust line\|break line' || true)
        [ -z "$complaints" ] || { echo "$complaints"; bad=1; }
    done
fi
echo "$n functions"
[ "$n" -gt 100 ] && [ "$bad" = 0 ]
