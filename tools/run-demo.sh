#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run-demo.sh - skep on 127.0.0.1 with its data in data/, and Cruddur: its API, its page, a few visitors
#
# Everything Cruddur tells goes to skep, to an environment of its own ("demo"): spans, X-Ray segments,
# Rollbar items, log lines. Ends all, Cruddur first, on Ctrl-C or TERM.
#
#   SKEP_PORT          another port than 4318 (gRPC then takes the one below)
#   SKEP_XRAY_PORT     another one than 2000
#   CRUDDUR_PORT       another one than 4567;  CRUDDUR_PAGE_PORT  than 3000
#   SKEP_DATA          another folder;  SKEP_BUILD_DIR  another one than build/release
#   SKEP_DEMO=no       skep alone
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

programs=${SKEP_BUILD_DIR:-build/release}
port=${SKEP_PORT:-4318}
xray_port=${SKEP_XRAY_PORT:-2000}
api_port=${CRUDDUR_PORT:-4567}
page_port=${CRUDDUR_PAGE_PORT:-3000}
listen=() # by default skep takes 4318 and 4317 on both loopback addresses
if [ -n "${SKEP_PORT:-}" ]; then
    listen=(--listen "127.0.0.1:$port" --grpc "127.0.0.1:$((port - 1))")
fi
data=${SKEP_DATA:-data}
url=http://127.0.0.1:$port
pids=()
names=()

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

# The last one started ends first, skep last: it hears all of the others.
finish() {
    local i
    trap '' INT TERM
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do end_process "${pids[i]}"; done
}
trap finish EXIT
trap 'echo; echo "demo: ending"; exit 0' INT TERM

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# want PORT VARIABLE: the port must be free.
want() {
    is_open "$1" || return 0
    echo "demo: port $1 is taken by another program (does a demo run already?)." >&2
    echo "      End it, or choose another port:  $2=$(($1 < 50000 ? $1 + 10000 : $1 - 10000)) make run" >&2
    exit 1
}

# start NAME COMMAND...: in the background, ended with the rest.
start() {
    names+=("$1")
    shift
    # Of a session of its own: a Ctrl-C would reach all at once, and skep end before Cruddur has told it all.
    setsid "$@" &
    pids+=($!)
}

# await NAME PORT: until the process started last listens.
await() {
    local pid=${pids[-1]} i
    for ((i = 0; i < 200; i++)); do
        if is_open "$2"; then return 0; fi
        if ! kill -0 "$pid" 2>/dev/null; then
            wait "$pid"
            echo "demo: $1 ended with code $? before it listened (its message is above)" >&2
            exit 1
        fi
        sleep 0.1
    done
    echo "demo: $1 does not listen on port $2 after 20 s" >&2
    exit 1
}

# Sets the variables with which Cruddur reaches its environment: a key of it, made once a data folder.
# They stand in a file, so that a terminal can speak for the same environment:  . data/cruddur.env
keys_of_demo() {
    local file=$data/cruddur.env lines
    if [ ! -f "$file" ]; then
        "$programs/skep" env list --data "$data" | grep -qw demo || "$programs/skep" env create demo --data "$data" >/dev/null || exit 1
        lines=$("$programs/skep" key create --data "$data" --env demo --name cruddur --rights ingest --url "$url") || exit 1
        (
            umask 077
            printf '%s\n' "$lines" | sed -n \
                -e 's/^ *\(export SKEP_KEY=.*\)/\1/p' \
                -e 's/^ *\(export OTEL_EXPORTER_OTLP_HEADERS=.*\)/\1/p' \
                -e 's/^ *\(export AWS_ACCESS_KEY_ID=.*\)/\1/p' \
                -e 's/^ *\(export AWS_SECRET_ACCESS_KEY=.*\)/\1/p' \
                -e 's/^ *Python  rollbar.init("\([0-9a-f]*\)".*/export ROLLBAR_ACCESS_TOKEN=\1/p' >"$file"
            printf 'export SKEP_URL=%s AWS_DEFAULT_REGION=ca-central-1\n' "$url" >>"$file"
        )
    fi
    # shellcheck source=/dev/null
    . "$file"
}

start_cruddur() {
    start cruddur env -u OTEL_SDK_DISABLED \
        OTEL_SERVICE_NAME=backend-flask OTEL_RESOURCE_ATTRIBUTES=deployment.environment.name=production OTEL_EXPORTER_OTLP_ENDPOINT="$url" \
        AWS_XRAY_DAEMON_ADDRESS="127.0.0.1:$xray_port" AWS_ENDPOINT_URL_CLOUDWATCH_LOGS="$url" ROLLBAR_ENDPOINT="$url/api/1/" \
        "$programs/bin/cruddur" --trouble --quiet --database "$data/cruddur.db" --port "$api_port" \
        --page "$programs/sub/cruddur/page/dist" --page-port "$page_port" --page-otlp "$url" --page-headers "$OTEL_EXPORTER_OTLP_HEADERS"
    await Cruddur "$api_port"
    # A slow spell after a minute, an error spell after three.
    start visitors "$programs/bin/cruddur-visitors" --url "http://127.0.0.1:$api_port" --people 6 --rate 6 --slow 60-150 --errors 180-210
}

want "$port" SKEP_PORT
if [ "${SKEP_DEMO:-yes}" != no ]; then
    want "$xray_port" SKEP_XRAY_PORT
    want "$api_port" CRUDDUR_PORT
    want "$page_port" CRUDDUR_PAGE_PORT
fi
mkdir -p "$data"
# Before skep begins: a key made beside it would be unknown for its first second.
if [ "${SKEP_DEMO:-yes}" != no ]; then keys_of_demo; fi
start skep "$programs/skep" serve --data "$data" "${listen[@]}" --xray "127.0.0.1:$xray_port" --xray-environment "$([ "${SKEP_DEMO:-yes}" = no ] && echo default || echo demo)"
await skep "$port"

if [ "${SKEP_DEMO:-yes}" != no ]; then
    start_cruddur
    cat <<END

  skep:            $url/ui/home?env=demo   (what Cruddur tells; your own data goes to "default")
  Cruddur:         http://localhost:$page_port/   (its page; post something)
  Its API:         http://127.0.0.1:$api_port/api/activities/home

  Look first at    the heatmap on skep's home: after a minute some requests are slow. Draw a box around them and
                   choose "What is different here"; click a cell and follow a trace down to the SQL statement.
  The tour:        docs/tour.md
  A slow spell:    kill -USR1 ${pids[-1]}     an error spell: kill -USR2 ${pids[-1]}     (again to end it)
END
fi
cat <<END

  Your own data:   export OTEL_EXPORTER_OTLP_ENDPOINT=$url
                   and start any program that has an OpenTelemetry SDK
  The page:        $url/
  Kept in:         $data/   (remove the folder to begin anew)
  Ctrl-C ends all.

END

while kill -0 "${pids[0]}" 2>/dev/null; do
    for i in "${!pids[@]}"; do
        if [ "$i" -eq 0 ] || [ -z "${names[i]}" ] || kill -0 "${pids[i]}" 2>/dev/null; then continue; fi
        wait "${pids[i]}"
        echo "demo: ${names[i]} ended with code $?; the rest goes on" >&2
        names[i]=""
    done
    # A background sleep, so that a signal is handled at once.
    sleep 1 &
    wait $!
done
wait "${pids[0]}"
echo "demo: the server ended with code $?" >&2
exit 1
