/** Who is kept out, was, or would have been. */
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { getJson, sendJson } from './client';
import { API, queryClient } from './queries';

/** A rule may ban an address while somebody looks. */
const BANS_EVERY_MS = 2000;
const SHOWN = 100;

export const HELD = ['planned', 'wanted', 'active', 'unwanted'] as const;
export type Held = (typeof HELD)[number];
export type BanState = Held | 'refused' | 'failed' | 'lifted' | 'expired';

export interface Ban {
  id: number;
  /** The address, or `user` and a name. */
  address: string;
  user: string | null;
  state: BanState;
  note: string | null;
  reason: string;
  by: string;
  alert: string | null;
  rule_title: string | null;
  created: string;
  expires: string;
  changed: string;
}

export interface Bans {
  mode: 'off' | 'dry_run' | 'enforce';
  bans: Ban[];
  /** Where the next page begins. */
  next: number | null;
}

export interface BanStep {
  time: string;
  who: string;
  state: BanState;
  note: string | null;
}

/** Those in force; what an address or user has to do with it. */
export const useBans = () =>
  useQuery({
    queryKey: ['bans'],
    queryFn: ({ signal }) => getJson<Bans>(`${API}/bans`, { limit: '500' }, signal),
    refetchInterval: BANS_EVERY_MS,
  });

/** A page of them; `all`: also those that are over or were refused. */
export const useBanList = (all: boolean, before: number | null) =>
  useQuery({
    queryKey: ['bans', 'list', all, before],
    queryFn: ({ signal }) => getJson<Bans>(`${API}/bans`, { limit: String(SHOWN), ...(all ? { state: 'all' } : {}), ...(before === null ? {} : { before: String(before) }) }, signal),
    refetchInterval: BANS_EVERY_MS,
    placeholderData: keepPreviousData,
  });

export const useBanSteps = (id: number, changed: string) =>
  useQuery({
    queryKey: ['bans', 'steps', id, changed],
    queryFn: ({ signal }) => getJson<BanStep[]>(`${API}/bans/${id}/activity`, {}, signal),
  });

export interface Wish {
  address?: string;
  user?: string;
  reason: string;
  lasts?: string;
  alert?: string;
  confirm: boolean;
  by?: string;
}

export const bansAgain = () => queryClient.invalidateQueries({ queryKey: ['bans'] });

export const ban = (wish: Wish) => sendJson<Ban>('POST', `${API}/bans`, wish);

export const lift = ({ id, by }: { id: number; by: string }) => sendJson('DELETE', `${API}/bans/${id}${by === '' ? '' : `?by=${encodeURIComponent(by)}`}`, {});

/** Of the guard rails, this one is for a person to judge. */
export const despiteLogin = (error: Error | null) => error?.message.includes('logged in well') === true;

export const isHeld = (state: BanState): state is Held => HELD.some((each) => each === state);
