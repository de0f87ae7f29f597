#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# setup-debian.sh - installs what building (and testing) skep needs on Debian 12 and 13
#
#   tools/setup-debian.sh [--missing] GROUP...      GROUP: build | test | lint
#
#   build   what `make run` needs: compiler, CMake, libraries, Node.js for the page
#   test    what `make test` needs on top: cmocka, clang with its sanitizers, Chromium
#   lint    what `make lint` needs on top: clang-tidy, shellcheck
#   --missing  only names what is missing, one package a line
#
# Installs missing packages only, says which before it does, and is silent when nothing is missing.
# It removes nothing. An installed package moves only when a missing one demands it in exactly the
# version that the machine's own mirror holds now (libfoo-dev demands libfoo0 of its own version);
# these are named too, and SKEP_SETUP_UPGRADE=no refuses them.
#
# Debian 12 has no libyyjson-dev, and an AWS X-Ray SDK for Python of 2017. These then come from a
# later suite of the same mirror (LATER): a source copied from the machine's own one, in a temporary
# folder that only these apt calls look at, pinned so that nothing but the packages named there can
# come from it. /etc/apt is never touched.

# Lists of names are split into words on purpose; apt-config's eval sets what is read after it.
# shellcheck disable=SC2086,SC2207,SC2154
set -euo pipefail

BUILD_PACKAGES="gcc libc6-dev make cmake ninja-build pkg-config ca-certificates
  libmicrohttpd-dev libnghttp2-dev libzstd-dev liblz4-dev libdeflate-dev libyyjson-dev
  libxxhash-dev libsqlite3-dev libpcre2-dev libsodium-dev libgnutls28-dev libdw-dev libseccomp-dev
  libcurl4-openssl-dev|libcurl4-gnutls-dev"
TEST_PACKAGES="zlib1g-dev libpq-dev libhiredis-dev libcmocka-dev clang libclang-rt-dev clang-format python3 curl procps
  git chromium fonts-dejavu-core python3-boto3 awscli
  python3-aws-xray-sdk>=2 python3-flask python3-requests"
LINT_PACKAGES="clang-format clang-tidy shellcheck"
NODE_MAJOR_MIN=18
# The suite that has what Debian 12 has not, or too old, and what that needs of its own suite.
LATER="trixie: libyyjson0 libyyjson-dev
forky: python3-aws-xray-sdk"

tmp=""
cleanup() { if [ -n "$tmp" ]; then rm -rf -- "$tmp"; fi; }
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# Whether version $1 meets the demand $2 ("" = any).
meets() {
    if [ -z "$2" ]; then return 0; fi
    dpkg --compare-versions "$1" ge "$2"
}

