// SPDX-License-Identifier: Apache-2.0
/* Four parts, with 0x1e bytes between: a place's target, a message's title, its text, its address.
 *
 * Holds: what is taken for mail addresses is one line of nothing but them; whatever a message says,
 * a mail's lines end in CRLF, are short, and its head has the headers that skep wrote and no
 * others; a Slack message is JSON whose text makes one link, its own. */
#include <yyjson.h>

#include "base/assert.h"
#include "notify/notify_priv.h"

static const char *const known[] = {
    "From: ",         "To: ",           "Subject: ",
    "Date: ",         "Message-ID: ",   "Auto-Submitted: ",
    "MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: ",
    " =?UTF-8?B?"};

static bool is_known(skep_str line)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(known); i++)
        if (skep_str_starts(line, skep_str_c(known[i])))
            return true;
    return false;
}

static void check_mail(skep_str mail)
{
    bool head = true;
    while (mail.n) {
        size_t end = skep_str_find(mail, SKEP_STR("\r\n"));
        skep_assert(end != SIZE_MAX);
        skep_str line = {mail.p, end};
        skep_assert(skep_str_chr(line, '\r') == SIZE_MAX && skep_str_chr(line, '\n') == SIZE_MAX);
        skep_assert(line.n <= 300); /* an address has 254 */
        skep_assert(!head || line.n == 0 || is_known(line) ||
                    (line.p[0] == ' ' && skep_str_chr(line, '@') != SIZE_MAX));
        head = head && line.n > 0;
        mail = skep_str_skip(mail, end + 2);
    }
    skep_assert(!head);
}

static void check_slack(struct skep_buf *body)
{
    yyjson_doc *doc = yyjson_read((const char *)body->p, body->n, 0);
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "text"));
    size_t n = yyjson_get_len(yyjson_obj_get(yyjson_doc_get_root(doc), "text")), links = 0;
    skep_assert(text != NULL);
    for (size_t i = 0; i < n; i++)
        links += text[i] == '<';
    skep_assert(links <= 1);
    yyjson_doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct skep_buf out;
    skep_err err;
    enum skep_state_place_kind kind;
    skep_str part[4], rest = {(const char *)data, size};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(part); i++)
        part[i] = skep_str_cut(&rest, '\x1e');
    const struct skep_notify_config cfg = {.smtp_from = "skep@hive.example",
                                           .public_url = "https://skep.example"};
    const struct skep_state_message m = {.id = SKEP_STR("msg_1"),
                                         .kind = SKEP_STR("test"),
                                         .title = part[1],
                                         .text = part[2],
                                         .url = part[3]};
    struct skep_notify__try t = {
        .cfg = &cfg, .m = &m, .target = SKEP_STR("a@b.example"), .arena = &arena};
    skep_arena_init(&arena, "fuzz", NULL);
    skep_buf_init(&out, 64 << 20);
    if (skep_notify_check_place(SKEP_STR("webhook"), part[0], &kind, &err) == SKEP_OK)
        skep_assert(skep_str_chr(part[0], '\n') == SIZE_MAX &&
                    skep_str_chr(part[0], ' ') == SIZE_MAX);
    if (skep_notify_check_place(SKEP_STR("mail"), part[0], &kind, &err) == SKEP_OK)
        t.target = part[0];
    skep_notify__mail_write(&t, &out);
    skep_assert(!out.bad);
    check_mail(skep_buf_text(&out));
    skep_buf_reset(&out);
    skep_notify__slack_write(&t, &out);
    skep_assert(!out.bad);
    check_slack(&out);
    skep_buf_done(&out);
    skep_arena_done(&arena);
    return 0;
}
