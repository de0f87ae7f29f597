// SPDX-License-Identifier: Apache-2.0
/* fault.h - failures of the program itself, as an exception is one elsewhere */
#pragma once

#include "request.h"

/* The request fails: its answer is 500, and the span, the segment, the log and Rollbar hear of it,
 * with the place of the call. Of several calls the first counts.
 *
 *     fault_raise(request, "KeyError", "'%s'", key);
 *
 * The second argument names the kind, as an exception's class does: a literal. The rest says what
 * happened. */
#define fault_raise(request, ...)                                                                  \
    fault_raise_at((request), (struct fault_place){__FILE__, __func__, __LINE__}, __VA_ARGS__)

void fault_raise_at(struct request *request, struct fault_place place, const char *type,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
