skep_fuzz(NAME fuzz_kill SOURCES fuzz_kill.c DEPENDS store event os base CORPUS corpus/kill)
skep_fuzz(NAME fuzz_segment SOURCES fuzz_segment.c DEPENDS store os base CORPUS corpus/segment)
skep_fuzz(NAME fuzz_codec SOURCES fuzz_codec.c DEPENDS store os base CORPUS corpus/codec)
skep_fuzz(NAME fuzz_part SOURCES fuzz_part.c DEPENDS store event os base CORPUS corpus/part)
skep_fuzz(NAME fuzz_wal SOURCES fuzz_wal.c ${CMAKE_SOURCE_DIR}/tests/support/mem_os.c
          DEPENDS store event os base CORPUS corpus/wal)
skep_fuzz(NAME fuzz_live SOURCES fuzz_live.c DEPENDS store os base CORPUS corpus/live)
skep_fuzz(NAME fuzz_tools SOURCES fuzz_tools.c ${CMAKE_SOURCE_DIR}/tests/support/mem_os.c
          DEPENDS store event os base CORPUS corpus/tools)
skep_fuzz(NAME fuzz_backup SOURCES fuzz_backup.c DEPENDS store os base CORPUS corpus/backup)
