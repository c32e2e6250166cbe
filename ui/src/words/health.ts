/** Words of what the health line stands for. */
import { many, n as written } from './count';

export const w = {
  inputs: 'Inputs',
  noInputs: 'No input is configured',
  channels: 'Notification channels',
  noChannels: 'No channel is configured: alerts go to the alert log only',
  input: 'Input',
  source: 'From',
  received: 'Received',
  last: 'Last event',
  channel: 'Channel',
  delivered: 'Delivered',
  pending: 'Pending',
  failed: 'Failed',
  never: 'never',
  droppedFor: (n: number, reason: string) => `${written(n)} × ${reason}`,
  rules: (loaded: number, refused: number) =>
    `${many(loaded, 'rule', 'rules')} loaded${refused > 0 ? `, ${written(refused)} refused` : ''}`,
  uptime: (time: string) => `up ${time}`,
  version: (version: string) => `Tocsin ${version}`,
  stored: (n: number) => `${written(n)} events stored`,
  silent: (n: number) => many(n, 'source has gone quiet', 'sources have gone quiet'),
  of: 'of',
  blind: (n: number) => `${many(n, 'rule is', 'rules are')} blind without it: `,
  noneBlind: 'No rule is blind without it.',
  alert: 'Open the alert',
  all: 'All sources',
} as const;
