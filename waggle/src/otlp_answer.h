// SPDX-License-Identifier: Apache-2.0
/*
 * otlp_answer.h - what a receiver says in its answer
 */
#ifndef WAGGLE_OTLP_ANSWER_H
#define WAGGLE_OTLP_ANSWER_H

#include "sdk_priv.h"

/* How many records were rejected, of an Export*ServiceResponse; *ret_message points into the body.
 */
uint64_t waggle__partial_protobuf(waggle_str body, waggle_str *ret_message);
uint64_t waggle__partial_json(waggle_str body, waggle_str *ret_message);

/* The message of a google.rpc.Status; empty if the body is none. */
waggle_str waggle__status_message(waggle_str body);

#endif
