#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# keys.sh - makes the environment "bootcamp" in skep's volume, a key of it, and .env with the
# course's names for what it holds
#
# SKEP says how skep is called: by default in its container. The data folder's name is SKEP_DIR.
set -euo pipefail
cd "$(dirname "$0")"

skep=${SKEP:-docker compose run --rm --no-deps skep}
dir=${SKEP_DIR:-/var/lib/skep}
out=${ENV_FILE:-.env}

if [ -f "$out" ]; then
    echo "keys: $out is there already; remove it for new keys" >&2
    exit 1
fi
# compose.yml asks for these; while they are made anything will do.
export HONEYCOMB_API_KEY=none AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none ROLLBAR_ACCESS_TOKEN=none
# $skep is a command with its arguments.
# shellcheck disable=SC2086
$skep env create bootcamp --data "$dir" >/dev/null || echo "keys: the environment bootcamp is there already" >&2
# shellcheck disable=SC2086
lines=$($skep key create --data "$dir" --env bootcamp --name cruddur --rights ingest)
umask 077
printf '%s\n' "$lines" | tr -d '\r' | sed -n \
    -e 's/^ *export \(HONEYCOMB_API_KEY=.*\)/\1/p' \
    -e 's/^ *export \(AWS_ACCESS_KEY_ID=.*\)/\1/p' \
    -e 's/^ *export \(AWS_SECRET_ACCESS_KEY=.*\)/\1/p' \
    -e 's/^ *Python  rollbar.init("\([0-9a-f]*\)".*/ROLLBAR_ACCESS_TOKEN=\1/p' >"$out"
echo "keys: $out is made. To log in to skep's page:"
# shellcheck disable=SC2086
$skep user link --data "$dir" || true
