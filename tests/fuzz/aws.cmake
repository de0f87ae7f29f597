# SPDX-License-Identifier: Apache-2.0

skep_fuzz(NAME fuzz_aws SOURCES fuzz_aws.c DEPENDS aws_in CORPUS corpus/aws)
