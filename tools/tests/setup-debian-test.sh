#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# setup-debian-test.sh - the parts of tools/setup-debian.sh that need no package manager: how the
# next suite's source is derived from what a machine has, and what counts as missing
set -uo pipefail
# shellcheck source=tools/setup-debian.sh
. "$(dirname "$0")/../setup-debian.sh"
set +e

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failures=0

# expect NAME EXPECTED ACTUAL
expect() {
    if [ "$2" = "$3" ]; then return; fi
    failures=$((failures + 1))
    printf '%s\n--- expected\n%s\n--- found\n%s\n' "$1" "$2" "$3"
}

# derive FUNCTION TEXT: the source of trixie derived from a bookworm machine's TEXT, and the verdict
derive() {
    printf '%s\n' "$2" >"$folder/in"
    "$1" "$folder/in" bookworm trixie
    printf 'rc=%d\n' $?
}

expect 'deb822: the stanza of the suite itself, options and key path kept' \
    'Types: deb
Suites: trixie
Components: main
URIs: http://mirror.example/debian
Check-Valid-Until: no
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
rc=0' \
    "$(derive source_deb822 '# the security stanza comes first and must not be taken
Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Check-Valid-Until: no
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg')"

expect 'deb822: an embedded key is kept line by line' \
    'Types: deb
Suites: trixie
Components: main
URIs: http://mirror.example/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL
 -----END PGP PUBLIC KEY BLOCK-----
rc=0' \
    "$(derive source_deb822 'Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-updates
 bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL
 -----END PGP PUBLIC KEY BLOCK-----')"

expect 'deb822: disabled, source-only and foreign stanzas are not taken' 'rc=1' \
    "$(derive source_deb822 'Enabled: no
Types: deb
URIs: http://a.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://b.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://c.example/tool
Suites: nodistro
Components: main')"

expect 'one line: options kept, comments and other suites passed over' \
    'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main
rc=0' \
    "$(derive source_one_line '# deb http://old.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm contrib main # ours')"

expect 'one line: no options, alias of the suite' 'deb http://mirror.example/debian trixie main
rc=0' "$(derive source_one_line 'deb  http://mirror.example/debian   stable main')"

expect 'one line: nothing suitable' 'rc=1' \
    "$(derive source_one_line 'deb http://mirror.example/debian bookworm contrib')"

dpkg-query() { printf 'gcc:installed:12 cmake:config-files:3 libcurl4-gnutls-dev:installed:7 sdk:installed:0.95-3 '; }
expect 'missing: removed is missing, an alternative is not' 'cmake
make' "$(missing_of gcc cmake make 'libcurl4-openssl-dev|libcurl4-gnutls-dev')"
expect 'missing: a version that is too old, or none' 'sdk>=2
other>=1' "$(missing_of 'sdk>=2' 'sdk>=0.9' 'gcc>=12' 'other>=1' 'nothing|gcc>=11')"

apt-cache() { printf '%s:\n  Installed: (none)\n  Candidate: 0.95-3\n' "$2"; }
LATER="one: libsdk sdk
two: other"
expect 'later suite: what is listed there and too old here, nothing else' 'sdk>=2' \
    "$(of_later_suite one 'sdk>=2' libsdk 'other>=9')"
expect 'later suite: each its own' 'other>=9' "$(of_later_suite two 'sdk>=2' libsdk 'other>=9')"
apt-cache() { printf '%s:\n  Installed: (none)\n  Candidate: (none)\n' "$2"; }
expect 'later suite: what this one has not' 'sdk
libsdk' "$(of_later_suite one sdk libsdk)"

node() { echo v16.20.0; }
npm() { :; }
expect 'missing: an old Node.js' 'nodejs' "$(missing_node)"
node() { echo v18.0.0; }
expect 'missing: Node.js 18 will do' '' "$(missing_node)"

[ "$failures" -eq 0 ] || exit 1
echo "all as expected"
