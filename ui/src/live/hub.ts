/**
 * One event stream, kept open: in comes `/api/v1/stream`, out go parsed messages to one sink.
 * Runs in the shared worker (one stream for all tabs: the sixth tab over HTTP/1.1 would hang
 * otherwise) or, where there is none, in the page. Never touches the DOM.
 */
import type { Alert, Tick } from '../api/types';

export const STREAM_URL = '/api/v1/stream';

/** Heartbeats kept for tabs that open later. */
export const TICKS_MAX = 300;

const BACKOFF_FIRST_MS = 1000;
const BACKOFF_MAX_MS = 15_000;

export type StreamMessage =
  | { kind: 'open' }
  | { kind: 'lost' }
  | { kind: 'tick'; tick: Tick }
  | { kind: 'history'; ticks: Tick[] }
  | { kind: 'alert'; alert: Alert }
  /** The server says that we were too slow and missed some. */
  | { kind: 'resync' };

export type Command = 'hello' | 'bye' | 'retry';

export class Hub {
  readonly #send: (message: StreamMessage) => void;
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #backoffMs = BACKOFF_FIRST_MS;
  #ticks: Tick[] = [];

  constructor(send: (message: StreamMessage) => void) {
    this.#send = send;
  }

  /** What has been heard so far. */
  get ticks(): Tick[] {
    return this.#ticks;
  }

  open() {
    if (this.#source) return;
    clearTimeout(this.#timer);
    const source = new EventSource(STREAM_URL);
    this.#source = source;
    source.addEventListener('open', () => {
      this.#backoffMs = BACKOFF_FIRST_MS;
      this.#send({ kind: 'open' });
    });
    source.addEventListener('tick', (event) => {
      const tick = parse<Tick>(event);
      if (!tick) return;
      this.#ticks = [...this.#ticks.slice(1 - TICKS_MAX), tick];
      this.#send({ kind: 'tick', tick });
    });
    source.addEventListener('alert', (event) => {
      const alert = parse<Alert>(event);
      if (alert) this.#send({ kind: 'alert', alert });
    });
    source.addEventListener('resync', () => this.#send({ kind: 'resync' }));
    source.addEventListener('error', () => {
      this.#send({ kind: 'lost' });
      // The browser reconnects by itself, except after an HTTP error: then it closes for good.
      if (source.readyState === EventSource.CLOSED) this.#again();
    });
  }

  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  /** Connects anew, now. */
  retry() {
    this.close();
    this.#backoffMs = BACKOFF_FIRST_MS;
    this.open();
  }

  #again() {
    this.close();
    this.#timer = setTimeout(() => this.open(), this.#backoffMs);
    this.#backoffMs = Math.min(BACKOFF_MAX_MS, this.#backoffMs * 2);
  }
}

function parse<T>(event: Event): T | null {
  try {
    return JSON.parse((event as MessageEvent<string>).data) as T;
  } catch {
    return null;
  }
}
