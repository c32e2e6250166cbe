/**
 * What is done to the rows that are selected, or to the one that is marked; and taking it back.
 * In: queries. Out: a change on the server by query, shown at once.
 */
import { useCallback, useEffect, useState } from 'react';
import { useMayChange, useMe } from '../../api/accounts';
import { changeMany, showChange, undoMany } from '../../api/triage';
import type { Alert, AlertChange } from '../../api/types';
import { useKeys } from '../../lib/keys';
import { usePrefs } from '../../lib/prefs';
import { Icon } from '../../parts/icons';
import { t } from '../../strings';
import { w } from '../../words/alerts';
import { CloseMenu } from './triage';

/** How long a change can be taken back with one key. */
const UNDO_MS = 10_000;

/** Alerts to change: what to ask the server for, and which rows on the page are meant. */
export interface Target {
  queries: Record<string, string>[];
  hit: (alert: Alert) => boolean;
  /** How many; for words. */
  count: number;
  words: string;
}

interface Done {
  words: string;
  undo: string[];
}

function useDoing(target: Target | undefined, after: () => void) {
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState<Done>();
  const [error, setError] = useState<string>();
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(undefined), UNDO_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const run = async (work: () => Promise<Done | undefined>) => {
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      setDone(await work());
    } catch (cause) {
      setError(cause instanceof Error ? cause.message : String(cause));
    } finally {
      setBusy(false);
    }
  };
  const by = name === '' ? {} : { by: name };
  const change = (wanted: AlertChange, words: (count: number) => string) => {
    if (!target) return;
    showChange(wanted, target.hit);
    void run(async () => {
      const all = await changeMany(target.queries, { ...wanted, ...by });
      const count = all.reduce((sum, one) => sum + one.changed, 0);
      after();
      return { words: count === 0 ? w.nothing : words(count), undo: all.flatMap((one) => one.undo ?? []) };
    });
  };
  const undo = () => {
    if (!done || done.undo.length === 0) return;
    void run(async () => ({ words: w.undone(await undoMany(done.undo, name)), undo: [] }));
  };
  return { name, busy, done, error, change, undo };
}

interface Props {
  target: Target | undefined;
  /** Something is selected, not only marked. */
  selected: boolean;
  clear: () => void;
  /** The open alert has the keys. */
  keys: boolean;
}

export function Bulk(props: Props) {
  return useMayChange() ? <Doing {...props} /> : null;
}

function Doing({ target, selected, clear, keys }: Props) {
  const after = useCallback(() => undefined, []);
  const { name, busy, done, error, change, undo } = useDoing(target, after);
  const [choosing, setChoosing] = useState(false);
  const acknowledge = () => change({ status: 'acknowledged' }, w.acknowledged);
  const take = () => name !== '' && change({ owner: name }, (count) => w.taken(count, name));
  useKeys(keys ? { a: acknowledge, i: take, e: () => target && setChoosing(true), z: undo } : {});
  return (
    <div className="bulk actions" role="group" aria-label={w.actions}>
      {target && (selected || !done) && <span className="note" data-testid="target">{target.words}</span>}
      {target && (
        <>
          <button type="button" className="button" disabled={busy} onClick={acknowledge}><Icon name="check" size={13} />{t.triage.acknowledge}<kbd>{'a'}</kbd></button>
          <CloseMenu open={choosing} show={setChoosing} pick={(disposition) => change({ disposition }, (count) => w.closed(count, t.disposition[disposition]))} />
          {name !== '' && <button type="button" className="button" disabled={busy} onClick={take}>{t.triage.take}<kbd>{'i'}</kbd></button>}
          {selected && <button type="button" className="text-button" onClick={clear}>{w.deselect}</button>}
        </>
      )}
      <span role="status" className="note" data-testid="done">
        {error === undefined ? (busy ? w.working : done?.words) : <span className="wrong">{error}</span>}
      </span>
      {done && done.undo.length > 0 && <button type="button" className="text-button" onClick={undo}>{t.triage.undo}<kbd>{'z'}</kbd></button>}
    </div>
  );
}
