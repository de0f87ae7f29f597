// SPDX-License-Identifier: Apache-2.0
/* An AWS request: the first line a paging token, the rest the body.
 *
 * Holds: no crash; a token that is taken is written the same again for the position it gave; a
 * token that was written reads back, and for no other request; whatever the members are, the fault
 * is a text of one request's size. */
#include <yyjson.h>

#include "aws/members.h"
#include "aws/token.h"
#include "base/assert.h"

static void tokens(const struct skep_aws_call *call, skep_str text)
{
    uint8_t room[SKEP_AWS_TOKEN_BYTES], again[SKEP_AWS_TOKEN_BYTES];
    struct skep_buf buf;
    skep_bytes position = {NULL, 0}, back;
    const char *why = NULL;
    struct skep_aws_call other = *call;
    other.operation = SKEP_STR("Other");
    if (!skep_aws_token_read(call, text, room, &position, &why)) {
        skep_assert(why != NULL && position.n == 0);
        position = (skep_bytes){(const uint8_t *)text.p,
                                SKEP_MIN(text.n, (size_t)SKEP_AWS_TOKEN_POSITION)};
    }
    skep_buf_init(&buf, 256);
    skep_str token = skep_aws_token_write(call, position, &buf);
    skep_assert(!buf.bad);
    bool same = skep_aws_token_read(call, token, again, &back, &why);
    skep_assert(same && back.n == position.n);
    skep_assert(position.n == 0 || memcmp(back.p, position.p, back.n) == 0);
    skep_assert(!skep_aws_token_read(&other, token, again, &back, &why));
    skep_buf_done(&buf);
}

static void members(yyjson_val *root)
{
    static const char *const names[] = {"One", "Two"};
    struct skep_aws_in in = {.root = root};
    enum skep_aws_cause cause = SKEP_AWS_CAUSE_COUNT;
    double f;
    int64_t i;
    skep_ts_ns ns;
    yyjson_val *obj = skep_aws_object(&in, root, "Object", false);
    size_t mark = skep_aws_enter(&in, "Object");
    (void)skep_aws_str(&in, obj, "Text", &(struct skep_aws_len){2, 8, true});
    (void)skep_aws_enum(&in, obj, "Enum", true, names, SKEP_ARRAY_LEN(names));
    skep_aws_leave(&in, mark);
    (void)skep_aws_number(&in, root, "Number", &(struct skep_aws_range){0, 1, true}, &f);
    (void)skep_aws_int(&in, root, "Int", &(struct skep_aws_range){-9e15, 9e15, true}, &i);
    (void)skep_aws_bool(&in, root, "Bool", false);
    (void)skep_aws_time(&in, root, "Time", true, &ns);
    yyjson_val *list = skep_aws_list(&in, root, "List", &(struct skep_aws_len){1, 3, true});
    for (size_t k = 0; k < yyjson_arr_size(list); k++) {
        mark = skep_aws_enter_item(&in, "List", k);
        (void)skep_aws_str(&in, yyjson_arr_get(list, k), "Key", &(struct skep_aws_len){1, 2, true});
        skep_aws_leave(&in, mark);
    }
    skep_str fault = skep_aws_in_fault(&in, &cause);
    skep_assert(fault.n < sizeof in.fault);
    skep_assert((fault.n == 0) == (cause == SKEP_AWS_CAUSE_COUNT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    skep_str body = {(const char *)data, size};
    skep_str token = skep_str_cut(&body, '\n');
    yyjson_doc *doc = body.n ? yyjson_read(body.p, body.n, 0) : NULL;
    const struct skep_aws_call call = {.operation = SKEP_STR("GetGroups"),
                                       .environment = SKEP_STR("default"),
                                       .root = yyjson_doc_get_root(doc),
                                       .token_key = "NextToken"};
    tokens(&call, token);
    members(call.root);
    yyjson_doc_free(doc);
    return 0;
}
