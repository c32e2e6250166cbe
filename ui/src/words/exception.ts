/** Words of the exception dialog. */
import { n } from './count';

export const w = {
  open: 'Ignore …',
  offer: 'Do not alert about this again …',
  title: 'Do not alert about this again',
  scope: 'Of',
  scopes: { rule: (name: string) => `this rule: ${name}`, pack: (name: string) => `every rule of the pack ${name}`, all: () => 'every rule there is' },
  condition: 'Stay quiet about alerts with',
  reason: 'Why',
  reasonHint: 'for example: the nightly backup logs in like this',
  owner: 'Who answers for it',
  expires: 'For',
  spans: { '7d': '7 days', '30d': '30 days', '90d': '90 days', never: 'ever' },
  tested: (days: number, hidden: number, all: number) => `In the last ${n(days)} days it would have hidden ${n(hidden)} of ${n(all)} alerts.`,
  positives: (count: number) => `${n(count)} of them were closed as true positive.`,
  confirm: 'Save it all the same',
  save: 'Add exception',
  cancel: 'Cancel',
} as const;
