#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test.sh - everything `make test` and CI run, stage by stage, each with its duration
#
#   setup    packages (tools/setup-debian.sh build test)
#   packages npm ci for the page's tests and the real clients
#   lint     clang-format, headers alone, shell syntax
#   release  gcc build, all tests
#   asan     gcc build with address + undefined sanitizers: unit, fuzz regression, fault tests
#   tsan     clang build with the thread sanitizer: unit tests
#   ui       the page and Cruddur's: type check (their tests are among the release tests)
#
# The packages come from the network while the release is built. While the release tests run, many of
# which only wait, the sanitizers' programs are built on the side, at the lowest priority. The stages
# packages, asan-build and tsan-build only wait for what is left of it.
#
# Two cores are busy from the first build to the last test, so what counts is the CPU a stage takes. Of
# 2026-11-30, on two vCPUs of an EPYC that others shared, nothing cached: the builds asan 254 s and tsan
# 187 s (before a fifth of their compilations went), the tests of asan 305 s, now about 190 s.
#
# A failed stage does not stop the later ones that do not need it. The last line of the output is
# "N passed, N failed"; the exit code is 0 only if nothing failed. SKEP_STAGES="lint release" runs
# only those.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

jobs=$(nproc 2>/dev/null || echo 2)
passed=0
failed=0
summary=""
log=$(mktemp)
side=$(mktemp -d) # what is built on the side: a log and a verdict for each preset
side_group=""
fetch_group=""
trap 'for group in $side_group $fetch_group; do kill -- "-$group" 2>/dev/null; done; rm -rf "$log" "$side"' EXIT
trap 'exit 130' INT TERM HUP

# clang 14's sanitizers cannot place their shadow under high-entropy address randomisation.
no_aslr=""
if [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -gt 28 ] &&
    setarch "$(uname -m)" -R true 2>/dev/null; then
    no_aslr="setarch $(uname -m) -R"
fi

# Adds the counts that a stage's output names: ctest's, Playwright's or node --test's summary lines.
# Prints "passed failed"; nothing if the output names none.
counts_of() {
    awk '
        /tests passed, [0-9]+ tests failed out of [0-9]+/ {
            for (i = 1; i <= NF; i++) if ($i == "failed") bad = $(i - 2)
            ok = $NF - bad; seen = 1
        }
        /^ +[0-9]+ passed/ { ok = $1; seen = 1 }
        /^ +[0-9]+ failed/ { bad = $1; seen = 1 }
        /^[^ ]+ pass [0-9]+$/ { ok += $3; seen = 1 }
        /^[^ ]+ fail [0-9]+$/ { bad += $3; seen = 1 }
        END { if (seen) print ok + 0, bad + 0 }' "$1"
}

# Whether SKEP_STAGES wants the stage.
wanted() {
    if [ -z "${SKEP_STAGES:-}" ]; then return 0; fi
    case " $SKEP_STAGES " in *" ${1%%-*} "*) return 0 ;; *) return 1 ;; esac
}

# stage NAME COMMAND...: runs it, prints its duration, adds what it counted. A command that counts
# nothing adds nothing when it works and one failure when it does not. Returns its verdict.
stage() {
    local name=$1 start end verdict=0 ok=0 bad=0 counts
    shift
    wanted "$name" || return 0
    echo "== $name"
    start=$(date +%s)
    "$@" 2>&1 | tee "$log"
    verdict=${PIPESTATUS[0]}
    end=$(date +%s)
    counts=$(counts_of "$log")
    if [ -n "$counts" ]; then read -r ok bad <<<"$counts"; fi
    if [ "$verdict" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    passed=$((passed + ok))
    failed=$((failed + bad))
    summary+=$(printf '%-16s %4d s  %5d passed %4d failed' "$name" $((end - start)) "$ok" "$bad")$'\n'
    echo "== $name: $((end - start)) s, $ok passed, $bad failed"
    return "$verdict"
}

build() {
    cmake --preset "$1" -DSKEP_STRICT=ON -DSKEP_TESTS=ON >"$side/$1.cmake" 2>&1 || {
        cat "$side/$1.cmake"
        return 1
    }
    cmake --build "build/$1" -j "$jobs" -- -k 0 --quiet
}

# Builds the presets, one after the other, at the lowest priority (also of the session, where the
# kernel shares by sessions).
beside() {
    local preset
    renice -n 19 -p $$ >/dev/null 2>&1
    echo 19 2>/dev/null >/proc/self/autogroup
    for preset in "$@"; do
        build "$preset" >"$side/$preset.log" 2>&1
        echo $? >"$side/$preset"
    done
}

# The same beside what follows, of the presets that are wanted. They have a session of their own, by
# which the trap above ends them.
build_beside() {
    local preset presets=()
    for preset in "$@"; do
        if wanted "$preset-build"; then presets+=("$preset"); fi
    done
    if [ ${#presets[@]} -eq 0 ]; then return; fi
    export side jobs
    export -f beside build
    setsid bash -c 'beside "$@"' beside "${presets[@]}" </dev/null >/dev/null 2>&1 &
    side_group=$!
}

# Installs the folders' packages beside what follows.
fetch_beside() {
    if ! wanted packages; then return; fi
    export side
    setsid bash -c 'tools/node-packages.sh "$@" >"$side/packages.log" 2>&1; echo $? >"$side/packages"' \
        fetch "$@" </dev/null >/dev/null 2>&1 &
    fetch_group=$!
}

# done_beside WHAT GROUP: waits for what the group does beside, a preset's build or the packages.
done_beside() {
    local what=$1 group=$2
    until [ -s "$side/$what" ]; do
        kill -0 "$group" 2>/dev/null || [ -s "$side/$what" ] || {
            echo "$what ended without a verdict"
            return 1
        }
        sleep 0.5
    done
    cat "$side/$what.log"
    return "$(cat "$side/$what")"
}

run_ctest() {
    local preset=$1
    shift
    ${no_aslr:-} ctest --test-dir "build/$preset" -j "$jobs" --output-on-failure \
        --no-tests=error "$@" </dev/null
}

ui_types() {
    npm --prefix ui run --silent check </dev/null && npm --prefix cruddur/page run --silent check </dev/null
}

stage setup tools/setup-debian.sh build test || exit 1
mapfile -t locks < <(git ls-files '*package-lock.json' ':!tests/bench') # the peers are for make bench alone
fetch_beside "${locks[@]%/package-lock.json}"
stage lint tools/lint.sh quick
stage release-build build release
release=$?
stage packages done_beside packages "$fetch_group"
build_beside asan tsan
if [ $release -eq 0 ]; then jobs=$((jobs + 2)) stage release-tests run_ctest release -LE bench; fi
stage asan-build done_beside asan "$side_group" && stage asan-tests run_ctest asan -L 'unit|fuzz|fault'
stage tsan-build done_beside tsan "$side_group" && stage tsan-tests run_ctest tsan -L unit
stage ui ui_types

printf '\n%s' "$summary"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
