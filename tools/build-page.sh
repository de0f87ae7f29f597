#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# build-page.sh - installs what the Node.js folders need (by their lock files) and builds the page
#
# A folder whose lock file has not changed since its last installation is left alone, so that this
# costs nothing in the usual case and needs no network then.
set -euo pipefail
cd "$(dirname "$0")/.."

# Installs the packages of folder $1 exactly as its lock file says.
install_by_lock() {
    local folder=$1 stamp=$1/node_modules/.skep-lock log
    [ -f "$folder/package-lock.json" ] || return 0
    if [ -f "$stamp" ] && cmp -s "$folder/package-lock.json" "$stamp"; then return 0; fi
    log=$(mktemp)
    echo "page: npm ci in $folder"
    if ! (cd "$folder" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund \
        </dev/null) >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        echo "page: npm ci in $folder failed (above)" >&2
        return 1
    fi
    rm -f "$log"
    cp "$folder/package-lock.json" "$stamp"
}

# True if ui/dist is missing or older than any of its sources.
page_is_stale() {
    [ -d ui/dist ] || return 0
    [ -n "$(find ui -path ui/node_modules -prune -o -path ui/dist -prune -o \
        -path ui/tests -prune -o -type f -newer ui/dist -print -quit)" ]
}

install_by_lock tests/clients/node
install_by_lock ui
if [ -f ui/package.json ] && page_is_stale; then
    echo "page: building ui/dist"
    npm --prefix ui run --silent build </dev/null
    touch ui/dist
fi
