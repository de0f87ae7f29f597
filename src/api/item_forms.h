// SPDX-License-Identifier: Apache-2.0
/* What a webhook can be sent of an item in place of skep's own message: a form is one file and one
 * row of item_forms.c. */
#pragma once

#include "inbox/tell.h"

/* "" and "skep" are skep's own message (*ret empty); false: there is no such form. */
SKEP_NODISCARD bool skep_api__item_form_parse(skep_str name, skep_str *ret);

/* The forms (struct skep_tell_form.write). */
void skep_api__rb_webhook(const struct skep_tell_fact *fact, struct skep_arena *arena,
                          struct skep_buf *out);
