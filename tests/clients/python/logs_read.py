# SPDX-License-Identifier: Apache-2.0
# The events of a group with boto3: logs_read.py URL GROUP.  Prints them as JSON.
import json
import sys

import boto3

client = boto3.client('logs', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')
group = sys.argv[2]
streams = client.describe_log_streams(logGroupName=group)['logStreams']
events = [e for page in client.get_paginator('filter_log_events').paginate(logGroupName=group) for e in page['events']]
print(json.dumps({'streams': [s['logStreamName'] for s in streams], 'events': events}))
