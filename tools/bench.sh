#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# bench.sh - every benchmark on the same generated spans, with the machine and the commit in front
#
# BENCH_SPANS (default 1000000; ten million take 5 GB) is how many. The data and the stores made of
# it stay under build/release/bench until `make clean`, the stores are removed. BENCH_LOGS (default
# 1000000; ten million take 2.2 GB, 0 leaves them out) is how many log lines there are. BENCH_PEERS=no
# leaves out DuckDB and ClickHouse (npm packages of 600 MB, installed by this script alone) and, for waggle,
# opentelemetry-cpp (unpacked under build/release/bench).
set -euo pipefail
cd "$(dirname "$0")/.."

spans=${BENCH_SPANS:-1000000}
bin=build/release/bin
work=build/release/bench
file=$work/spans-$spans.bin
logs=${BENCH_LOGS:-1000000}
lines=$work/logs-$logs.bin

cmake --build build/release -j 2 -- --quiet
mkdir -p "$work"
[ -f "$file" ] || "$bin/gen" "$spans" "$file"
echo "commit $(git describe --always --dirty), $(nproc) cores, $(uname -srm)"
grep -m 1 'model name' /proc/cpuinfo || true

trap 'rm -rf "$work/append" "$work/segments"' EXIT
rm -rf "$work/append" "$work/segments"
mkdir -p "$work/append" "$work/segments"
echo "== decode: the bare walk of the protobuf, into batches, into frames"
"$bin/bench_decode" "$file"
echo "== append: encode, log, fold"
"$bin/bench_append" "$file" "$work/append"
echo "== segments: flush, merge, bytes, scans, traces"
"$bin/bench_segment" "$file" "$work/segments"
echo "== questions over the merged segment"
"$bin/bench_query" -n 7 "$work/segments/merged"
echo "== the errors inbox: new items, lists, words"
"$bin/bench_items" 20000 "$work/append/items.db"
if [ "$logs" != 0 ]; then
    [ -f "$lines" ] || "$bin/gen_logs" "$logs" "$lines"
    echo "== log lines: bytes against the text, needles, pages of a stream"
    rm -f "$work/segments"/*
    "$bin/bench_logs" "$lines" "$work/segments"
    echo "== log lines over HTTP: taken durably, searched, beside grep"
    node tests/bench/lines.mjs "$logs"
fi
echo "== the server from outside"
node tests/bench/run.mjs "$spans"
if [ "${BENCH_PEERS:-yes}" != no ]; then
    echo "== DuckDB and ClickHouse on the same data"
    tools/node-packages.sh tests/bench/peers
    node tests/bench/peers/peers.mjs
    if [ "$logs" != 0 ]; then node tests/bench/peers/lines.mjs; fi
    echo "== waggle and opentelemetry-cpp, a span"
    cmake -S waggle -B "$work/waggle" -DCMAKE_BUILD_TYPE=Release -DWAGGLE_TESTS=OFF -DWAGGLE_EXAMPLES=OFF -DWAGGLE_INSTRUMENT=OFF >/dev/null
    cmake --build "$work/waggle" --target waggle_bench -j 2 >/dev/null
    waggle/bench/peers.sh "$work/waggle/bench/waggle_bench" "$work/peers"
fi
