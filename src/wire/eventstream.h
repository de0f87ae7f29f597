// SPDX-License-Identifier: Apache-2.0
/* AWS's event streams (application/vnd.amazon.eventstream): messages with headers, each checked.
 *
 *   u32 length | u32 headers' length | u32 crc of those 8 | headers | payload | u32 crc of it all
 *   header: u8 n, name | u8 7 (text) | u16 n, value                              big-endian
 */
#pragma once

#include "base/buf.h"

struct skep_eventstream_header {
    skep_str name, value; /* at most 255 and 65535 octets */
};

/* Append one message; the buffer's `bad` flag says that it did not fit. */
void skep_eventstream_put(struct skep_buf *to, const struct skep_eventstream_header *headers,
                          unsigned n_headers, skep_bytes payload);
