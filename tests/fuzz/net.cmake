skep_fuzz(NAME fuzz_net_body SOURCES fuzz_net_body.c DEPENDS net CORPUS corpus/net_body)
skep_fuzz(NAME fuzz_net_grpc SOURCES fuzz_net_grpc.c DEPENDS net CORPUS corpus/net_grpc)
skep_fuzz(NAME fuzz_net_uri SOURCES fuzz_net_uri.c DEPENDS net CORPUS corpus/net_uri)
skep_fuzz(NAME fuzz_net_doors SOURCES fuzz_net_doors.c DEPENDS net CORPUS corpus/net_doors)
