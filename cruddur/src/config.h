// SPDX-License-Identifier: Apache-2.0
/* config.h - what the command line and the environment ask for */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Read once at start; borrowed strings of the command line and the environment. */
struct config {
    const char *host;         /* IPv4 address to listen on; 127.0.0.1 */
    uint16_t port;            /* of the API; 4567; 0: any */
    uint16_t page_port;       /* of the page; 3000; 0: any */
    bool has_page;            /* the page is served */
    const char *page_folder;  /* where the built page lies */
    const char *page_otlp;    /* where browsers send their traces; "" = the page is not traced */
    const char *page_headers; /* and with which headers: "k=v,k2=v2" */
    const char *database;     /* file; ":memory:" keeps nothing */
    bool bootcamp;            /* the course's fixed answers, bugs and CORS */
    bool quiet;               /* no line of the log on standard error */
    bool trouble;             /* requests may ask to be slow or to fail */
    const char *frontend_url; /* the origins whose pages may call the API; NULL: the page's and */
    const char *backend_url;  /* the API's own on this machine */
    const char *announce_url; /* is told of each new post; NULL: nobody */
};

/* Fill *ret_config. Prints to standard error what is wrong, or the help asked for.
 * Returns -1 to go on, else the exit code. */
int config_read(int argc, char **argv, struct config *ret_config);
