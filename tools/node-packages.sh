#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# node-packages.sh FOLDER... - installs each folder's Node.js packages exactly as its lock file says
#
# A folder whose lock file has not changed since its last installation is left alone, so that this
# costs nothing in the usual case and needs no network then. (The page itself is bundled by the
# build, see ui/CMakeLists.txt; this is for its tests and for the demo.)
set -euo pipefail
cd "$(dirname "$0")/.."

for folder in "$@"; do
    lock=$folder/package-lock.json
    stamp=$folder/node_modules/.skep-lock
    [ -f "$lock" ] || continue
    if [ -f "$stamp" ] && cmp -s "$lock" "$stamp"; then continue; fi
    echo "packages: npm ci in $folder"
    if ! output=$(cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --prefer-offline \
        --no-audit --no-fund --loglevel=error </dev/null 2>&1); then
        printf '%s\n' "$output" >&2
        echo "packages: npm ci in $folder failed (above)" >&2
        exit 1
    fi
    cp "$lock" "$stamp"
done
