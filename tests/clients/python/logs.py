# SPDX-License-Identifier: Apache-2.0
# CloudWatch Logs through boto3, as scripts use it: logs.py URL.  Prints ok.
import sys
import time

import boto3
from botocore.config import Config

client = boto3.client('logs', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b',
                      config=Config(inject_host_prefix=False))
now = int(time.time() * 1000)
client.create_log_group(logGroupName='boto', tags={'made-by': 'boto3'})
try:
    client.create_log_group(logGroupName='boto')
    raise SystemExit('made twice')
except client.exceptions.ResourceAlreadyExistsException:
    pass
client.put_retention_policy(logGroupName='boto', retentionInDays=14)
for stream in ('a', 'b'):
    client.create_log_stream(logGroupName='boto', logStreamName=stream)
    answer = client.put_log_events(logGroupName='boto', logStreamName=stream, logEvents=[
        {'timestamp': now + i, 'message': '%s %d \u00e9 \U0001f41d' % (stream, i)} for i in range(25)])
    assert 'rejectedLogEventsInfo' not in answer and len(answer['nextSequenceToken']) == 56

group, = client.describe_log_groups(logGroupNamePrefix='bo')['logGroups']
assert group['retentionInDays'] == 14 and group['arn'].startswith('arn:aws:logs:eu-west-1:') and group['storedBytes'] > 0, group
streams = [s['logStreamName'] for page in client.get_paginator('describe_log_streams').paginate(logGroupName='boto', PaginationConfig={'PageSize': 1}) for s in page['logStreams']]
assert streams == ['a', 'b'], streams
events = [e for page in client.get_paginator('filter_log_events').paginate(logGroupName='boto', filterPattern='"1"', PaginationConfig={'PageSize': 7}) for e in page['events']]
assert len(events) == 2 * 12, len(events)  # 1, 10 to 19, 21
assert len({e['eventId'] for e in events}) == len(events)
assert events[0]['message'].endswith('\u00e9 \U0001f41d')

seen, token = [], None
while True:
    page = client.get_log_events(logGroupName='boto', logStreamName='a', startFromHead=True, limit=10, **({'nextToken': token} if token else {}))
    if page['nextForwardToken'] == token:
        break
    seen += [e['message'] for e in page['events']]
    token = page['nextForwardToken']
assert seen == ['a %d \u00e9 \U0001f41d' % i for i in range(25)], seen

try:
    client.get_log_events(logGroupName='boto', logStreamName='none')
    raise SystemExit('a stream that is none')
except client.exceptions.ResourceNotFoundException as e:
    assert str(e).endswith('The specified log stream does not exist.'), e
client.delete_log_stream(logGroupName='boto', logStreamName='a')
client.delete_log_group(logGroupName='boto')
assert client.describe_log_groups()['logGroups'] == []

sts = boto3.client('sts', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')
assert sts.get_caller_identity()['Account'] == '000000000000'
print('ok')
