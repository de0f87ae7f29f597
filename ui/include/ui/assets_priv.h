// SPDX-License-Identifier: Apache-2.0
/* The generated table behind assets.h; assets.c and the generated source alone include this. */
#pragma once

#include "ui/assets.h"

extern const struct skep_asset skep_assets__all[]; /* [skep_assets__n], the document first */
extern const size_t skep_assets__n;
