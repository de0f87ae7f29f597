# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_xray_docs SOURCES fuzz_xray_docs.c DEPENDS api xray CORPUS corpus/xray_docs)
skep_fuzz(NAME fuzz_logs_ids SOURCES fuzz_logs_ids.c DEPENDS api CORPUS corpus/logs_ids)
