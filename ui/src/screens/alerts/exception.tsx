/** An exception to the alert's rule, tried on the last days before it is saved. */
import { useEffect, useId, useRef, useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useMe } from '../../api/accounts';
import { sendJson } from '../../api/client';
import { API } from '../../api/queries';
import type { Alert } from '../../api/types';
import { clause } from '../../lib/kql';
import { useKeys } from '../../lib/keys';
import { usePrefs } from '../../lib/prefs';
import { useRested } from '../../lib/rested';
import { Failure } from '../../parts/panel';
import { Text } from '../../parts/text';
import { w } from '../../words/exception';

interface Preview {
  days: number;
  alerts: number;
  hidden: number;
  true_positives: number;
  needs_confirmation: boolean;
  because?: string | null;
}

const SCOPES = ['rule', 'pack', 'all'] as const;
const SPANS = Object.keys(w.spans) as (keyof typeof w.spans)[];

export function Except({ alert }: { alert: Alert }) {
  const [open, setOpen] = useState(false);
  // Who has just closed it as a false positive wants no more of these.
  const falseAlarm = alert.tocsin.alert.disposition === 'false_positive';
  useKeys({ t: () => setOpen(true) });
  return (
    <>
      <button type="button" className={falseAlarm ? 'button primary' : 'button'} title={w.title} aria-haspopup="dialog" onClick={() => setOpen(true)}>{falseAlarm ? w.offer : w.open}<kbd>{'t'}</kbd></button>
      {open && <Dialog alert={alert} close={() => setOpen(false)} />}
    </>
  );
}

function Dialog({ alert, close }: { alert: Alert; close: () => void }) {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const [condition, setCondition] = useState(() => Object.entries(alert.tocsin.alert.group).map(([field, value]) => clause(field, value)).join(' and '));
  const [reason, setReason] = useState('');
  const [owner, setOwner] = useState(name);
  const [expires, setExpires] = useState<keyof typeof w.spans>('30d');
  const [confirm, setConfirm] = useState(false);
  useEffect(() => box.current?.showModal(), []);
  const [scope, setScope] = useState<keyof typeof w.scopes>('rule');
  const asked = useRested(condition);
  const pack = alert.rule.ruleset ?? '';
  const what = { ...(scope === 'rule' && { rule: alert.rule.id }), ...(scope === 'pack' && { pack }), condition: asked };
  const preview = useQuery({
    queryKey: ['exception', what],
    queryFn: ({ signal }) => sendJson<Preview>('POST', `${API}/exceptions/preview`, what, signal),
    enabled: asked.trim() !== '',
    retry: false,
  });
  const save = useMutation({
    mutationFn: () => sendJson('POST', `${API}/exceptions`, { ...what, reason, owner, expires, confirm, ...(name === '' ? {} : { by: name }) }),
    onSuccess: close,
  });
  const tried = preview.data;
  const ready = reason.trim() !== '' && owner.trim() !== '' && tried !== undefined && asked === condition && (!tried.needs_confirmation || confirm);
  return (
    <dialog ref={box} className="help except" aria-labelledby={id} onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) save.mutate();
        }}
      >
        <h2 id={id}>{w.title}</h2>
        <label><span>{w.scope}</span><select value={scope} onChange={(event) => setScope(event.target.value as typeof scope)}>{SCOPES.map((each) => (each !== 'pack' || pack !== '') && <option key={each} value={each}>{w.scopes[each](each === 'rule' ? alert.rule.name : pack)}</option>)}</select></label>
        <label><span>{w.condition}</span><textarea className="mono" rows={2} value={condition} spellCheck={false} onChange={(event) => setCondition(event.target.value)} /></label>
        {preview.error && <p role="alert" className="wrong"><Text text={preview.error.message} /></p>}
        {tried && <p role="status" data-testid="tried-exception"><b>{w.tested(tried.days, tried.hidden, tried.alerts)}</b> {w.positives(tried.true_positives)}</p>}
        {tried?.needs_confirmation && <label className="check"><input type="checkbox" checked={confirm} onChange={(event) => setConfirm(event.target.checked)} /><span><Text text={tried.because ?? ''} /> {w.confirm}</span></label>}
        <label><span>{w.reason}</span><input type="text" value={reason} placeholder={w.reasonHint} required onChange={(event) => setReason(event.target.value)} /></label>
        <label><span>{w.owner}</span><input type="text" value={owner} required onChange={(event) => setOwner(event.target.value)} /></label>
        <label><span>{w.expires}</span><select value={expires} onChange={(event) => setExpires(event.target.value as typeof expires)}>{SPANS.map((span) => <option key={span} value={span}>{w.spans[span]}</option>)}</select></label>
        {save.error && <Failure error={save.error} retry={() => save.mutate()} />}
        <p className="actions">
          <button type="button" className="button" onClick={close}>{w.cancel}</button>
          <button type="submit" className="button" disabled={!ready || save.isPending}>{w.save}</button>
        </p>
      </form>
    </dialog>
  );
}
