// SPDX-License-Identifier: Apache-2.0
// Who is told: the kinds of recipients, what each needs, and how they are named.

import { hny } from './api';
import type { Recipient, Told } from './alerts';

// member, label, example, needed
export type Part = [string, string, string, boolean];
export interface Kind { type: string; name: string; parts: Part[]; target: string; about: string }

export const KINDS: Kind[] = [
  { type: 'email', name: 'Mail', target: 'email_address', about: 'The server needs a mail server (--smtp).', parts: [['email_address', 'Addresses, with commas between', 'ann@example.com', true]] },
  { type: 'slack', name: 'Slack-compatible channel', target: 'slack_channel', about: 'An incoming webhook of Slack, Mattermost, Rocket.Chat or Discord (/slack).',
    parts: [['slack_channel', 'Channel', '#alerts', true], ['webhook_url', 'Incoming webhook', 'https://hooks.slack.com/services/…', false]] },
  { type: 'pagerduty', name: 'PagerDuty', target: 'pagerduty_integration_name', about: 'An Events API v2 integration of a service.',
    parts: [['pagerduty_integration_name', 'Name', 'Checkout on call', true], ['pagerduty_integration_key', 'Integration key, 32 signs', '0123456789abcdef0123456789abcdef', true]] },
  { type: 'msteams_workflow', name: 'Microsoft Teams', target: 'webhook_name', about: 'The address of a workflow “Post to a channel when a webhook request is received”.',
    parts: [['webhook_name', 'Name', 'Alerts', true], ['webhook_url', 'Address of the workflow', 'https://….logic.azure.com/workflows/…', true]] },
  { type: 'webhook', name: 'Webhook', target: 'webhook_name', about: 'A program of yours.',
    parts: [['webhook_name', 'Name', 'my program', true], ['webhook_url', 'Address', 'https://example.com/hook', true], ['webhook_secret', 'Secret, sent as X-Honeycomb-Webhook-Token', '', false]] },
];
// Made by Terraform or the API; it is edited as the one it became.
const OLD_TEAMS: Kind = { ...KINDS.find((k) => k.type === 'msteams_workflow')!, type: 'msteams', name: 'Microsoft Teams (connector)' };

export const kindOf = (type: string): Kind => (type === 'msteams' ? OLD_TEAMS : KINDS.find((k) => k.type === type) ?? KINDS[KINDS.length - 1]!);
export const targetOf = (r: Recipient) => String(r.details[kindOf(r.type).target] ?? '');
export const nameOf = (r: Recipient) => `${kindOf(r.type).name}: ${targetOf(r)}`;
export const toldOf = (r: Recipient): Told => ({ id: r.id, type: r.type, target: targetOf(r) });

export const recipients = (signal?: AbortSignal) => hny<Recipient[]>('GET', 'recipients', undefined, signal);
