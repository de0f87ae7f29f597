// SPDX-License-Identifier: Apache-2.0
/* Is the test built with a sanitizer?  Then it takes several times as long, and random tests try
 * less: the plain build tries all. */
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SKEP_INSTRUMENTED = 1 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
enum { SKEP_INSTRUMENTED = 1 };
#else
enum { SKEP_INSTRUMENTED = 0 };
#endif
#else
enum { SKEP_INSTRUMENTED = 0 };
#endif

/* How often a random test tries what the plain build tries n times. */
static inline unsigned skep_tries(unsigned n)
{
    return SKEP_INSTRUMENTED ? (n + 4) / 5 : n;
}
