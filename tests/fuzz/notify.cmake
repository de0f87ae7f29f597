# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_notify SOURCES fuzz_notify.c DEPENDS notify LIBS yyjson CORPUS corpus/notify)
