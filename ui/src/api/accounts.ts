/** Accounts: who one is here, and what administrators see. */
import { useQuery } from '@tanstack/react-query';
import { getJson, sendJson, UNAUTHORIZED } from './client';
import { stream } from '../live/stream';
import { API, queryClient } from './queries';

export const ROLES = ['viewer', 'analyst', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const SCOPES = ['read', 'write', 'admin', 'ingest'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Me {
  /** Whether one has to sign in. */
  accounts: boolean;
  /** Whether the first account is still to be made. */
  setup: boolean;
  name: string | null;
  role: Role | null;
  /** What the provider of identities is called that one can sign in with. */
  provider?: string | null;
}

export function useMe() {
  return useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => getJson<Me>(`${API}/me`, {}, signal),
    staleTime: 60_000,
    retry: false,
  });
}

/** Whether one may change things; the server decides in the end. */
export function useMayChange(): boolean {
  return useMe().data?.role !== 'viewer';
}

/** Asks again who one is when the server says that nobody is signed in. Called once. */
export function watchSession() {
  addEventListener(UNAUTHORIZED, () => void queryClient.invalidateQueries({ queryKey: ['me'] }));
}

/** Another person sees other things: nothing of the one before stays. */
export function become(me: Me) {
  stream.retry();
  queryClient.setQueryData(['me'], me);
  void queryClient.resetQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'me' });
}

export const signIn = (body: { name: string; password: string }) => sendJson<Me>('POST', `${API}/session`, body);
/** Where the browser has to go to sign in with the provider; it comes back to `to`. */
export const startProvider = (to: string) => sendJson<{ url: string }>('POST', `${API}/session/oidc`, { to });
export const signOut = () => sendJson<Me>('DELETE', `${API}/session`, {});
export const setUp = (body: { token: string; name: string; password: string }) => sendJson<Me>('POST', `${API}/setup`, body);
export const changePassword = (body: { old: string; new: string }) => sendJson<Me>('POST', `${API}/password`, body);

export interface User {
  name: string;
  role: Role;
  /** Whether they sign in with the provider, which gives them the role. */
  provided?: boolean;
  created: string;
  changed: string;
  sessions: number;
}

export interface Token {
  name: string;
  scope: Scope;
  made_by: string;
  created: string;
  used: string | null;
}

export interface Session {
  user: string;
  role: Role;
  address: string;
  created: string;
  seen: string;
  own: boolean;
}

export interface AuditEntry {
  seq: number;
  time: string;
  who: string;
  address: string;
  what: string;
  status: number;
}

function useManaged<T>(what: string, params: Record<string, string> = {}) {
  return useQuery({
    queryKey: ['manage', what, params],
    queryFn: ({ signal }) => getJson<T>(`${API}/${what}`, params, signal),
    staleTime: 0,
  });
}

export const useUsers = () => useManaged<{ users: User[] }>('users');
export const useTokens = () => useManaged<{ tokens: Token[] }>('tokens');
export const useSessions = () => useManaged<{ sessions: Session[] }>('sessions');
export const useAudit = (q: string, before: string) => useManaged<{ entries: AuditEntry[]; next: number | null }>('audit', { q, before });

const named = (what: string, name: string) => `${API}/${what}/${encodeURIComponent(name)}`;

export const addUser = (body: { name: string; role: Role; password: string }) => sendJson('POST', `${API}/users`, body);
export const changeUser = ({ name, ...change }: { name: string; role?: Role; password?: string }) => sendJson('PATCH', named('users', name), change);
export const removeUser = (name: string) => sendJson('DELETE', named('users', name), {});
export const endSessions = (name: string) => sendJson('DELETE', named('sessions', name), {});
export const addToken = (body: { name: string; scope: Scope }) => sendJson<{ name: string; token: string }>('POST', `${API}/tokens`, body);
export const removeToken = (name: string) => sendJson('DELETE', named('tokens', name), {});

export const refreshManaged = () => queryClient.invalidateQueries({ queryKey: ['manage'] });
