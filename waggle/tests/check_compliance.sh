#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check_compliance.sh - each "yes" of COMPLIANCE.md names a test that is there, and registered in its file
set -euo pipefail
cd "$(dirname "$0")"
rows=0
bad=0
while IFS='|' read -r _ row state test _; do
    state=$(sed 's/^ *//; s/ *$//' <<<"$state")
    test=$(sed 's/^ *//; s/ *$//' <<<"$test")
    [ "$state" = yes ] || { [ -z "$test" ] || [ "$state" = state ] || [[ "$state" = ---* ]] || { echo "$row: a test, but not yes"; bad=1; }; continue; }
    rows=$((rows + 1))
    file=${test%%: *}
    name=${test#*: }
    case $file in
    *.mjs) path=../../tests/e2e/$file; [ -e "$path" ] || continue ;; # not part of a stand-alone copy
    examples/*) path=../$file ;;
    *) path=$file ;;
    esac
    if ! grep -qF -- "$name" "$path"; then
        echo "$row: no \"$name\" in $file"
        bad=1
    elif [[ $file = *.c ]] && ! grep -qE "(T|cmocka_unit_test)\($name\)" "$path"; then
        echo "$row: $name is not registered in $file"
        bad=1
    fi
done < <(grep '^|' ../COMPLIANCE.md)
echo "$rows rows say yes"
[ "$rows" -gt 50 ] && [ "$bad" = 0 ]
