skep_fuzz(NAME fuzz_segment SOURCES fuzz_segment.c DEPENDS store os base CORPUS corpus/segment)
skep_fuzz(NAME fuzz_codec SOURCES fuzz_codec.c DEPENDS store os base CORPUS corpus/codec)
