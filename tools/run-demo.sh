#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run-demo.sh - the built server on 127.0.0.1 with its data in data/, and the demo shop sending to it
#
# Ends both, the shop first, on Ctrl-C or TERM. SKEP_PORT chooses another port than 4318 (gRPC then
# takes the one below), SKEP_DATA another folder, SKEP_DEMO=no leaves the shop out.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

port=${SKEP_PORT:-4318}
listen=() # by default skep takes 4318 and 4317 on both loopback addresses
if [ -n "${SKEP_PORT:-}" ]; then
    listen=(--listen "127.0.0.1:$port" --grpc "127.0.0.1:$((port - 1))")
fi
data=${SKEP_DATA:-data}
url=http://127.0.0.1:$port
server=""
shop=""

# Sends TERM to process $1 and waits for it; after 10 s it is killed.
end_process() {
    local pid=$1 i
    kill -TERM "$pid" 2>/dev/null || return 0
    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

finish() {
    trap '' INT TERM
    if [ -n "$shop" ]; then end_process "$shop"; fi
    if [ -n "$server" ]; then end_process "$server"; fi
}
trap finish EXIT
trap 'echo; echo "demo: ending"; exit 0' INT TERM

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

if is_open; then
    echo "demo: port $port is taken by another program (is skep already running at $url ?)." >&2
    echo "      End it, or choose another port:  SKEP_PORT=14318 make run" >&2
    exit 1
fi

mkdir -p "$data"
# The shop reports to an environment of its own: what the newcomer sends is not mixed with it.
if [ "${SKEP_DEMO:-yes}" != no ]; then
    build/release/skep env list --data "$data" | grep -qw demo || build/release/skep env create demo --data "$data" >/dev/null
fi
build/release/skep serve --data "$data" "${listen[@]}" &
server=$!
for ((i = 0; i < 200; i++)); do
    if is_open; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then
        wait "$server"
        echo "demo: the server ended with code $? before it listened (its message is above)" >&2
        server=""
        exit 1
    fi
    sleep 0.1
done
if ! is_open; then
    echo "demo: the server does not listen on port $port after 20 s" >&2
    exit 1
fi

if [ "${SKEP_DEMO:-yes}" != no ]; then
    OTEL_EXPORTER_OTLP_ENDPOINT=$url OTEL_EXPORTER_OTLP_HEADERS=x-skep-environment=demo node tests/clients/node/shop.mjs &
    shop=$!
fi

cat <<END

  The page:        $url/   (the demo shop's environment is "demo", your own "default")
  Your own data:   export OTEL_EXPORTER_OTLP_ENDPOINT=$url
                   and start any program that has an OpenTelemetry SDK
  Kept in:         $data/   (remove the folder to begin anew)
  Ctrl-C ends the server and the demo shop.

END

while kill -0 "$server" 2>/dev/null; do
    if [ -n "$shop" ] && ! kill -0 "$shop" 2>/dev/null; then
        wait "$shop"
        echo "demo: the demo shop ended with code $?; the server goes on" >&2
        shop=""
    fi
    # A background sleep, so that a signal is handled at once.
    sleep 1 &
    wait $!
done
wait "$server"
code=$?
server=""
echo "demo: the server ended with code $code" >&2
exit 1
