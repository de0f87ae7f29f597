// SPDX-License-Identifier: Apache-2.0
/* people.h - who uses Cruddur; there is no login, the course's users are all there are */
#pragma once

#include <stddef.h>

struct person {
    const char *handle;       /* "andrewbrown" */
    const char *display_name; /* "Andrew Brown" */
};

/* Everybody; the first is who asks when a request does not say. */
extern const struct person people[];
extern const size_t people_n;

/* The person of that handle (n bytes); NULL: nobody. */
const struct person *people_find(const char *handle, size_t n);
