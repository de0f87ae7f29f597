// SPDX-License-Identifier: Apache-2.0
/* page.h - serves the built page: files, and what the page must know */
#pragma once

#include <stdint.h>

#include "config.h"

struct page;

/* Read the folder (index.html, assets/) and listen. NULL, with a message on standard error, if
 * either fails.
 * ret_port   the port it listens on */
struct page *page_start(const struct config *config, uint16_t *ret_port);

/* Where the API listens, once that is known. */
void page_set_api_port(struct page *page, uint16_t api_port);

/* NULL is fine. */
void page_stop(struct page *page);