# Those of the words given ("a|b" is met by either, "a>=2" by a version) that are not installed; of
# "a|b" it names a.
missing_of() {
    local have word option name version demand
    local words=$* # split again below, with the alternatives apart
    words=$(printf '%s' "${words//|/ }" | sed 's/>=[^ ]*//g')
    have=" $(dpkg-query -W -f='${Package}:${db:Status-Status}:${Version} ' $words 2>/dev/null || true)"
    for word in "$@"; do
        for option in ${word//|/ }; do
            name=${option%%>=*} demand=${option#"$name"}
            case "$have" in *" $name:installed:"*) ;; *) continue ;; esac
            version=${have#*" $name:installed:"}
            if meets "${version%% *}" "${demand#>=}"; then continue 2; fi
        done
        printf '%s\n' "${word%%|*}"
    done
}

missing_node() {
    local version
    version=$(node --version 2>/dev/null || true)
    version=${version#v}
    if ! [ "${version%%.*}" -ge $NODE_MAJOR_MIN ] 2>/dev/null; then printf 'nodejs\n'; fi
    if ! command -v npm >/dev/null 2>&1; then printf 'npm\n'; fi
}

# Prints `file`'s first source that offers main of suite $2, rewritten for suite $3.
# deb822 (*.sources): all fields but the three are kept as they stand, Signed-By above all.
source_deb822() {
    awk -v now="$2" -v next_suite="$3" '
        function flush() {
            if (!found && types ~ / deb / && components ~ / main / && !disabled &&
                (suites ~ (" " now " ") || suites ~ / (stable|oldstable) /)) {
                printf "Types: deb\nSuites: %s\nComponents: main\n%s", next_suite, rest
                found = 1
            }
            types = suites = components = " "; rest = ""; field = ""; disabled = 0
        }
        BEGIN { flush() }
        /^#/ { next }
        /^[ \t]*$/ { flush(); next }
        {
            value = $0
            if ($0 !~ /^[ \t]/) {
                field = tolower(substr($0, 1, index($0, ":") - 1))
                value = substr($0, index($0, ":") + 1)
            }
            words = value; gsub(/[ \t]+/, " ", words); words = words " "
            if (field == "types") types = types words
            else if (field == "suites") suites = suites words
            else if (field == "components") components = components words
            else if (field == "enabled") disabled = (words ~ / no /)
            else rest = rest $0 "\n"
        }
        END { flush(); exit !found }' "$1"
}

# The same for a one-line source list; its [options] are kept.
source_one_line() {
    awk -v now="$2" -v next_suite="$3" '
        /^[ \t]*deb[ \t]/ && !found {
            line = $0
            sub(/#.*/, "", line)
            sub(/^[ \t]*deb[ \t]+/, "", line)
            options = ""
            if (match(line, /^\[[^]]*\][ \t]*/)) {
                options = substr(line, 1, RLENGTH)
                line = substr(line, RLENGTH + 1)
            }
            n = split(line, word, /[ \t]+/)
            main = 0
            for (i = 3; i <= n; i++) if (word[i] == "main") main = 1
            if (main && (word[2] == now || word[2] == "stable" || word[2] == "oldstable")) {
                print "deb " options word[1] " " next_suite " main"
                found = 1
            }
        }
        END { exit !found }' "$1"
}

# Writes the source of suite $2 into $tmp/next.{sources,list} and sets next_source to its path.
write_next_source() {
    local now=$1 next=$2 file list parts
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.sources "$parts"/*.list; do
        [ -f "$file" ] || continue
        case "$file" in
        *.sources)
            next_source=$tmp/next.sources
            if source_deb822 "$file" "$now" "$next" >"$next_source"; then return 0; fi
            ;;
        *)
            next_source=$tmp/next.list
            if source_one_line "$file" "$now" "$next" >"$next_source"; then return 0; fi
            ;;
        esac
        rm -f "$next_source"
    done
    die "no apt source offers $now/main to derive $next from"
}

# Makes the packages that LATER names for suite $1, and nothing else of it, available to the calls of
# apt_get. The other arguments are the words that need it, for the messages.
add_later_suite() {
    local now next=$1 lists parts next_source packages file
    shift
    now=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
    case "$now" in
    bookworm | trixie) ;;
    *) die "not in the apt sources of this system (${now:-unknown release}): $*;" \
        "of yyjson, 0.8 or newer with its pkg-config file will do" ;;
    esac
    packages=$(printf '%s\n' "$LATER" | sed -n "s/^$next: //p")
    write_next_source "$now" "$next"
    if [ ! -d "$tmp/sources" ]; then
        eval "$(apt-config shell lists Dir::State::lists/d parts Dir::Etc::sourceparts/d)"
        mkdir -p "$tmp/lists" "$tmp/sources"
        cp -a "$lists"/. "$tmp/lists/"
        cp "$parts"/*.sources "$parts"/*.list "$tmp/sources/" 2>/dev/null || true
        apt_options+=(-o "Dir::State::lists=$tmp/lists" -o "Dir::Etc::sourceparts=$tmp/sources"
            -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
    fi
    {
        printf 'Package: *\nPin: release n=%s\nPin-Priority: -1\n\n' "$next"
        printf 'Package: %s\nPin: release n=%s\nPin-Priority: 990\n' "$packages" "$next"
    } >"$tmp/preferences/00-skep-$next"
    printf 'setup: of %s of the same mirror (this run only): %s\n' "$next" "$*"
    apt_get -o "Dir::Etc::sourcelist=$next_source" -o Dir::Etc::sourceparts=/dev/null \
        -o APT::Get::List-Cleanup=0 update >"$tmp/update.log" 2>&1 ||
        die "apt-get update for $next failed: $(tail -n 5 "$tmp/update.log")"
    file=$tmp/sources/skep-$next.${next_source##*.}
    mv "$next_source" "$file"
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 \
        "${apt_options[@]}" "$@" </dev/null
}

# apt's plan for installing the arguments goes to $tmp/plan.
plan() {
    apt_get -s --no-upgrade --no-install-recommends install "$@" >"$tmp/plan" 2>"$tmp/plan.err"
}

install_packages() {
    local upgrades removals
    # First with every installed package held where it is; only if that cannot work, without.
    printf 'Package: *\nPin: release a=now\nPin-Priority: 1001\n' >"$tmp/preferences/99-skep-hold"
    if ! plan "$@"; then
        rm "$tmp/preferences/99-skep-hold"
        plan "$@" || die "apt cannot install these: $(cat "$tmp/plan.err" "$tmp/plan")"
    fi
    removals=$(awk '$1 == "Remv" { printf " %s", $2 }' "$tmp/plan")
    upgrades=$(awk '$1 == "Inst" && $3 ~ /^\[/ { printf " %s", $2 }' "$tmp/plan")
    if [ -n "$removals" ]; then
        die "stopped: apt would remove$removals; install by hand: $*"
    fi
    if [ -n "$upgrades" ] && [ "${SKEP_SETUP_UPGRADE:-yes}" = no ]; then
        die "stopped: the packages demand newer versions of$upgrades (SKEP_SETUP_UPGRADE=no)"
    fi
    printf 'setup: installing:%s\n' \
        "$(awk '$1 == "Inst" && $3 !~ /^\[/ { printf " %s", $2 }' "$tmp/plan")"
    if [ -n "$upgrades" ]; then
        printf 'setup: moved to the version that the above demand:%s\n' "$upgrades"
    fi
    apt_get --no-upgrade --no-install-recommends install "$@" >"$tmp/install.log" 2>&1 ||
        die "apt-get install failed: $(tail -n 20 "$tmp/install.log")"
}

prepare_apt() {
    local parts
    tmp=$(mktemp -d)
    chmod 755 "$tmp" # apt downloads as another user
    mkdir "$tmp/preferences"
    eval "$(apt-config shell parts Dir::Etc::preferencesparts/d)"
    cp "$parts"/* "$tmp/preferences/" 2>/dev/null || true
    apt_options=(-o "Dir::Etc::preferencesparts=$tmp/preferences")
    apt_get update >"$tmp/update.log" 2>&1 ||
        die "apt-get update failed: $(tail -n 5 "$tmp/update.log")"
}

# Whether the machine's own sources offer what the word asks for.
has_candidate() {
    local name=${1%%>=*} demand candidate
    demand=${1#"$name"}
    candidate=$(apt-cache policy "$name" | awk '$1 == "Candidate:" { print $2 }')
    case "$candidate" in [0-9]*) meets "$candidate" "${demand#>=}" ;; *) return 1 ;; esac
}

# Those of the words behind suite $1 that LATER has there and the machine's own sources have not.
of_later_suite() {
    local word packages
    packages=$(printf '%s\n' "$LATER" | sed -n "s/^$1: //p")
    shift
    for word in "$@"; do
        case " $packages " in *" ${word%%>=*} "*) ;; *) continue ;; esac
        if ! has_candidate "$word"; then printf '%s\n' "$word"; fi
    done
}

main() {
    local only_name="" group wanted="" suite missing=() next=()
    for group in "$@"; do
        case "$group" in
        --missing) only_name=yes ;;
        build) wanted+=" $BUILD_PACKAGES" ;;
        test) wanted+=" $TEST_PACKAGES" ;;
        lint) wanted+=" $LINT_PACKAGES" ;;
        *) die "unknown argument: $group; use: $0 [--missing] build test lint" ;;
        esac
    done
    [ -n "$wanted" ] || die "nothing asked for; use: $0 [--missing] build test lint"
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        printf 'setup: not a Debian system, nothing checked; needed are (by their Debian names):%s\n' \
            "$(printf ' %s' $wanted) nodejs>=$NODE_MAJOR_MIN npm" >&2
        return 0
    fi
    missing=($(missing_of $wanted && missing_node))
    if [ ${#missing[@]} -eq 0 ]; then return 0; fi
    if [ -n "$only_name" ]; then
        printf '%s\n' "${missing[@]}"
        return 0
    fi
    printf 'setup: missing: %s\n' "${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        printf 'setup: installing needs root. Run this once, then the same command again:\n' >&2
        printf '    sudo %s %s\n' "$(realpath "$0")" "$*" >&2
        return 1
    fi
    prepare_apt
    for suite in $(printf '%s\n' "$LATER" | cut -d: -f1); do
        next=($(of_later_suite "$suite" "${missing[@]}"))
        if [ ${#next[@]} -gt 0 ]; then add_later_suite "$suite" "${next[@]}"; fi
    done
    install_packages "${missing[@]%%>=*}"
    missing=($(missing_of $wanted && missing_node))
    [ ${#missing[@]} -eq 0 ] || die "still missing after the installation: ${missing[*]}"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then main "$@"; fi
