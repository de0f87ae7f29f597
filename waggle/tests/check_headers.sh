#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check_headers.sh CC CXX - each public header compiles alone, in every language it is meant for; an empty
# CXX leaves C++ out
set -euo pipefail
cc=$1
cxx=${2:-}
top=$(cd "$(dirname "$0")/.." && pwd)
flags="-fsyntax-only -pedantic-errors -Wall -Wextra -Werror -I$top/include"
use='int f(void); int f(void) { waggle_span s = WAGGLE_SPAN_NONE; waggle_span_set(s, WAGGLE_ATTRS(waggle_kv_str("a", "b"), waggle_kv_i64("n", 1))); WAGGLE_SPAN_SCOPE(s); return waggle_span_is_recording(s); }'
for header in "$top"/include/waggle/*.h; do
    for std in c99 c11 c17; do
        printf '#include <waggle/%s>\nextern int unused;\n' "$(basename "$header")" | $cc -std=$std $flags -xc -
    done
    for std in c++11 c++17; do
        [ -z "$cxx" ] || printf '#include <waggle/%s>\nextern int unused;\n' "$(basename "$header")" | $cxx -std=$std $flags -xc++ -
    done
done
for std in c99 c11 c17; do printf '#include <waggle/waggle.h>\n%s\n' "$use" | $cc -std=$std $flags -xc -; done
for std in c++11 c++17; do
    [ -z "$cxx" ] || printf '#include <waggle/waggle.h>\n%s\n' "$use" | $cxx -std=$std $flags -xc++ -
done
