# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_sigv4 SOURCES fuzz_sigv4.c DEPENDS wire base CORPUS corpus/sigv4)
skep_fuzz(fuzz_regex SOURCES fuzz_regex.c DEPENDS wire base CORPUS corpus/regex)
skep_fuzz(NAME fuzz_jwt SOURCES fuzz_jwt.c DEPENDS wire base LIBS yyjson CORPUS corpus/jwt)
skep_fuzz(NAME fuzz_multipart SOURCES fuzz_multipart.c DEPENDS wire base CORPUS corpus/multipart)
skep_fuzz(NAME fuzz_fill SOURCES fuzz_fill.c DEPENDS wire base LIBS yyjson CORPUS corpus/fill)
