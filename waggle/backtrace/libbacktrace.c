// SPDX-License-Identifier: Apache-2.0
/*
 * libbacktrace.c - a symboliser over libbacktrace, with inlined functions
 *
 * Threads: any; libbacktrace's state is made for that.
 */
#include "waggle/backtrace.h"

#include <backtrace.h>

static struct backtrace_state *state;

/* One address that is being named. */
struct naming {
    waggle_place_fn *tell;
    void *self;
    bool told;
};

static void no_matter(void *self, const char *message, int error)
{
    (void)self; // what cannot be read has no name: that is seen
    (void)message;
    (void)error;
}

static int tell_line(void *self, uintptr_t pc, const char *file, int line, const char *function)
{
    struct naming *n = self;
    (void)pc;
    if (file == NULL && function == NULL)
        return 0;
    n->tell(
        n->self,
        &(waggle_place){.function = function, .file = file, .line = line > 0 ? (uint32_t)line : 0});
    n->told = true;
    return 0;
}

static void tell_symbol(void *self, uintptr_t pc, const char *name, uintptr_t value, uintptr_t size)
{
    (void)value;
    (void)size;
    (void)tell_line(self, pc, NULL, 0, name);
}

static void name_address(uintptr_t address, waggle_place_fn *tell, void *self)
{
    struct naming n = {tell, self, false};
    (void)backtrace_pcinfo(state, address, tell_line, no_matter, &n); // 0: tell_line never stops
    if (!n.told)
        (void)backtrace_syminfo(state, address, tell_symbol, no_matter, &n); // as above
}

bool waggle_backtrace_use(void)
{
    enum { THREADED = 1 };
    if (state == NULL)
        state = backtrace_create_state(NULL, THREADED, no_matter, NULL);
    if (state != NULL)
        waggle_symbolizer_set(name_address);
    return state != NULL;
}
