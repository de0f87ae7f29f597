# SPDX-License-Identifier: Apache-2.0
# The sampler of the X-Ray SDK for Python, as a program has it, without its threads and their pauses:
# it fetches rules, decides 200 requests, reports and gets targets.  Prints what it then knows.
#   AWS_XRAY_DAEMON_ADDRESS=127.0.0.1:2000 python3 sampling.py
import json

from aws_xray_sdk.core.context import Context
from aws_xray_sdk.core.daemon_config import DaemonConfig
from aws_xray_sdk.core.sampling.sampler import DefaultSampler

sampler = DefaultSampler()
sampler._started = True
sampler.load_settings(DaemonConfig(), Context())
sampler._rule_poller._refresh_cache()
request = {'service': 'backend-flask', 'host': 'localhost:4567', 'method': 'GET', 'path': '/api/activities/home'}
taken = sum(1 for _ in range(200) if sampler.should_trace(dict(request)))
sampler._target_poller._do_work()
print(json.dumps({'taken': taken, 'rules': [
    {'name': r.name, 'rate': r.rate, 'quota': r.reservoir.quota, 'ttl': r.reservoir.TTL} for r in sampler._cache.rules]}))
