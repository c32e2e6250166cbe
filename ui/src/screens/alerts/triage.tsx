/** What a person does about an alert: acknowledge, close as something, take it, and take it back. */
import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import { useMayChange, useMe } from '../../api/accounts';
import { useChangeAlert } from '../../api/queries';
import { DISPOSITIONS, type Alert, type AlertChange, type AlertCore, type Disposition } from '../../api/types';
import { firstText } from '../../lib/fields';
import { useKeys } from '../../lib/keys';
import { usePrefs } from '../../lib/prefs';
import { undoing } from '../../lib/triage';
import { Block } from '../../parts/ban';
import { Icon } from '../../parts/icons';
import { t } from '../../strings';
import { w } from '../../words/assign';
import { Assign } from './assign';
import { Except } from './exception';

/** How long a change can be taken back with one key. */
const UNDO_MS = 10_000;

interface Done {
  words: string;
  undo: AlertChange;
}

/** Changes the alert, remembers for a while how to take that back, and tells what went wrong. */
function useTriage(core: AlertCore) {
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const { mutate, isPending, error } = useChangeAlert(core.id);
  const [done, setDone] = useState<Done>();
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(undefined), UNDO_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const change = (wanted: AlertChange, words: string) => {
    if (isPending) return;
    const undo = undoing(core, wanted);
    mutate({ ...wanted, version: core.version, ...(name === '' ? {} : { by: name }) }, { onSuccess: () => setDone({ words, undo }) });
  };
  const undo = () => {
    if (!done || isPending) return;
    mutate({ ...done.undo, ...(name === '' ? {} : { by: name }) }, { onSuccess: () => setDone(undefined) });
  };
  return { name, change, undo, done, error };
}

/** A viewer sees what was done, and does nothing. */
export function Actions({ alert }: { alert: Alert }) {
  return useMayChange() ? <Doing alert={alert} /> : null;
}

function Doing({ alert }: { alert: Alert }) {
  const core = alert.tocsin.alert;
  const address = firstText(alert, 'source.ip');
  const { name, change, undo, done, error } = useTriage(core);
  const [choosing, setChoosing] = useState(false);
  const [assigning, setAssigning] = useState(false);
  const acknowledge = () => core.status === 'new' && change({ status: 'acknowledged' }, t.triage.acknowledged);
  // Without accounts it is not known who "me" is: that is asked.
  const take = () => (name === '' ? setAssigning(true) : core.owner !== name && change({ owner: name }, t.triage.taken(name)));
  const close = () => core.status !== 'closed' && setChoosing(true);
  useKeys({ a: acknowledge, i: take, I: () => setAssigning(true), e: close, z: undo });
  return (
    <div className="actions" role="group" aria-label={t.triage.label}>
      {core.status === 'new' && (
        <button type="button" className="button" onClick={acknowledge}><Icon name="check" />{t.triage.acknowledge}<kbd>{'a'}</kbd></button>
      )}
      {core.status !== 'closed' && (
        <CloseMenu open={choosing} show={setChoosing} pick={(disposition) => change({ disposition }, t.triage.closedAs(t.disposition[disposition]))} />
      )}
      {core.status !== 'new' && (
        <button type="button" className="button" onClick={() => change({ status: 'new' }, t.triage.reopened)}>{t.triage.reopen}</button>
      )}
      {name !== '' && core.owner !== name && (
        <button type="button" className="button" onClick={take}>{t.triage.take}<kbd>{'i'}</kbd></button>
      )}
      <button type="button" className="button" aria-haspopup="dialog" onClick={() => setAssigning(true)}>{w.open}<kbd>{'I'}</kbd></button>
      {assigning && <Assign core={core} change={change} close={() => setAssigning(false)} />}
      {address !== undefined && <Block whom={{ address }} reason={alert.rule.name} alert={core.id} />}
      <Except alert={alert} />
      <span role="status" className="note">
        {error ? <span className="wrong">{error.message}</span> : done?.words}
      </span>
      {done && <button type="button" className="text-button" onClick={undo}>{t.triage.undo}<kbd>{'z'}</kbd></button>}
    </div>
  );
}

interface MenuProps {
  open: boolean;
  show: (open: boolean) => void;
  pick: (disposition: Disposition) => void;
}

/** The five ways to close; a digit picks, Escape goes back. */
export function CloseMenu({ open, show, pick }: MenuProps) {
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (open) menu.current?.querySelector('button')?.focus();
  }, [open]);
  const leave = () => {
    show(false);
    button.current?.focus();
  };
  const choose = (disposition: Disposition) => {
    leave();
    pick(disposition);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll('button') ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    const by = event.key === 'ArrowDown' || event.key === 'j' ? 1 : event.key === 'ArrowUp' || event.key === 'k' ? -1 : 0;
    const picked = DISPOSITIONS[Number(event.key) - 1];
    if (picked) choose(picked);
    else if (event.key === 'Escape') leave();
    else if (by !== 0) items[(at + by + items.length) % items.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="menu-box" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && show(false)}>
      <button ref={button} type="button" className="button" aria-haspopup="menu" aria-expanded={open} onClick={() => show(!open)}>
        {t.triage.closeAs}<kbd>{'e'}</kbd>
      </button>
      {open && (
        <div ref={menu} role="menu" tabIndex={-1} className="menu" aria-label={t.triage.closeAs} onKeyDown={onKeyDown}>
          {DISPOSITIONS.map((disposition, at) => (
            <button key={disposition} type="button" role="menuitem" tabIndex={-1} onClick={() => choose(disposition)}>
              {t.disposition[disposition]}<kbd>{at + 1}</kbd>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
