/**
 * The page's view of the live stream: heartbeats, whether what is shown can be trusted to be
 * current, and alerts as they are raised. React reads it with `useStream`.
 */
import { useSyncExternalStore } from 'react';
import type { Alert, Tick } from '../api/types';
import { Hub, TICKS_MAX, type Command, type StreamMessage } from './hub';
import { phaseAt, type Phase } from './phase';
// oxlint-disable-next-line import/default -- Vite makes the module from the query
import workerUrl from './sse-worker?sharedworker&url';

const CHECK_MS = 500;

/** Alerts within this time reach the screens together: one drawing, not hundreds. */
const GATHER_MS = 100;

export interface StreamState {
  phase: Phase;
  /** When the last heartbeat came, in this browser's time; null before the first. */
  heardAt: number | null;
  ticks: readonly Tick[];
}

interface Link {
  command(word: Command): void;
}

/** The only Trusted Types policy of the page: it lets one script through, the stream's worker. */
function trusted(url: string): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(url: string): unknown } } }).trustedTypes;
  if (!types) return url;
  const policy = types.createPolicy('ui', {
    createScriptURL(asked: string) {
      if (asked !== workerUrl) throw new TypeError(`not a script of this page: ${asked}`);
      return asked;
    },
  });
  return policy.createScriptURL(url) as string;
}

function workerLink(receive: (message: StreamMessage) => void): Link {
  const worker = new SharedWorker(trusted(workerUrl), { type: 'module', name: 'tocsin-stream' });
  worker.port.addEventListener('message', (event: MessageEvent<StreamMessage>) => receive(event.data));
  worker.port.start();
  return { command: (word) => worker.port.postMessage(word) };
}

function pageLink(receive: (message: StreamMessage) => void): Link {
  const hub = new Hub(receive);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) hub.close();
    else hub.open();
  });
  const does = { hello: () => hub.open(), bye: () => hub.close(), retry: () => hub.retry() };
  return { command: (word) => does[word]() };
}

class Stream {
  #state: StreamState = { phase: 'connecting', heardAt: null, ticks: [] };
  #waitingSince = 0;
  #link: Link | null = null;
  readonly #listeners = new Set<() => void>();
  readonly #alertListeners = new Set<(alerts: readonly Alert[]) => void>();
  #gathered: Alert[] = [];
  readonly #recoveryListeners = new Set<() => void>();

  /** Connects; called once, when the page starts. */
  start() {
    if (this.#link) return;
    this.#waitingSince = Date.now();
    try {
      this.#link = workerLink(this.#receive);
    } catch {
      this.#link = pageLink(this.#receive);
    }
    const link = this.#link;
    link.command('hello');
    addEventListener('pagehide', () => link.command('bye'));
    addEventListener('pageshow', (event) => {
      if (event.persisted) link.command('hello');
    });
    document.addEventListener('visibilitychange', () => {
      // Timers of hidden tabs sleep: give the stream its time before calling it stale.
      if (!document.hidden) this.#waitingSince = Date.now();
    });
    setInterval(this.#check, CHECK_MS);
  }

  retry() {
    this.#link?.command('retry');
  }

  readonly snapshot = () => this.#state;

  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** Calls back with alerts raised or updated, oldest news first. */
  onAlerts(listener: (alerts: readonly Alert[]) => void) {
    this.#alertListeners.add(listener);
    return () => void this.#alertListeners.delete(listener);
  }

  /** Calls back when news may have been missed: after silence, or when the server says so. */
  onRecovery(listener: () => void) {
    this.#recoveryListeners.add(listener);
    return () => void this.#recoveryListeners.delete(listener);
  }

  readonly #receive = (message: StreamMessage) => {
    if (message.kind === 'alert') this.#gather(message.alert);
    if (message.kind === 'resync') for (const listener of this.#recoveryListeners) listener();
    if (message.kind === 'history') this.#set({ ...this.#state, ticks: message.ticks });
    if (message.kind === 'tick') {
      const ticks = [...this.#state.ticks.slice(1 - TICKS_MAX), message.tick];
      this.#set({ phase: 'live', heardAt: Date.now(), ticks });
    }
  };

  #gather(alert: Alert) {
    this.#gathered.push(alert);
    if (this.#gathered.length > 1) return;
    setTimeout(() => {
      const news = this.#gathered;
      this.#gathered = [];
      for (const listener of this.#alertListeners) listener(news);
    }, GATHER_MS);
  }

  readonly #check = () => {
    if (document.hidden) return;
    const phase = phaseAt(Date.now(), this.#state.heardAt, this.#waitingSince);
    if (phase !== this.#state.phase) this.#set({ ...this.#state, phase });
  };

  #set(next: StreamState) {
    const recovered = this.#state.phase === 'stale' && next.phase === 'live';
    this.#state = next;
    for (const listener of this.#listeners) listener();
    if (recovered) for (const listener of this.#recoveryListeners) listener();
  }
}

export const stream = new Stream();

export function useStream(): StreamState {
  return useSyncExternalStore(stream.subscribe, stream.snapshot);
}
