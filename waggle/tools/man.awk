# SPDX-License-Identifier: Apache-2.0
#
# man.awk - a man page of section 3 from a public header: its head comment, then each declaration with
# its docstring. Run by tools/man.sh with -v page=NAME -v version=V.
function esc(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); if (s ~ /^[.']/) s = "\\\&" s; return s }
function flush_comment(   i, line) {
    for (i = 1; i <= n_comment; i++) {
        line = comment[i]
        if (line == "") print ".PP"
        else if (line ~ /^ {4}/) {
            print ".PP"; print ".nf"
            for (; i <= n_comment && (comment[i] ~ /^ {4}/ || comment[i] == ""); i++) print esc(comment[i])
            print ".fi"; i--
        }
        else if (line ~ /^[A-Za-z_]+  +/) { # "name   what it is"
            match(line, /^[A-Za-z_]+/)
            print ".TP"; print ".I " substr(line, 1, RLENGTH)
            sub(/^[A-Za-z_]+ +/, "", line); print esc(line)
        } else print esc(line)
    }
    n_comment = 0
}
function clean(line) {
    sub(/^ *\/\*/, "", line); sub(/\*\/ *$/, "", line); sub(/^ \* ?/, "", line); sub(/^ /, "", line); sub(/ +$/, "", line)
    return line
}
function emit(   i) {
    if (text ~ /__/ || text !~ /\(/ && text !~ /^(typedef|enum|struct|extern)/) { n_comment = 0; text = ""; return }
    if (n_comment == 0 && text !~ /\(/) { text = ""; return }
    print ".SS " quote(title)
    print ".nf"; print esc_block(text); print ".fi"
    flush_comment()
    text = ""
}
function quote(s) { gsub(/"/, "", s); return "\"" s "\"" }
function esc_block(s,   lines, n, i, out) {
    n = split(s, lines, "\n"); out = ""
    for (i = 1; i <= n; i++) out = out (i > 1 ? "\n" : "") esc(lines[i])
    return out
}
function name_of(s) {
    if (s ~ /^typedef struct/ || s ~ /^(enum|struct)/) { match(s, /waggle_[a-z_]+/); return substr(s, RSTART, RLENGTH) }
    if (match(s, /waggle_[a-z0-9_]+ *\(/)) { s = substr(s, RSTART, RLENGTH); sub(/ *\($/, "", s); return s }
    if (match(s, /waggle_[a-z0-9_]+/)) return substr(s, RSTART, RLENGTH)
    return ""
}
BEGIN {
    printf ".TH %s 3 \"\" \"waggle %s\" \"waggle\"\n", toupper(page), version
    head = 1
}
head && /^\/\*/ { in_head = 1 }
head && in_head {
    line = clean($0)
    if (line ~ /^waggle\/[a-z]+\.h - /) { # the first line names the page
        sub(/^waggle\/[a-z]+\.h - /, "", line)
        printf ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B #include <waggle/%s.h>\n.SH DESCRIPTION\n", page, esc(line), substr(page, 8)
    } else if (line != "" || n_comment) comment[++n_comment] = line
    if ($0 ~ /\*\//) { in_head = 0; head = 0; flush_comment(); print ".SH INTERFACE" }
    next
}
head { next }
/^\/\* ---/ { next }
text == "" && /^\/\*/ { n_comment = 0; in_comment = 1 }
in_comment { line = clean($0); if (line != "" || n_comment) comment[++n_comment] = line; if ($0 ~ /\*\//) in_comment = 0; next }
/^#/ || /^extern "C"/ { text = ""; next }
skipping { if (/^}/) skipping = 0; next }
/^}$/ { next }
/^$/ { if (text == "") n_comment = 0; next }
{
    line = $0; sub(/^WAGGLE_EXPORT /, "", line)
    if (line ~ /^static inline/) { if (line ~ /;$/) inline_decl = 1; sub(/^static inline /, "", line) }
    if (line ~ /^{/) { # the body of an inline function
        title = name_of(text); text = text ";"; if (title != "") emit(); else text = ""; skipping = 1; n_comment = 0; next
    }
    text = text (text == "" ? "" : "\n") line
    depth += gsub(/{/, "{", line) - gsub(/}/, "}", line)
    if (depth == 0 && text ~ /;( *\/\*.*\*\/)?$/) { title = name_of(text); if (title != "") emit(); else text = ""; n_comment = 0 }
}
