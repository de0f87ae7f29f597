// SPDX-License-Identifier: Apache-2.0
/* A host of the plugin that does not know of tracing. It links the API for the plugin's sake, no
 * SDK. */
#include <stdio.h>

int plugin_work(int n);

int main(void)
{
    printf("%d\n", plugin_work(12));
    return 0;
}
