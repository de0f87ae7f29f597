skep_fuzz(fuzz_lang_spec SOURCES fuzz_lang_spec.c DEPENDS lang query plan wire base
          CORPUS corpus/lang_spec)
skep_fuzz(fuzz_lang_derived SOURCES fuzz_lang_derived.c DEPENDS lang query calc plan wire base
          CORPUS corpus/lang_derived)
skep_fuzz(fuzz_lang_where SOURCES fuzz_lang_where.c DEPENDS lang query plan wire base
          CORPUS corpus/lang_where)
skep_fuzz(fuzz_lang_xray SOURCES fuzz_lang_xray.c DEPENDS lang query plan wire base
          CORPUS corpus/lang_xray)
skep_fuzz(fuzz_lang_logs_pattern SOURCES fuzz_lang_logs_pattern.c DEPENDS lang query plan wire base
          CORPUS corpus/lang_logs_pattern)
skep_fuzz(fuzz_lang_insights SOURCES fuzz_lang_insights.c DEPENDS lang query calc plan wire base
          CORPUS corpus/lang_insights)
skep_fuzz(fuzz_pipe SOURCES fuzz_pipe.c DEPENDS lang query agg calc plan wire base CORPUS corpus/pipe)
skep_fuzz(fuzz_lang_rql SOURCES fuzz_lang_rql.c DEPENDS lang query calc plan wire base
          CORPUS corpus/lang_rql)
skep_fuzz(fuzz_lang_search SOURCES fuzz_lang_search.c DEPENDS lang query calc plan wire base
          CORPUS corpus/lang_search)
