// SPDX-License-Identifier: Apache-2.0
/* Texts with places to fill in: what people's templates do, mistakes with their places, bounds. */
#include <cmocka.h>
#include <string.h>

#include "wire/fill.h"

static const char data[] =
    "{\"Name\":\"a \\\"b\\\"\",\"Threshold\":2.5,\"N\":3,\"Zero\":0,\"Yes\":true,\"None\":null,"
    "\"Alert\":{\"Status\":\"TRIGGERED\"},\"Datasets\":[\"shop\",\"db\"],\"Empty\":[],"
    "\"Result\":{\"Groups\":[{\"group\":[{\"key\":\"foo\",\"value\":\"x\"}],\"result\":5},"
    "{\"group\":[{\"key\":\"foo\",\"value\":null}],\"result\":1}]}}";

static skep_rc fill(const char *text, char *ret, size_t room, skep_err *err)
{
    struct skep_buf out;
    yyjson_doc *d = yyjson_read(data, strlen(data), 0);
    assert_non_null(d);
    skep_buf_init(&out, room - 1);
    skep_rc rc = skep_fill(skep_str_c(text), yyjson_doc_get_root(d), &out, err);
    memcpy(ret, out.p ? (char *)out.p : "", out.n);
    ret[out.n] = '\0';
    skep_buf_done(&out);
    yyjson_doc_free(d);
    return rc;
}

