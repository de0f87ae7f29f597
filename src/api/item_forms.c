// SPDX-License-Identifier: Apache-2.0
/* The forms of messages about items, by their names.  Threads: any. */
#include "api/item_forms.h"

#include "api/api.h"
#include "base/assert.h"

static const struct skep_tell_form forms[] = {
    {SKEP_STR_INIT("rollbar"), skep_api__rb_webhook},
};

const struct skep_tell_form *skep_api_item_forms(size_t *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(forms);
    return forms;
}

bool skep_api__item_form_parse(skep_str name, skep_str *ret)
{
    *ret = SKEP_STR_NULL;
    if (name.n == 0 || skep_str_eq(name, SKEP_STR("skep")))
        return true;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(forms); i++) {
        if (skep_str_eq(name, forms[i].name)) {
            *ret = forms[i].name;
            return true;
        }
    }
    return false;
}
