// SPDX-License-Identifier: Apache-2.0
/* people.c - the users; see people.h
 *
 * Threads: any. Memory: constants. */
#include "people.h"

#include <string.h>

const struct person people[] = {{"andrewbrown", "Andrew Brown"},
                                {"garek", "Garek"},
                                {"worf", "Worf"},
                                {"cocomelon", "Cocomelon"}};
const size_t people_n = sizeof people / sizeof *people;

const struct person *people_find(const char *handle, size_t n)
{
    for (size_t i = 0; i < people_n; i++)
        if (strlen(people[i].handle) == n && memcmp(people[i].handle, handle, n) == 0)
            return &people[i];
    return NULL;
}
