// SPDX-License-Identifier: Apache-2.0
/* views.h - what answers the routes; a file for each */
#pragma once

#include "routes.h"

view_fn view_health_check, view_home, view_notifications, view_search, view_profile,
    view_show_activity, view_create_activity, view_create_reply, view_message_groups, view_messages,
    view_create_message, view_rollbar_test;
