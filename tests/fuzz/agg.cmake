skep_fuzz(fuzz_template SOURCES fuzz_template.c DEPENDS agg plan event base
          CORPUS corpus/template)
