#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# check_install.sh CC - builds waggle alone, installs it into a folder of its own and builds a program against that: with
# pkg-config, and with find_package; once as static and once as shared libraries, which are made of the same objects
set -euo pipefail
cc=$1
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
for shared in OFF ON; do
    dir=$work/$shared
    usr=$dir/usr
    cmake -S "$top" -B "$work/build" -DCMAKE_C_COMPILER="$cc" -DBUILD_SHARED_LIBS="$shared" -DWAGGLE_TESTS=OFF \
          -DWAGGLE_EXAMPLES=OFF -DWAGGLE_BENCH=OFF -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O0 -DCMAKE_INSTALL_PREFIX="$usr" -DCMAKE_INSTALL_LIBDIR=lib >"$work/log"
    cmake --build "$work/build" -j 2 >>"$work/log"
    cmake --install "$work/build" >>"$work/log"
    export PKG_CONFIG_PATH=$usr/lib/pkgconfig LD_LIBRARY_PATH=$usr/lib OTEL_TRACES_EXPORTER=console
    [ "$(pkg-config --modversion waggle)" = "$(cat "$top/VERSION")" ]
    static=$([ "$shared" = ON ] || echo --static)
    # shellcheck disable=SC2046,SC2086  # flags are words
    $cc -std=c11 "$top/examples/minimal.c" -o "$dir/by_pkg_config" $(pkg-config --cflags --libs $static waggle)
    "$dir/by_pkg_config" | grep -q 'who="world"'
    mkdir -p "$dir/app"
    cat > "$dir/app/CMakeLists.txt" <<EOT
cmake_minimum_required(VERSION 3.21)
project(app LANGUAGES C)
find_package(waggle 0.1 REQUIRED)
add_executable(app $top/examples/minimal.c)
target_link_libraries(app PRIVATE waggle::sdk)
EOT
    cmake -S "$dir/app" -B "$dir/app/build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$usr" >>"$work/log"
    cmake --build "$dir/app/build" >>"$work/log"
    "$dir/app/build/app" | grep -q 'who="world"'
    # An add-on is found in both ways, where its library is.
    if [ -f "$usr/lib/pkgconfig/waggle-sqlite.pc" ]; then
        printf '#include <waggle/instrument/sqlite.h>\nint main(void) { sqlite3 *db; return sqlite3_open(":memory:", &db) || waggle_sqlite_trace(db, 0) || waggle_sqlite_exec(db, "SELECT 1") || sqlite3_close(db); }\n' > "$dir/app/sqlite.c"
        # shellcheck disable=SC2046,SC2086  # flags are words
        $cc -std=c11 "$dir/app/sqlite.c" -o "$dir/sqlite" $(pkg-config --cflags --libs waggle-sqlite)
        "$dir/sqlite"
        printf 'add_executable(with_sqlite sqlite.c)\ntarget_link_libraries(with_sqlite PRIVATE waggle::sqlite)\n' >> "$dir/app/CMakeLists.txt"
        cmake --build "$dir/app/build" >>"$work/log"
        "$dir/app/build/with_sqlite"
    fi
    if [ "$shared" = ON ]; then # what a shared library shows begins with waggle
        ! nm -D --defined-only "$usr"/lib/libwaggle*.so | grep -E ' [A-Z] ' | grep -v ' [TBDRV] waggle_'
    fi
done
