/** Fetches JSON from the API. Turns every failure into an `ApiError`; never retries by itself. */
import { t } from '../strings';

const TIMEOUT_MS = 30_000;

/** Event of the window: nobody is signed in (any more). */
export const UNAUTHORIZED = 'tocsin-unauthorized';
const STATUS_UNAUTHORIZED = 401;

/** With everything that changes something: no page of another site can send it. */
const PAGE_HEADER = { 'x-tocsin-page': '1' };

export class ApiError extends Error {
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** What to look for in the server's log. */
  readonly requestId: string | null;
  /** Which part of the query is wrong: byte offsets into its UTF-8 form. */
  readonly place: Place | null;

  constructor(message: string, status: number, requestId: string | null, place: Place | null = null) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.requestId = requestId;
    this.place = place;
  }
}

export interface Place {
  start: number;
  end: number;
}

interface ErrorBody {
  error?: { message?: unknown; request_id?: unknown; start?: unknown; end?: unknown };
}

async function errorOf(answer: Response): Promise<ApiError> {
  let body: ErrorBody = {};
  try {
    body = (await answer.json()) as ErrorBody;
  } catch {
    // Not JSON: a proxy answered. The status has to do.
  }
  const message = body.error?.message;
  const requestId = body.error?.request_id;
  const { start, end } = body.error ?? {};
  return new ApiError(
    typeof message === 'string' && message !== '' ? message : t.error.status(answer.status),
    answer.status,
    typeof requestId === 'string' ? requestId : null,
    typeof start === 'number' && typeof end === 'number' ? { start, end } : null,
  );
}

/** GETs `path`; `params` that are empty are left out. */
export async function getJson<T>(
  path: string,
  params: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(name, value);
  }
  return ask<T>(query.size > 0 ? `${path}?${query}` : path, { headers: { accept: 'application/json' } }, signal);
}

/** Sends `body` as JSON; what comes back. */
export async function sendJson<T>(
  method: 'PATCH' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T> {
  const headers = { accept: 'application/json', 'content-type': 'application/json', ...PAGE_HEADER };
  return ask<T>(path, { method, headers, body: JSON.stringify(body) }, signal);
}

async function ask<T>(url: string, init: RequestInit, signal?: AbortSignal): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let answer: Response;
  try {
    answer = await fetch(url, {
      ...init,
      credentials: 'same-origin',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const timedOut = cause instanceof DOMException && cause.name === 'TimeoutError';
    throw new ApiError(timedOut ? t.error.timeout(TIMEOUT_MS / 1000) : t.error.unreachable, 0, null);
  }
  if (answer.status === STATUS_UNAUTHORIZED) dispatchEvent(new Event(UNAUTHORIZED));
  if (!answer.ok) throw await errorOf(answer);
  try {
    return (await answer.json()) as T;
  } catch {
    throw new ApiError(t.error.notJson, answer.status, null);
  }
}
