#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The server measured from outside on one million spans; BENCH_SPANS=10000000 for ten (5 GB of bodies).
set -euo pipefail
cd "$(dirname "$0")/../.."
exec node tests/bench/run.mjs "${BENCH_SPANS:-1000000}"
