/** Words of searches that people keep. */
export const w = {
  kept: {
    button: 'Kept',
    title: 'Kept searches',
    name: 'Keep this search as',
    share: 'for everybody',
    keep: 'Keep',
    replace: 'Replace',
    done: (name: string) => `Kept: ${name}`,
    none: 'No search is kept yet',
    of: (shared: boolean, owner: string) => (shared ? (owner === '' ? 'for everybody' : `by ${owner}, for everybody`) : owner === '' ? '' : 'yours'),
    remove: (name: string) => `Remove ${name}`,
  },
} as const;