static void expect(const char *text, const char *want)
{
    char got[4096];
    skep_err err = {.text = ""};
    skep_rc rc = fill(text, got, sizeof got, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: %s", text, err.text);
    assert_string_equal(got, want);
    /* What can be filled passes the check without data, too. */
    rc = skep_fill(skep_str_c(text), NULL, NULL, &err);
    if (rc != SKEP_OK)
        fail_msg("%s: check: %s", text, err.text);
}

static void refuse(const char *text, const char *why)
{
    char got[4096];
    skep_err err = {.text = ""};
    assert_int_equal(skep_fill(skep_str_c(text), NULL, NULL, &err), SKEP_EINVAL);
    if (!strstr(err.text, why))
        fail_msg("%s: %s", text, err.text);
    assert_int_equal(fill(text, got, sizeof got, &err), SKEP_EINVAL);
}

static void test_values(void **state)
{
    (void)state;
    expect("plain } text {", "plain } text {");
    expect("{{ .Name }}", "a \"b\"");
    expect("{{.Threshold}} {{ .N }} {{ .Yes }}", "2.5 3 true");
    expect("{{ .alert.status }}", "TRIGGERED"); /* in any case */
    expect("{{ .Nope.Nothing }}", "<no value>");
    expect("{{ \"q\\\"\\n\" }}{{ `r\\n` }}{{ -1 }}{{ 1.5 }}", "q\"\nr\\n-11.5");
    expect("{{ .Datasets }}", "[\"shop\",\"db\"]");
    expect("a {{- .N -}} b", "a3b");
    expect("a {{/* none {{ */}}b", "a b");
    expect("{{ $x := .N }}{{ $x }}{{ $.Name }}", "3a \"b\"");
}

static void test_functions(void **state)
{
    (void)state;
    expect("{{ toJson .Datasets }}", "[\"shop\",\"db\"]");
    expect("{{ .Name | quote }} {{ .Name | toJson }}", "\"a \\\"b\\\"\" \"a \\\"b\\\"\"");
    expect("{{ len .Datasets }} {{ len .Name }}", "2 5");
    expect("{{ printf \"%s is %d of %.2f%%\" .Name .N .Threshold }}", "a \"b\" is 3 of 2.50%");
    expect("{{ printf \"%#v\" .Name }}{{ printf \"%v\" .N }}", "\"a \\\"b\\\"\"3");
    expect("{{ .Datasets | join \", \" | upper }}", "SHOP, DB");
    expect("{{ index .Datasets 1 }} {{ index .Alert \"Status\" }}", "db TRIGGERED");
    expect("{{ lower .Datasets }}{{ replace .N .Datasets .Alert }}{{ contains .Datasets .N }}",
           "true"); /* what is no text is an empty one */
    expect("{{ index .Datasets 7 }}", "<no value>");
    expect("{{ replace \"b\" \"c\" .Name }} {{ lower \"AB\" }} {{ trim \" x \" }}", "a \"c\" ab x");
    expect("{{ .Empty | default \"none\" }} {{ default 7 .N }}", "none 3");
    expect("{{ print .N .N \"x\" }}", "3 3x");
    expect("{{ (index .Result.Groups 0).Result }}", "5");
}

static void test_conditions(void **state)
{
    (void)state;
    expect("{{ if eq .Alert.Status `TRIGGERED` }}red{{ else }}green{{ end }}", "red");
    expect("{{ if .Zero }}a{{ else if .Empty }}b{{ else if .None }}c{{ else }}d{{ end }}", "d");
    expect("{{ if and .Yes (gt .N 2) (lt .Threshold 3) }}x{{ end }}", "x");
    expect("{{ if or .Zero (not .Yes) }}x{{ else }}y{{ end }}", "y");
    expect("{{ if eq .N 1 2 3 }}x{{ end }}{{ if ne .N 3 }}y{{ end }}", "x");
    expect("{{ with .Alert }}{{ .Status }}{{ else }}none{{ end }}", "TRIGGERED");
    expect("{{ with .Empty }}x{{ else }}{{ .N }}{{ end }}", "3");
    expect("{{ if .Yes }}{{ if .Zero }}a{{ else }}b{{ end }}{{ else }}c{{ end }}", "b");
}

static void test_loops(void **state)
{
    (void)state;
    expect("{{ range .Datasets }}<{{ . }}>{{ end }}", "<shop><db>");
    expect("{{ range $i, $d := .Datasets }}{{ if $i }},{{ end }}{{ $d }}{{ end }}", "shop,db");
    expect("{{ range .Empty }}x{{ else }}nothing{{ end }}!", "nothing!");
    expect("{{ range .Datasets }}x{{ else }}nothing{{ end }}!", "xx!");
    expect("{{ range $g := .Result.Groups }}{{ range $k := .Group }}{{ $k.Key }}="
           "{{ printf \"%#v\" $k.Value }}:{{ end }}{{ .Result }};{{ end }}",
           "foo=\"x\":5;foo=null:1;");
    expect("{{ range $k, $v := .Alert }}{{ $k }}{{ $v }}{{ end }}", "StatusTRIGGERED");
}

static void test_mistakes(void **state)
{
    (void)state;
    refuse("ab {{ .Name", "at byte 11: }} expected");
    refuse("{{ if .N }}x", "{{ end }} expected");
    refuse("x{{ end }}", "of nothing");
    refuse("{{ else }}", "of nothing");
    refuse("{{ frobnicate .N }}", "no such function");
    refuse("{{ len }}", "wrong number of arguments");
    refuse("{{ eq 1 }}", "wrong number of arguments");
    refuse("{{ \"open }}", "does not end");
    refuse("{{ `open }}", "does not end");
    refuse("{{ \"open", "does not end");
    refuse("{{ `open", "does not end");
    refuse("{{ $x }}", "was not set");
    refuse("{{ /* }}", "comment does not end");
    refuse("{{ (len .N }}", ") expected");
    refuse("{{ .N | .Name }}", "function expected");
    refuse("{{ if .Zero }}{{ frobnicate }}{{ end }}", "no such function"); /* in any branch */
}

/* `text` n times, then `end` n times. */
static const char *repeat(const char *text, int n, const char *end)
{
    static struct skep_buf b;
    skep_buf_done(&b);
    skep_buf_init(&b, 1 << 16);
    for (int i = 0; i < n; i++)
        skep_buf_str(&b, skep_str_c(text));
    for (int i = 0; i < n; i++)
        skep_buf_str(&b, skep_str_c(end));
    skep_buf_u8(&b, '\0');
    return (const char *)b.p;
}

static void test_bounds(void **state)
{
    char got[64];
    skep_err err = {.text = ""};
    (void)state;
    assert_int_equal(fill(repeat("{{ if 1 }}", 100, "{{ end }}"), got, sizeof got, &err),
                     SKEP_EINVAL);
    assert_non_null(strstr(err.text, "too deeply"));
    assert_int_equal(fill(repeat("{{ ((((((", 100, ""), got, sizeof got, &err), SKEP_EINVAL);
    assert_int_equal(fill("{{ range .Datasets }}0123456789012345678901234567890123456789{{ end }}",
                          got, sizeof got, &err),
                     SKEP_ETOOLARGE);
    /* 2^17 passes: more than the steps that are allowed. */
    assert_int_equal(fill(repeat("{{ range $.Datasets }}", 17, "{{ end }}"), got, sizeof got, &err),
                     SKEP_EINVAL);
    assert_non_null(strstr(err.text, "too many steps"));
    /* Values that nobody prints are bounded, too: this one is made 512 times. */
    assert_int_equal(
        fill(
            "{{ $x := toJson . }}{{ $x := print $x $x $x $x $x $x $x $x $x $x }}"
            "{{ $x := print $x $x $x $x $x $x $x $x $x $x }}"
            "{{ range $.Datasets }}{{ range $.Datasets }}{{ range $.Datasets }}"
            "{{ range $.Datasets }}{{ range $.Datasets }}{{ range $.Datasets }}"
            "{{ range $.Datasets }}{{ range $.Datasets }}{{ range $.Datasets }}{{ $y := print $x }}"
            "{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}{{ end }}",
            got, sizeof got, &err),
        SKEP_ETOOLARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),     cmocka_unit_test(test_functions),
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_loops),
        cmocka_unit_test(test_mistakes),   cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
