/** An address or user is blocked for a while, or let in again. */
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useMutation } from '@tanstack/react-query';
import { useMayChange, useMe } from '../api/accounts';
import { ban, bansAgain, despiteLogin, isHeld, lift, useBans, type Ban, type Bans, type Held as HeldState } from '../api/bans';
import { useKeys } from '../lib/keys';
import { usePrefs } from '../lib/prefs';
import { w } from '../words/ban';
import { Text } from './text';
import { FullTime } from './time';

export interface Whom {
  address?: string;
  user?: string;
}

interface Props {
  whom: Whom;
  /** What the form begins with. */
  reason: string;
  alert?: string;
}

/** A button with its key; nothing for those who only look. */
export function Block(props: Props) {
  const [open, setOpen] = useState(false);
  const may = useMayChange();
  useKeys(may ? { b: () => setOpen(true) } : {});
  if (!may) return null;
  return (
    <>
      <button type="button" className="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>{w.open}<kbd>{'b'}</kbd></button>
      {open && <Dialog {...props} close={() => setOpen(false)} />}
    </>
  );
}

const nameOf = ({ address, user }: Whom) => address ?? user ?? '';

/** What holds of somebody now, if anything. */
export const heldOf = (bans: readonly Ban[] | undefined, whom: Whom) =>
  bans?.find((one) => (whom.user === undefined ? one.user === null && one.address === whom.address : one.user === whom.user));

function Dialog({ close, ...props }: Props & { close: () => void }) {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  const { data } = useBans();
  const held = heldOf(data?.bans, props.whom);
  return (
    <dialog ref={box} className="help except" aria-labelledby={id} onClose={close}>
      <h2 id={id}><Text text={w.title(nameOf(props.whom))} /></h2>
      {held && isHeld(held.state) ? <Held held={held} state={held.state} close={close} /> : <Form {...props} close={close} mode={data?.mode} />}
    </dialog>
  );
}

function Held({ held, state, close }: { held: Ban; state: HeldState; close: () => void }) {
  const { name } = usePrefs();
  const letIn = useMutation({ mutationFn: lift, onSuccess: () => bansAgain().then(close) });
  return (
    <>
      <p data-testid="ban"><Text text={w.held(held.address, w.state[state])} /><FullTime time={held.expires} /></p>
      {letIn.error && <p role="alert" className="wrong"><Text text={letIn.error.message} /></p>}
      <p className="actions">
        <button type="button" className="button" onClick={close}>{w.cancel}</button>
        <button type="button" className="button" disabled={letIn.isPending} onClick={() => letIn.mutate({ id: held.id, by: name })}>{w.lift}</button>
      </p>
    </>
  );
}

function Form({ whom, reason: begin, alert, close, mode }: Props & { close: () => void; mode: Bans['mode'] | undefined }) {
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const [lasts, setLasts] = useState<keyof typeof w.spans>('rule');
  const [reason, setReason] = useState(begin);
  const block = useMutation({
    mutationFn: (confirm: boolean) =>
      ban({ ...whom, reason, confirm, ...(alert === undefined ? {} : { alert }), ...(lasts === 'rule' ? {} : { lasts }), ...(name === '' ? {} : { by: name }) }),
    onSuccess: bansAgain,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    block.mutate(false);
  };
  return (
    <form onSubmit={submit}>
      {mode === 'dry_run' && <p className="note">{w.dryRun}</p>}
      {mode === 'off' && <p className="note">{w.off}</p>}
      <label><span>{w.lasts}</span><select value={lasts} onChange={(event) => setLasts(event.target.value as typeof lasts)}>{Object.entries(w.spans).map(([value, words]) => <option key={value} value={value}>{words}</option>)}</select></label>
      <label><span>{w.reason}</span><input type="text" required value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} /></label>
      {block.error && <p role="alert" className="wrong"><Text text={block.error.message} /></p>}
      <p className="actions">
        <button type="button" className="button" onClick={close}>{w.cancel}</button>
        {despiteLogin(block.error) && <button type="button" className="button" onClick={() => block.mutate(true)}>{w.despite}</button>}
        <button type="submit" className="button" disabled={mode === 'off' || block.isPending}>{w.save}</button>
      </p>
    </form>
  );
}
