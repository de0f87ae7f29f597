// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the MCP server: a call of a tool, and the tools. */
#pragma once

#include <yyjson.h>

#include "api/api_priv.h"

enum {
    SKEP_MCP_TEXT_BYTES = 48 << 10, /* of an answer; more is cut, and said so */
    SKEP_MCP_ROWS = 100
};

struct skep_mcp_call {
    struct skep_api__job *job;
    yyjson_val *args;     /* object, or NULL */
    struct skep_buf *out; /* the answer: Markdown, or lines of JSON */
};

/* What was wrong is said in `out`, and makes the answer an error of the tool. */
typedef bool skep_mcp_tool_fn(struct skep_mcp_call *c);

skep_mcp_tool_fn skep_mcp__context, skep_mcp__columns, skep_mcp__boards, skep_mcp__triggers,
    skep_mcp__slos, skep_mcp__queries;
skep_mcp_tool_fn skep_mcp__query, skep_mcp__bubbleup, skep_mcp__spans, skep_mcp__trace,
    skep_mcp__map;

/* Always false. */
bool skep_mcp__fail(struct skep_mcp_call *c, const char *text);
bool skep_mcp__fail_issue(struct skep_mcp_call *c, const struct skep_lang_issue *issue);
/* A text of the arguments, in the arena; empty when absent. */
skep_str skep_mcp__text(struct skep_mcp_call *c, const char *name);
/* A number of the arguments within 1 .. max. */
unsigned skep_mcp__number(struct skep_mcp_call *c, const char *name, unsigned absent, unsigned max);
/* No more fits: cut here. */
bool skep_mcp__full(const struct skep_mcp_call *c);
/* A value in a cell of a Markdown table: one line, at most 200 bytes. */
void skep_mcp__cell(struct skep_mcp_call *c, const skep_value *v);
void skep_mcp__cell_text(struct skep_mcp_call *c, skep_str s);
