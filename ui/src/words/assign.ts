/** Words of the dialog that assigns an alert and tags it. */
export const w = {
  open: 'Assign, tag …',
  title: 'Who has it, and what it is about',
  owner: 'Owner',
  ownerHint: 'A name; empty is nobody',
  tags: 'Tags',
  tagsHint: 'Words between commas',
  save: 'Save',
  cancel: 'Cancel',
  assigned: (name: string) => (name === '' ? 'Assigned to nobody' : `Assigned to ${name}`),
  tagged: 'Tags changed',
} as const;
