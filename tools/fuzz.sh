#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fuzz.sh SECONDS [TARGET...] - builds the fuzz preset and runs each target (default: all) for so long
#
# New inputs go to build/fuzz/corpus/TARGET, crashes to build/fuzz/found/. A crash becomes a named
# file of the target's corpus under tests/fuzz/corpus/, with the mending commit.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: tools/fuzz.sh SECONDS [TARGET...]}
shift
cmake --preset fuzz >/dev/null
cmake --build build/fuzz -j 2
mkdir -p build/fuzz/found
if [ $# -eq 0 ]; then
    mapfile -t targets < <(find build/fuzz/fuzz -name '*.corpus' -printf '%f\n' | sort)
    set -- "${targets[@]%.corpus}"
fi
for target in "$@"; do
    mkdir -p "build/fuzz/corpus/$target"
    echo "== $target, $seconds s"
    "build/fuzz/fuzz/$target" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=512 \
        -timeout=10 -print_final_stats=1 -artifact_prefix="build/fuzz/found/$target-" \
        "build/fuzz/corpus/$target" "$(cat "build/fuzz/fuzz/$target.corpus")" 2>&1 |
        grep -vE '^#[0-9]+.*(NEW|REDUCE|RELOAD|pulse)' || exit 1
done
