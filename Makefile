# SPDX-License-Identifier: Apache-2.0
#
# The front door. The build itself is CMake (CMakeLists.txt, CMakePresets.json); this only names the
# usual walks through it. `make` builds build/release/skep, `make run` shows the whole thing working,
# `make test` runs what CI runs.

PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SECONDS_EACH ?= 30

C_FILES = $(shell git ls-files '*.c' '*.h')

.PHONY: all run test bench lint fuzz fmt clean install setup

all:
	@cmake --preset release -DSKEP_STRICT=ON
	@cmake --build build/release -j $(JOBS) --target skep

setup:
	@tools/setup-debian.sh build

run:
	@tools/setup-debian.sh build
	@$(MAKE) --no-print-directory all
	@cmake --build build/release -j $(JOBS) --target cruddur cruddur-visitors cruddur_page
	@tools/run-demo.sh

test:
	@tools/test.sh

bench: all
	@tools/bench.sh

# make fuzz [T=fuzz_pb] [SECONDS_EACH=30]
fuzz:
	@tools/fuzz.sh "$(SECONDS_EACH)" $(T)

lint:
	@tools/setup-debian.sh build test lint
	@tools/lint.sh full

fmt:
	@clang-format -i $(C_FILES)

clean:
	rm -rf build

install:
	@test -x build/release/skep || { echo "nothing built yet: run make first" >&2; exit 1; }
	install -D -m 755 build/release/skep "$(DESTDIR)$(PREFIX)/bin/skep"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|@bindir@|$(PREFIX)/bin|' packaging/skep.service.in \
		> "$(DESTDIR)$(PREFIX)/lib/systemd/system/skep.service"
	chmod 644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/skep.service"
	if [ -f docs/man/skep.1 ]; then \
		install -D -m 644 docs/man/skep.1 "$(DESTDIR)$(PREFIX)/share/man/man1/skep.1"; \
	fi
