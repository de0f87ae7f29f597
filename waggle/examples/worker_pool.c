// SPDX-License-Identifier: Apache-2.0
/* A thread pool: each job carries the context of who asked for it, as a value. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <waggle/waggle.h>

struct job {
    int number;
    waggle_context context;
    struct job *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct job *jobs;
static int open_jobs;
static struct waggle_tracer *tracer;

static void submit(int number)
{
    struct job *job = malloc(sizeof *job);
    if (job == NULL)
        exit(1);
    job->number = number;
    waggle_context_current(&job->context); // the span that is current here, with its baggage
    pthread_mutex_lock(&lock);
    job->next = jobs;
    jobs = job;
    open_jobs++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void run(struct job *job)
{
    WAGGLE_CONTEXT_SCOPE(&job->context);
    waggle_span span = waggle_span_start(tracer, "job", NULL); // a child of "request"
    waggle_span_set_kv(span, waggle_kv_i64("job.number", job->number));
    waggle_span_end(span);
}

static void *worker(void *self)
{
    (void)self;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (jobs == NULL)
            pthread_cond_wait(&changed, &lock);
        struct job *job = jobs;
        jobs = job->next;
        pthread_mutex_unlock(&lock);
        run(job);
        waggle_context_done(&job->context);
        free(job);
        pthread_mutex_lock(&lock);
        open_jobs--;
        pthread_cond_broadcast(&changed);
    }
    return NULL;
}

int main(void)
{
    if (waggle_init(&(waggle_options){.service_name = "worker-pool"}) != 0)
        return 1;
    tracer = waggle_tracer_get("worker_pool", "1.0");
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker, NULL) != 0)
            return 1;
        pthread_detach(thread);
    }
    waggle_span request = waggle_span_start(tracer, "request", NULL);
    waggle_scope scope = waggle_attach_span(request);
    for (int i = 0; i < 10; i++)
        submit(i);
    waggle_detach(scope);
    pthread_mutex_lock(&lock);
    while (open_jobs > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    waggle_span_end(request);
    return waggle_shutdown(2000) ? 0 : 1;
}
