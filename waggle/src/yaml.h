// SPDX-License-Identifier: Apache-2.0
/*
 * yaml.h - the YAML of configuration files, read into a tree
 */
#ifndef WAGGLE_YAML_H
#define WAGGLE_YAML_H

#include "sdk_priv.h"

#include "waggle/config.h"

enum {
    WAGGLE__YAML_BYTES = 1 << 20,  /* of a file */
    WAGGLE__YAML_DEPTH = 32,       /* of maps and lists in each other */
    WAGGLE__YAML_WEIGHT = 20000,   /* nodes, each alias counted as what it stands for */
    WAGGLE__YAML_MEMORY = 8 << 20, /* of a tree, with what the environment put in */
    WAGGLE__YAML_ERROR = 256
};

/* A member of a map, or an element of a list (key NULL). */
struct waggle__yaml_entry {
    const char *key;
    const struct waggle_config_node *value; /* may be another entry's, too: an alias */
    struct waggle__yaml_entry *next;
};

struct waggle_config_node {
    enum { WAGGLE__YAML_SCALAR, WAGGLE__YAML_MAP, WAGGLE__YAML_LIST } kind;
    bool is_quoted;
    uint32_t line;
    uint32_t weight;  /* of the nodes below, and this one */
    const char *text; /* of a scalar, NUL-terminated */
    size_t n;
    struct waggle__yaml_entry *first, *last;
    size_t n_entries;
    const struct waggle_config *config;
};

struct waggle__yaml_chunk;

struct waggle_config {
    struct waggle__yaml_chunk *chunks; /* all of the tree */
    size_t memory;
    const char *name; /* of the file, for messages */
    struct waggle_config_node *root;
};

/* Parse n bytes. On failure: false, with "NAME:LINE: what" in ret_error, and nothing to be freed
 * but by waggle__yaml_done. `name` is copied. */
bool waggle__yaml_parse(struct waggle_config *config, const char *name, const char *bytes, size_t n,
                        char ret_error[WAGGLE__YAML_ERROR]);
void waggle__yaml_done(struct waggle_config *config);

/* Append a text with its references to variables replaced. Returns the first that is none, n 0: all
 * are. */
waggle_str waggle__config_substitute(waggle_str in, struct waggle__buf *out);

#endif
