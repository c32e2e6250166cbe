/** The address an alert is about is blocked for a while, or let in again. */
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { getJson, sendJson } from '../../api/client';
import { API, queryClient } from '../../api/queries';
import type { Alert } from '../../api/types';
import { firstText } from '../../lib/fields';
import { useKeys } from '../../lib/keys';
import { usePrefs } from '../../lib/prefs';
import { Text } from '../../parts/text';
import { FullTime } from '../../parts/time';
import { w } from '../../words/ban';

/** A rule may ban the address while somebody looks. */
const BANS_EVERY_MS = 2000;

interface Ban {
  id: number;
  address: string;
  state: keyof typeof w.state;
  expires: string;
}

interface Bans {
  mode: 'off' | 'dry_run' | 'enforce';
  bans: Ban[];
}

const bansAgain = () => queryClient.invalidateQueries({ queryKey: ['bans'] });

export function Block({ alert }: { alert: Alert }) {
  const [open, setOpen] = useState(false);
  const address = firstText(alert, 'source.ip');
  useKeys(address === undefined ? {} : { b: () => setOpen(true) });
  if (address === undefined) return null;
  return (
    <>
      <button type="button" className="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>{w.open}<kbd>{'b'}</kbd></button>
      {open && <Dialog alert={alert} address={address} close={() => setOpen(false)} />}
    </>
  );
}

interface DialogProps {
  alert: Alert;
  address: string;
  close: () => void;
}

function Dialog({ alert, address, close }: DialogProps) {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  const { data } = useQuery({
    queryKey: ['bans'],
    queryFn: ({ signal }) => getJson<Bans>(`${API}/bans`, { limit: '500' }, signal),
    refetchInterval: BANS_EVERY_MS,
  });
  const held = data?.bans.find((ban) => ban.address === address);
  return (
    <dialog ref={box} className="help except" aria-labelledby={id} onClose={close}>
      <h2 id={id}><Text text={w.title(address)} /></h2>
      {held ? <Held ban={held} close={close} /> : <Form alert={alert} address={address} close={close} mode={data?.mode} />}
    </dialog>
  );
}

function Held({ ban, close }: { ban: Ban; close: () => void }) {
  const { name } = usePrefs();
  const by = name === '' ? '' : `?by=${encodeURIComponent(name)}`;
  const lift = useMutation({
    mutationFn: () => sendJson('DELETE', `${API}/bans/${ban.id}${by}`, {}),
    onSuccess: () => bansAgain().then(close),
  });
  return (
    <>
      <p data-testid="ban"><Text text={w.held(ban.address, w.state[ban.state])} /><FullTime time={ban.expires} /></p>
      {lift.error && <p role="alert" className="wrong"><Text text={lift.error.message} /></p>}
      <p className="actions">
        <button type="button" className="button" onClick={close}>{w.cancel}</button>
        <button type="button" className="button" disabled={lift.isPending} onClick={() => lift.mutate()}>{w.lift}</button>
      </p>
    </>
  );
}

function Form({ alert, address, close, mode }: DialogProps & { mode: Bans['mode'] | undefined }) {
  const { name } = usePrefs();
  const [lasts, setLasts] = useState<keyof typeof w.spans>('rule');
  const [reason, setReason] = useState(alert.rule.name);
  const block = useMutation({
    mutationFn: (confirm: boolean) =>
      sendJson('POST', `${API}/bans`, {
        address,
        reason,
        confirm,
        alert: alert.tocsin.alert.id,
        ...(lasts === 'rule' ? {} : { lasts }),
        ...(name === '' ? {} : { by: name }),
      }),
    onSuccess: bansAgain,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    block.mutate(false);
  };
  // Of the guard rails, this one is for a person to judge.
  const despite = block.error?.message.includes('logged in well') === true;
  return (
    <form onSubmit={submit}>
      {mode === 'dry_run' && <p className="note">{w.dryRun}</p>}
      {mode === 'off' && <p className="note">{w.off}</p>}
      <label><span>{w.lasts}</span><select value={lasts} onChange={(event) => setLasts(event.target.value as typeof lasts)}>{Object.entries(w.spans).map(([value, words]) => <option key={value} value={value}>{words}</option>)}</select></label>
      <label><span>{w.reason}</span><input type="text" required value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} /></label>
      {block.error && <p role="alert" className="wrong"><Text text={block.error.message} /></p>}
      <p className="actions">
        <button type="button" className="button" onClick={close}>{w.cancel}</button>
        {despite && <button type="button" className="button" onClick={() => block.mutate(true)}>{w.despite}</button>}
        <button type="submit" className="button" disabled={mode === 'off' || block.isPending}>{w.save}</button>
      </p>
    </form>
  );
}
