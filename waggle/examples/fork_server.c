// SPDX-License-Identifier: Apache-2.0
/* A server that forks for each request: the child's spans are children of the parent's, and each
 * process sends its own. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <waggle/waggle.h>

static void serve(struct waggle_tracer *tracer, waggle_span accepted, int number)
{
    waggle_span span = waggle_span_start(tracer, "serve", &(waggle_span_opts){.parent = accepted});
    waggle_span_set_kv(span, waggle_kv_i64("request.number", number));
    waggle_span_end(span);
}

int main(void)
{
    if (waggle_init(&(waggle_options){.service_name = "fork-server"}) != 0)
        return 1;
    struct waggle_tracer *tracer = waggle_tracer_get("fork_server", "1.0");
    for (int i = 0; i < 3; i++) {
        waggle_span accepted = waggle_span_start(tracer, "accept", NULL);
        pid_t pid = fork();
        if (pid == 0) {
            serve(tracer, accepted, i);
            _exit(waggle_shutdown(2000) ? 0
                                        : 1); // before the end: nothing is sent at exit by itself
        }
        waggle_span_end(accepted);
        int status = 0;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            return 1;
    }
    return waggle_shutdown(2000) ? 0 : 1;
}
