/** Words of the dialog that blocks an address. */
export const w = {
  open: 'Block …',
  title: (address: string) => `Block ${address}`,
  lasts: 'For',
  spans: { rule: 'as long as a rule would', '1h': 'an hour', '1d': 'a day', '7d': 'a week' },
  reason: 'Why',
  save: 'Block it',
  despite: 'Block it all the same',
  cancel: 'Cancel',
  dryRun: 'This is a dry run: it is recorded, and the firewall is left alone.',
  off: 'Blocking is switched off here (respond.mode).',
  state: { planned: 'would be kept out', wanted: 'is about to be kept out', active: 'is kept out', unwanted: 'is about to be let in' },
  held: (address: string, state: string) => `${address} ${state} until `,
  lift: 'Let it in again',
} as const;
