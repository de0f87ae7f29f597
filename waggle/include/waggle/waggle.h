// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/waggle.h - all of waggle
 *
 * A program includes this one. A library that is only instrumented includes waggle/api.h (and
 * waggle/context.h, waggle/propagation.h) and needs no SDK.
 */
#ifndef WAGGLE_WAGGLE_H
#define WAGGLE_WAGGLE_H

#include "waggle/api.h"
#include "waggle/baggage.h"
#include "waggle/bridge.h"
#include "waggle/cloudwatch.h"
#include "waggle/composite.h"
#include "waggle/config.h"
#include "waggle/context.h"
#include "waggle/db.h"
#include "waggle/error.h"
#include "waggle/export.h"
#include "waggle/http.h"
#include "waggle/logs.h"
#include "waggle/metrics.h"
#include "waggle/plugin.h"
#include "waggle/prometheus.h"
#include "waggle/propagation.h"
#include "waggle/reader.h"
#include "waggle/record.h"
#include "waggle/resource.h"
#include "waggle/rollbar.h"
#include "waggle/sdk.h"
#include "waggle/transport.h"
#include "waggle/value.h"

#endif
