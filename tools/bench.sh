#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh - builds and runs every benchmark (programs bench_* of tests/bench), with the machine and
# the commit in front of the figures
set -euo pipefail
cd "$(dirname "$0")/.."

cmake --build build/release -j 2
echo "commit $(git describe --always --dirty), $(nproc) cores, $(uname -srm)"
grep -m 1 'model name' /proc/cpuinfo || true
found=""
for bench in build/release/bin/bench_*; do
    [ -x "$bench" ] || continue
    found=yes
    echo "== ${bench##*/}"
    "$bench"
done
if [ -x tests/bench/run.sh ]; then
    found=yes
    tests/bench/run.sh
fi
[ -n "$found" ] || echo "no benchmark is built"
