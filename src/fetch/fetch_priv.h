// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of src/fetch. */
#pragma once

/* libcurl, once in the process.  Threads: any. */
void skep_fetch__init(void);
