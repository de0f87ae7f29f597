# SPDX-License-Identifier: Apache-2.0
# The bootcamp's workflow by boto3: groups and sampling rules made, listed, changed, deleted; what is
# wrong is refused with the model's exceptions.  Prints ok.
#   python3 workflow.py http://127.0.0.1:4318
import sys

import boto3
from botocore.exceptions import ClientError

x = boto3.client('xray', endpoint_url=sys.argv[1], region_name='eu-west-1', aws_access_key_id='a', aws_secret_access_key='b')


def refused(name, call, **args):
    try:
        call(**args)
    except ClientError as e:
        assert e.response['Error']['Code'] == name, e
        return e.response['Error']['Message']
    raise AssertionError('%s was not raised' % name)


group = x.create_group(GroupName='boto', FilterExpression='service("backend-flask") {fault OR error}', Tags=[{'Key': 'team', 'Value': 'a'}])['Group']
assert group['GroupARN'].startswith('arn:aws:xray:eu-west-1:'), group
assert x.get_group(GroupARN=group['GroupARN'])['Group'] == group
assert 'boto' in [g['GroupName'] for page in x.get_paginator('get_groups').paginate() for g in page['Groups']]
assert x.list_tags_for_resource(ResourceARN=group['GroupARN'])['Tags'] == [{'Key': 'team', 'Value': 'a'}]
x.tag_resource(ResourceARN=group['GroupARN'], Tags=[{'Key': 'env', 'Value': ''}])
x.untag_resource(ResourceARN=group['GroupARN'], TagKeys=['team'])
assert x.list_tags_for_resource(ResourceARN=group['GroupARN'])['Tags'] == [{'Key': 'env', 'Value': ''}]
assert 'exists already' in refused('InvalidRequestException', x.create_group, GroupName='boto')
assert 'position 8' in refused('InvalidRequestException', x.update_group, GroupName='boto', FilterExpression='service(}')
x.delete_group(GroupName='boto')
refused('InvalidRequestException', x.get_group, GroupName='boto')
refused('ResourceNotFoundException', x.list_tags_for_resource, ResourceARN=group['GroupARN'])

rule = {'RuleName': 'boto', 'ResourceARN': '*', 'Priority': 5000, 'FixedRate': 0.25, 'ReservoirSize': 2, 'ServiceName': 'a*', 'ServiceType': '*',
        'Host': '*', 'HTTPMethod': 'GET', 'URLPath': '/x/*', 'Version': 1, 'Attributes': {'k': 'v'}}
made = x.create_sampling_rule(SamplingRule=rule)['SamplingRuleRecord']
assert {k: v for k, v in made['SamplingRule'].items() if k != 'RuleARN'} == rule, made
changed = x.update_sampling_rule(SamplingRuleUpdate={'RuleARN': made['SamplingRule']['RuleARN'], 'FixedRate': 0.5})['SamplingRuleRecord']
assert changed['SamplingRule'] == {**made['SamplingRule'], 'FixedRate': 0.5} and changed['ModifiedAt'] > changed['CreatedAt']
names = [r['SamplingRule']['RuleName'] for page in x.get_paginator('get_sampling_rules').paginate() for r in page['SamplingRuleRecords']]
assert names[-1] == 'Default' and 'boto' in names, names
assert 'less than or equal to 9999' in refused('InvalidRequestException', x.update_sampling_rule, SamplingRuleUpdate={'RuleName': 'boto', 'Priority': 10000})
assert x.delete_sampling_rule(RuleName='boto')['SamplingRuleRecord']['SamplingRule']['RuleName'] == 'boto'
refused('InvalidRequestException', x.delete_sampling_rule, RuleName='Default')
list(x.get_paginator('get_sampling_statistic_summaries').paginate())
assert x.get_encryption_config()['EncryptionConfig'] == {'Status': 'ACTIVE', 'Type': 'NONE'}
refused('InvalidRequestException', x.put_encryption_config, Type='KMS', KeyId='alias/a')
assert x.get_insight_summaries(StartTime=1, EndTime=2)['InsightSummaries'] == []
print('ok')
