# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_stack SOURCES fuzz_stack.c DEPENDS stack base CORPUS corpus/stack)
