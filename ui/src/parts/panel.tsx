/** A titled box that shows one thing, and what is wrong when it cannot. */
import { Component, useId, type ReactNode } from 'react';
import { ApiError } from '../api/client';
import { t } from '../strings';
import { Icon } from './icons';

/** What a panel needs to know of the query behind it. */
export interface Asked {
  isPending: boolean;
  isFetching: boolean;
  isPlaceholderData: boolean;
  error: Error | null;
  refetch: () => unknown;
  data: unknown;
}

export function Failure({ error, retry, still }: { error: Error; retry: () => unknown; still?: boolean }) {
  const requestId = error instanceof ApiError ? error.requestId : null;
  return (
    <div className={still ? 'failure still' : 'failure'} role={still ? 'status' : 'alert'}>
      <Icon name="cross" />
      <span>
        {still ? `${t.error.refresh}: ${error.message}` : error.message}
        {requestId !== null && <small className="mono">{t.error.request(requestId)}</small>}
      </span>
      <button type="button" className="button" onClick={() => void retry()}>{t.error.retry}</button>
    </div>
  );
}

/** Catches a component that throws, so that its neighbours stay. */
export class Guard extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return <Failure error={new Error(t.error.crash)} retry={() => this.setState({ error: null })} />;
  }
}

/** Bars in the shape of what will come. */
export function Skeleton({ rows }: { rows: number }) {
  return (
    <div className="skeleton" aria-hidden="true">
      {Array.from({ length: rows }, (_, at) => <i key={at} className={`w${at % 4}`} />)}
    </div>
  );
}

interface PanelProps {
  title: string;
  className: string;
  asked: Asked;
  /** Drawn while the first answer is awaited. */
  skeletonRows: number;
  tools?: ReactNode;
  children: ReactNode;
}

export function Panel({ title, className, asked, skeletonRows, tools, children }: PanelProps) {
  const id = useId();
  const missing = asked.data === undefined;
  return (
    <section
      className={`panel ${className}${asked.isPlaceholderData ? ' old' : ''}`}
      aria-labelledby={id}
      aria-busy={missing && asked.isPending}
    >
      <header>
        <h2 id={id}>{title}</h2>
        {tools}
      </header>
      <div className="body">
        {missing && asked.error && <Failure error={asked.error} retry={asked.refetch} />}
        {missing && !asked.error && <Skeleton rows={skeletonRows} />}
        {!missing && <Guard>{children}</Guard>}
      </div>
    </section>
  );
}
