# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_otlp_traces_pb SOURCES fuzz_otlp_pb.c DEPENDS otlp CORPUS corpus/otlp_traces_pb)
skep_fuzz(NAME fuzz_otlp_logs_pb SOURCES fuzz_otlp_pb.c DEPENDS otlp CORPUS corpus/otlp_logs_pb)
skep_fuzz(NAME fuzz_otlp_metrics_pb SOURCES fuzz_otlp_pb.c DEPENDS otlp
          CORPUS corpus/otlp_metrics_pb)
skep_fuzz(NAME fuzz_otlp_json SOURCES fuzz_otlp_json.c DEPENDS otlp CORPUS corpus/otlp_json)
skep_fuzz(NAME fuzz_xray SOURCES fuzz_xray.c DEPENDS xray CORPUS corpus/xray)
skep_fuzz(NAME fuzz_rollbar SOURCES fuzz_rollbar.c DEPENDS rollbar CORPUS corpus/rollbar)
skep_fuzz(NAME fuzz_events SOURCES fuzz_events.c DEPENDS events CORPUS corpus/events)
skep_fuzz(NAME fuzz_grouping SOURCES fuzz_grouping.c DEPENDS grouping stack wire base
          CORPUS corpus/grouping)
skep_fuzz(NAME fuzz_rows SOURCES fuzz_rows.c DEPENDS rows base CORPUS corpus/rows)
skep_fuzz(NAME fuzz_tracestate SOURCES fuzz_tracestate.c DEPENDS otlp CORPUS corpus/tracestate)

# One source, three signals.
foreach(signal IN ITEMS TRACES LOGS METRICS)
  string(TOLOWER ${signal} lower)
  if(TARGET fuzz_otlp_${lower}_pb)
    target_compile_definitions(fuzz_otlp_${lower}_pb PRIVATE FUZZ_SIGNAL=SKEP_OTLP_${signal})
  endif()
endforeach()
skep_fuzz(NAME fuzz_logs SOURCES fuzz_logs.c DEPENDS logs CORPUS corpus/logs)
