#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# lint.sh quick|full - clang-format over every C file of the repository, each header of src/ compiled
# alone, shell syntax; `full` adds clang-tidy over the compile commands and
# the shell linter. (The house rules are tools/tidy, a test.)
set -euo pipefail
cd "$(dirname "$0")/.."

mode=${1:-quick}
mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t sh_files < <(git ls-files '*.sh' .ci/run)

# Another version of clang-format means another layout; version 14 (Debian 12's) is the measure.
if clang-format --version | grep -q 'version 14\.'; then
    printf '%s\0' "${c_files[@]}" | xargs -0 -P "$(nproc)" -n 100 clang-format --dry-run -Werror
else
    echo "lint: layout not checked, it takes clang-format 14"
fi
git ls-files 'src/*.h' | xargs -r -P "$(nproc)" -I{} \
    gcc -std=gnu17 -D_GNU_SOURCE -Isrc -fsyntax-only -Wall -Wextra -Werror -include {} -xc /dev/null
for file in "${sh_files[@]}"; do bash -n "$file"; done
[ "$mode" = full ] || exit 0

shellcheck -x -S warning "${sh_files[@]}"
# A build folder of clang's own, so that it sees no flag that only gcc knows; nothing is compiled.
cmake -G Ninja -S . -B build/lint -DCMAKE_C_COMPILER=clang >/dev/null
git ls-files 'src/*.c' 'tools/*.c' ':!tools/*/tests/*' |
    xargs -r -P 2 -n 4 clang-tidy -p build/lint --quiet
