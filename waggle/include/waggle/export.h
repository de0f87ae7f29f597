// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/export.h - what every public header needs: visibility and the version
 */
#ifndef WAGGLE_EXPORT_H
#define WAGGLE_EXPORT_H

#define WAGGLE_VERSION       "0.1.0"
#define WAGGLE_VERSION_MAJOR 0
#define WAGGLE_VERSION_MINOR 1
#define WAGGLE_VERSION_PATCH 0

#if defined(__GNUC__)
#define WAGGLE_EXPORT __attribute__((visibility("default")))
#else
#define WAGGLE_EXPORT
#endif

#endif
