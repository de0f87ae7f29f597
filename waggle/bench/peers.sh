#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# peers.sh WAGGLE_BENCH WORKDIR [SPANS] - waggle and opentelemetry-cpp beside each other, in one run. The
# packages come from the backports suite of the mirror that apt uses here and are unpacked into WORKDIR: nothing
# is installed. Says so and ends well where they cannot be had.
set -euo pipefail
bench=$1
work=$2
spans=${3:-200000}
here=$(cd "$(dirname "$0")" && pwd)
package=opentelemetry-cpp-dev
prefix=$work/otel-cpp
mkdir -p "$work"

unpack() {
    local mirror suite state=$work/apt
    # shellcheck disable=SC2016  # apt's own variables
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
        awk '$3 == "main" && $2 !~ /-/ { print $1; exit }')
    suite=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    [ -n "$mirror" ] || return 1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/sources"
    printf 'deb %s %s main\ndeb %s %s-backports main\n' "$mirror" "$suite" "$mirror" "$suite" > "$state/sources/peer.list"
    local options=(-q -y -o "Dir::State=$state" -o "Dir::State::lists=$state/lists" -o Dir::State::status=/var/lib/dpkg/status
        -o "Dir::Cache=$state/cache" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$state/sources"
        -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >"$state/log" 2>&1 || return 1
    apt-get "${options[@]}" --download-only --no-install-recommends -t "$suite-backports" install "$package" >>"$state/log" 2>&1 || return 1
    mkdir -p "$prefix"
    for deb in "$state"/cache/archives/*.deb; do dpkg -x "$deb" "$prefix" || return 1; done
}

if ! command -v g++ >/dev/null || ! command -v apt-get >/dev/null; then
    echo "opentelemetry-cpp is left out: no g++ or no apt-get here"
    exit 0
fi
[ -d "$prefix/usr/include/opentelemetry" ] || unpack || {
    echo "opentelemetry-cpp is left out: $package cannot be had ($work/apt/log)"
    exit 0
}
libraries=$(dirname "$(find "$prefix/usr/lib" -name libopentelemetry_trace.so | head -n 1)")
program=$work/bench_otel_cpp
if [ "$here/otel_cpp.cc" -nt "$program" ]; then
    g++ -std=c++17 -O2 -Wall -I"$prefix/usr/include" "$here/otel_cpp.cc" -o "$program" -L"$libraries" \
        -Wl,-rpath-link,"$libraries" -lopentelemetry_trace -lopentelemetry_exporter_otlp_http -lopentelemetry_resources \
        -lopentelemetry_common -lpthread
fi
LD_LIBRARY_PATH=$libraries "$program" "$spans"
"$bench" "$spans"
