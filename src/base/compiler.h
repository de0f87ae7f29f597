// SPDX-License-Identifier: Apache-2.0
/* Compiler extensions the server may use, each under one name.  Nothing else in src/ spells a GNU
 * attribute or builtin raw (docs/style.md). */
#pragma once

#define SKEP_NODISCARD    __attribute__((warn_unused_result))
#define SKEP_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SKEP_COLD         __attribute__((cold))
#define SKEP_NOINLINE     __attribute__((noinline))
#define SKEP_INLINE       static inline __attribute__((always_inline))
#define SKEP_NORETURN     __attribute__((noreturn))
#define SKEP_UNUSED       __attribute__((unused))
#define SKEP_MALLOC       __attribute__((malloc, returns_nonnull))
#define SKEP_LIKELY(c)    __builtin_expect(!!(c), 1)
#define SKEP_UNLIKELY(c)  __builtin_expect(!!(c), 0)
#define SKEP_CACHELINE    64
#define SKEP_PREFETCH(p)  __builtin_prefetch(p)
/* A large local array that is filled before it is read: not zeroed at every call, as all other
 * locals are (-ftrivial-auto-var-init). */
#if defined(__clang__) || __GNUC__ >= 12
#define SKEP_UNINIT __attribute__((uninitialized))
#else
#define SKEP_UNINIT
#endif
#define SKEP_ALIGNED(n)   __attribute__((aligned(n)))
#define SKEP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define SKEP_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define SKEP_MAX(a, b)    ((a) > (b) ? (a) : (b))

/* Each returns true on overflow; *r then holds the wrapped value. */
#define SKEP_ADD_OVERFLOW(a, b, r) __builtin_add_overflow((a), (b), (r))
#define SKEP_SUB_OVERFLOW(a, b, r) __builtin_sub_overflow((a), (b), (r))
#define SKEP_MUL_OVERFLOW(a, b, r) __builtin_mul_overflow((a), (b), (r))

#define SKEP_POPCOUNT64(x) ((unsigned)__builtin_popcountll(x))
#define SKEP_CTZ64(x)      ((unsigned)__builtin_ctzll(x)) /* x != 0 */
#define SKEP_CLZ64(x)      ((unsigned)__builtin_clzll(x)) /* x != 0 */
#define SKEP_BSWAP16(x)    __builtin_bswap16(x)
#define SKEP_BSWAP32(x)    __builtin_bswap32(x)
#define SKEP_BSWAP64(x)    __builtin_bswap64(x)

/* Functions whose unsigned arithmetic wraps on purpose (hashes, alignment). */
#if defined(__clang__)
#define SKEP_WRAPS __attribute__((no_sanitize("unsigned-integer-overflow")))
#else
#define SKEP_WRAPS
#endif

/* One body compiled for AVX2 and for the baseline, chosen at load time.  Off under sanitizers,
 * whose runtimes are not up when ifuncs resolve. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SKEP_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define SKEP_CLONES
#endif

/* Functions written with AVX2 intrinsics: compile where SKEP_AVX2 is defined, call after
 * SKEP_HAS_AVX2(). */
#if defined(__x86_64__) && defined(__GNUC__)
#define SKEP_AVX2       __attribute__((target("avx2")))
#define SKEP_HAS_AVX2() __builtin_cpu_supports("avx2")
#endif

__extension__ typedef __int128 skep_i128;
__extension__ typedef unsigned __int128 skep_u128;
