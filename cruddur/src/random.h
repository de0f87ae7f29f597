// SPDX-License-Identifier: Apache-2.0
/* random.h - random numbers and ids; any thread */
#pragma once

#include <stdint.h>

enum { UUID_BYTES = 37 }; /* with the NUL */

/* A random number below n (n > 0). */
uint32_t random_below(uint32_t n);

/* Write a random (version 4) UUID. */
void random_uuid(char ret_uuid[UUID_BYTES]);
