// SPDX-License-Identifier: Apache-2.0
/* fuzz_request.c - what a caller sends before views see it: paths, lengths of texts, words; and
 * what a visitor reads of an answer */
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "routes.h"
#include "visitors/script.h"
#include "when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char param[REQUEST_PARAM_BYTES];
    unsigned allowed = 0;
    struct script script;
    struct action action;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    const struct route *route = route_find("GET", text, param, sizeof param, &allowed);
    if (route != NULL && strlen(param) >= sizeof param)
        abort();
    if (input_check_message(text, size) != NULL && text[0] != '\0')
        abort(); // never more characters than bytes
    if (when_ttl(text) < -1)
        abort();
    script_init(&script, size, 0);
    script_saw(&script, (const char *)data, size);
    for (unsigned i = 0; i < 50; i++)
        script_next(&script, &(struct spells){true, true}, &action);
    free(text);
    return 0;
}
