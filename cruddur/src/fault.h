// SPDX-License-Identifier: Apache-2.0
/* fault.h - failures of the program itself, as an exception is one elsewhere */
#pragma once

#include "request.h"

/* The request fails: its answer is 500, and the span, the segment, the log and Rollbar hear of it.
 * Of several calls the first counts.
 *
 * type     names the kind, as an exception's class does: "KeyError"; a literal
 * format   what happened */
void fault_raise(struct request *request, const char *type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
