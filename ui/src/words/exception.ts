/** Words of the exception dialog. */
const n = new Intl.NumberFormat('en');

export const w = {
  open: 'Ignore …',
  offer: 'Do not alert about this again …',
  title: 'Do not alert about this again',
  condition: 'This rule stays quiet about alerts with',
  reason: 'Why',
  reasonHint: 'for example: the nightly backup logs in like this',
  owner: 'Who answers for it',
  expires: 'For',
  spans: { '7d': '7 days', '30d': '30 days', '90d': '90 days', never: 'ever' },
  tested: (days: number, hidden: number, all: number) => `In the last ${n.format(days)} days it would have hidden ${n.format(hidden)} of ${n.format(all)} alerts.`,
  positives: (count: number) => `${n.format(count)} of them were closed as true positive.`,
  confirm: 'Save it all the same',
  save: 'Add exception',
  cancel: 'Cancel',
} as const;
