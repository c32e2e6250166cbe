/** Words of signing in and of the Settings screen. */
import type { Role, Scope } from '../api/accounts';

const role: Record<Role, string> = { viewer: 'viewer', analyst: 'analyst', admin: 'administrator' };
const roleMeans: Record<Role, string> = {
  viewer: 'looks at everything but accounts',
  analyst: 'also works on alerts, rules and exceptions',
  admin: 'also makes accounts and tokens',
};
const scope: Record<Scope, string> = {
  read: 'read: what a viewer may',
  write: 'write: what an analyst may',
  admin: 'admin: everything',
  ingest: 'ingest: only send events',
};

export const w = {
  role,
  roleMeans,
  scope,
  tabs: { account: 'Account', channels: 'Channels', lists: 'Exceptions', bans: 'Kept out', intel: 'Threat intelligence', storage: 'Storage', users: 'Users', tokens: 'API tokens', sessions: 'Sessions', audit: 'Audit log' },
  title: 'Settings',
  tabsLabel: 'Settings',

  signIn: {
    title: 'Sign in to Tocsin',
    name: 'Name',
    password: 'Password',
    go: 'Sign in',
    out: 'Sign out',
  },

  provider: {
    or: 'or',
    go: (name: string) => `Sign in with ${name}`,
    other: 'Signing in did not work. Try again.',
    why: {
      cancelled: 'You did not sign in there. Try again.',
      role: 'You are known there, but have no role in Tocsin: ask its administrator to add you to a group that has one.',
      name: 'There is an account of your name here already that is not yours: ask the administrator of Tocsin.',
      provider: 'The sign-in service did not answer as it should. Try again in a moment; the administrator finds the reason in the audit log.',
      expired: 'That took too long, or was begun elsewhere. Try again.',
      refused: 'The answer of the sign-in service was not taken. Try again; the administrator finds the reason in the audit log.',
    } as Record<string, string | undefined>,
  },

  setup: {
    title: 'Make the first account',
    text: 'It will be an administrator. The token was written to the file setup-token in the data directory when Tocsin started, for nobody else to read; where other machines reach Tocsin it was printed too.',
    free: 'There are no accounts: everybody on this machine may do everything here. With the first account, everybody has to sign in.',
    token: 'Token',
    hint: 'At least 12 letters',
    go: 'Make the account',
  },

  account: {
    title: 'Your account',
    change: 'Change your password',
    old: 'Password until now',
    new: 'New password',
    go: 'Change it',
    changed: 'Changed; your other sessions have ended.',
  },

  users: {
    byProvider: 'signs in with the provider, which gives the role',
    title: 'Users',
    name: 'Name',
    role: 'Role',
    created: 'Made',
    sessions: 'Sessions',
    add: 'Add somebody',
    password: 'Password',
    go: 'Add',
    added: (name: string) => `${name} can sign in now`,
    remove: 'Remove',
    really: 'Really remove',
    roleOf: (name: string) => `Role of ${name}`,
    newPassword: 'New password',
    newPasswordOf: (name: string) => `New password of ${name}`,
    set: 'Set',
    end: 'End sessions',
  },

  tokens: {
    title: 'API tokens',
    note: 'For programs: send one as “Authorization: Bearer …”. It is shown once.',
    none: 'No token has been made.',
    name: 'Name',
    scope: 'May',
    by: 'Made by',
    created: 'Made',
    used: 'Last used',
    never: 'never',
    go: 'Make a token',
    made: (name: string) => `The token ${name}. Copy it now, it is not shown again:`,
    copy: 'Copy',
    remove: 'Take back',
    really: 'Really take back',
  },

  sessions: { title: 'Sessions', user: 'User', address: 'From', created: 'Since', seen: 'Last used', own: 'this one', end: 'End all of them' },

  audit: {
    title: 'Audit log',
    search: 'Filter by name, address or what was done',
    time: 'Time',
    who: 'Who',
    address: 'From',
    what: 'What',
    status: 'Answer',
    none: 'Nothing was done yet',
    noMatch: 'No entry matches',
    older: 'Older',
    newest: 'Newest',
    export: 'Export as CSV',
  },
} as const;
