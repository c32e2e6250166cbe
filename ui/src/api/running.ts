/** Channels, deliveries, exceptions: what administrators look after. */
import { useQuery } from '@tanstack/react-query';
import { getJson, sendJson } from './client';
import { API, queryClient } from './queries';

export interface DeadNotice {
  key: string;
  channel: string;
  alert: string;
  title: string;
  attempts: number;
  answer: string | null;
  given_up: string;
}

export const useDead = () =>
  useQuery({
    queryKey: ['dead'],
    queryFn: ({ signal }) => getJson<{ notices: DeadNotice[]; total: number }>(`${API}/notices/dead`, { limit: '200' }, signal),
    refetchInterval: 10_000,
  });

export const testChannel = (name: string) => sendJson<{ delivered: boolean; answer: string }>('POST', `${API}/channels/${encodeURIComponent(name)}/test`, {});

export async function retryNotices(keys: string[]) {
  const done = await sendJson<{ retried: number }>('POST', `${API}/notices/retry`, { keys });
  await queryClient.invalidateQueries({ queryKey: ['dead'] });
  return done;
}

export interface Exception {
  id: number;
  rule: string | null;
  rule_title: string | null;
  pack: string | null;
  condition: string;
  reason: string;
  owner: string;
  created: string;
  created_by: string;
  expires: string | null;
  state: 'active' | 'expired' | 'removed';
  hidden: number;
}

export const useExceptions = (all: boolean) =>
  useQuery({
    queryKey: ['exceptions', all],
    queryFn: ({ signal }) => getJson<{ exceptions: Exception[] }>(`${API}/exceptions`, { all: all ? 'true' : '' }, signal),
  });

const again = () => queryClient.invalidateQueries({ queryKey: ['exceptions'] });

export async function removeException({ id, by }: { id: number; by: string }) {
  await sendJson('DELETE', `${API}/exceptions/${id}${by === '' ? '' : `?by=${encodeURIComponent(by)}`}`, {});
  await again();
}

export interface Allow {
  allow: { what: string; value: string };
  reason: string;
  owner: string;
  expires: string;
  confirm: boolean;
  by?: string;
}

export async function addAllow(entry: Allow) {
  await sendJson('POST', `${API}/exceptions`, entry);
  await again();
}
