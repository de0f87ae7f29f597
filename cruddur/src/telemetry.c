// SPDX-License-Identifier: Apache-2.0
/* telemetry.c - the four services, by the environment; see telemetry.h
 *
 * Whoever receives may be away, at start or later: Cruddur serves on, standard error is told once,
 * and what the buffers hold is sent when it is back. So an export has ten minutes unless the
 * environment says otherwise.
 *
 * Threads: start and stop one; the error handler any. */
#include "telemetry.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <waggle/tls.h>

enum { LAST_SEND_MS = 3000, PATIENCE_MS = 600000, DELAY_MS = 500 };

static const char *env(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static struct {
    pthread_mutex_t mu; /* of all below */
    bool started;       /* what is said before is of the environment, and all is told */
    bool told;
    uint64_t exported; /* when it was told */
} heard = {.mu = PTHREAD_MUTEX_INITIALIZER};

/* Tells of the first trouble since something was delivered. */
static void trouble(void *self, enum waggle_level level, const char *text)
{
    waggle_stats stats;
    (void)self;
    (void)level;
    waggle_get_stats(&stats, sizeof stats);
    (void)pthread_mutex_lock(&heard.mu); // a plain mutex: does not fail
    bool started = heard.started;
    bool news = !started || !heard.told || stats.exported > heard.exported;
    heard.told = started;
    heard.exported = stats.exported;
    (void)pthread_mutex_unlock(&heard.mu);
    if (news)
        fprintf(stderr,
                started ? "cruddur: telemetry is not delivered, serving on: %s\n" : "cruddur: %s\n",
                text);
}

static void start_otel(const char *service)
{
    static const char *const defaults[][2] = {{"OTEL_EXPORTER_OTLP_TIMEOUT", "600000"},
                                              {"OTEL_BSP_EXPORT_TIMEOUT", "600000"},
                                              {"OTEL_BLRP_EXPORT_TIMEOUT", "600000"},
                                              {"OTEL_BSP_SCHEDULE_DELAY", "500"},
                                              {"OTEL_LOGS_EXPORTER", "none"}};
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        (void)setenv(defaults[i][0], defaults[i][1], 0); // without memory: the SDK's own default
    waggle_tls_use();
    waggle_set_error_handler(trouble, NULL, WAGGLE_LEVEL_INFO);
    if (waggle_init(
            &(waggle_options){.service_name = service, .service_version = CRUDDUR_VERSION}) != 0)
        fprintf(stderr, "cruddur: OpenTelemetry is off: the environment asks for what is not\n");
}

/* --- logs to elsewhere -------------------------------------------------------------------------
 */

enum { ITEMS_AND_REPORTS_ALONE = 25 }; /* above every severity: a line is no item */

/* Log records go to the exporter, too, from a thread of its own. NULL: it could not be made, of
 * which the error handler was told. */
static void add_logs(struct waggle_exporter *exporter)
{
    if (exporter != NULL)
        (void)waggle_provider_add_log(
            waggle_provider_global(), // the first of eight
            waggle_batch_processor_new(exporter,
                                       &(waggle_batch_options){.signal = WAGGLE_SIGNAL_LOGS,
                                                               .export_timeout_ms = PATIENCE_MS,
                                                               .schedule_delay_ms = DELAY_MS}));
}

static void start_logs(const struct config *config)
{
    if (waggle_provider_global() == NULL)
        return;
    if (env("ROLLBAR_ACCESS_TOKEN") != NULL)
        add_logs(waggle_rollbar_exporter_new(&(waggle_rollbar_options){
            .min_severity = ITEMS_AND_REPORTS_ALONE, .timeout_ms = PATIENCE_MS}));
    if (env("AWS_ACCESS_KEY_ID") != NULL && env("AWS_SECRET_ACCESS_KEY") != NULL)
        add_logs(waggle_cloudwatch_exporter_new(&(waggle_cloudwatch_options){
            .group = env("OTEL_C_CLOUDWATCH_GROUP") != NULL ? NULL : "cruddur",
            .raw = config->bootcamp, // the course's lines are plain text
            .timeout_ms = PATIENCE_MS}));
}

void telemetry_start(const struct config *config, struct telemetry *ret_telemetry)
{
    const char *service = env("OTEL_SERVICE_NAME");
    const char *daemon_address = env("AWS_XRAY_DAEMON_ADDRESS");
    if (service == NULL)
        service = "backend-flask";
    start_otel(service);
    start_logs(config);
    (void)pthread_mutex_lock(&heard.mu);
    heard.started = true;
    (void)pthread_mutex_unlock(&heard.mu);
    *ret_telemetry = (struct telemetry){NULL};
    if (daemon_address != NULL)
        ret_telemetry->xray = xray_new(service, env("AWS_XRAY_URL"), daemon_address);
}

void telemetry_stop(struct telemetry *telemetry)
{
    xray_free(telemetry->xray);
    if (waggle_provider_global() != NULL && !waggle_shutdown(LAST_SEND_MS))
        fprintf(stderr, "cruddur: the last telemetry was not delivered\n");
}
