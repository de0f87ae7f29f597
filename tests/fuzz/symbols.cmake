# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_sourcemap SOURCES fuzz_sourcemap.c DEPENDS symbols base CORPUS corpus/sourcemap)
skep_fuzz(NAME fuzz_symtab SOURCES fuzz_symtab.c DEPENDS symbols base CORPUS corpus/symtab)
skep_fuzz(NAME fuzz_debugfile SOURCES fuzz_debugfile.c DEPENDS symbols base CORPUS corpus/debugfile)
