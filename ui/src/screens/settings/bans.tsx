/** Who is kept out, was, or would have been: why, by whom, until when; and letting them in again. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { useMayChange, useMe } from '../../api/accounts';
import { ban, bansAgain, despiteLogin, isHeld, lift, useBanList, useBanSteps, type Ban } from '../../api/bans';
import { usePrefs } from '../../lib/prefs';
import { Panel } from '../../parts/panel';
import { Sure } from '../../parts/sure';
import { Text } from '../../parts/text';
import { FullTime } from '../../parts/time';
import { w } from '../../words/ban';
import { Field, Form } from './signin';

const useName = () => {
  const mine = usePrefs().name;
  return useMe().data?.name ?? mine;
};

export function BanList() {
  const [all, setAll] = useState(false);
  const [before, setBefore] = useState<number | null>(null);
  const mayChange = useMayChange();
  const query = useBanList(all, before);
  const { data } = query;
  const bans = data?.bans ?? [];
  const tools = (
    <label className="check">
      <input
        type="checkbox"
        checked={all}
        onChange={(event) => {
          setAll(event.target.checked);
          setBefore(null);
        }}
      />
      <span>{w.list.over}</span>
    </label>
  );
  return (
    <>
      <Panel title={w.list.title} className="bans" asked={query} skeletonRows={5} tools={tools}>
        {data && <p className="note">{w.list.mode[data.mode]}</p>}
        {data && bans.length === 0 && <p className="quiet">{all ? w.list.noneAtAll : w.list.none}</p>}
        {bans.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={w.list.title}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{w.list.who}</th>
                  <th scope="col">{w.list.state}</th>
                  <th scope="col">{w.list.reason}</th>
                  <th scope="col">{w.list.by}</th>
                  <th scope="col">{w.list.begun}</th>
                  <th scope="col">{w.list.until}</th>
                  <th scope="col"><span className="hidden">{w.list.lift}</span></th>
                </tr>
              </thead>
              <tbody>{bans.map((one) => <Row key={one.id} of={one} mayChange={mayChange} />)}</tbody>
            </table>
          </div>
        )}
        {(before !== null || data?.next) && (
          <p className="pages">
            {before !== null && <button type="button" className="button" onClick={() => setBefore(null)}>{w.list.newest}</button>}
            {data?.next && <button type="button" className="button" onClick={() => setBefore(data.next)}>{w.list.older}</button>}
          </p>
        )}
      </Panel>
      {mayChange && data?.mode !== 'off' && <Add />}
    </>
  );
}

function Row({ of, mayChange }: { of: Ban; mayChange: boolean }) {
  const name = useName();
  const [open, setOpen] = useState(false);
  const letIn = useMutation({ mutationFn: lift, onSuccess: bansAgain });
  const page = of.user === null ? `/entities/address/${encodeURIComponent(of.address)}` : `/entities/user/${encodeURIComponent(of.user)}`;
  const bad = of.state === 'refused' || of.state === 'failed';
  return (
    <tr data-testid="ban-row">
      <th scope="row">
        <Link className="link mono" href={page}><Text text={of.address} /></Link>
        {letIn.error && <span role="alert" className="wrong block">{letIn.error.message}</span>}
      </th>
      <td>
        <span className={bad ? 'hot' : ''} title={w.list.means[of.state]}>{w.list.words[of.state]}</span>
        {of.note !== null && <span className="note block"><Text text={of.note} /></span>}
      </td>
      <td>
        <Text text={of.rule_title ?? of.reason} />
        {of.alert !== null && <Link className="link block" href={`/alerts/${encodeURIComponent(of.alert)}`}>{w.list.alert}</Link>}
        <details onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary aria-label={w.list.whatOf(of.address)}>{w.list.what}</summary>
          {open && <Steps of={of} />}
        </details>
      </td>
      <td><Text text={of.by} /></td>
      <td><FullTime time={of.created} /></td>
      <td><FullTime time={of.expires} /></td>
      <td>{mayChange && isHeld(of.state) && <span className="does"><Sure name={w.list.lift} really={w.list.really} does={() => letIn.mutate({ id: of.id, by: name })} /></span>}</td>
    </tr>
  );
}

function Steps({ of }: { of: Ban }) {
  const { data, error } = useBanSteps(of.id, of.changed);
  return (
    <ul className="steps">
      {error && <li className="wrong">{error.message}</li>}
      {data?.map((step, at) => (
        <li key={at}><FullTime time={step.time} /> <Text text={step.who} />{': '}{w.list.words[step.state]}{step.note !== null && <span className="note"> <Text text={step.note} /></span>}</li>
      ))}
    </ul>
  );
}

function Add() {
  const name = useName();
  const [kind, setKind] = useState<keyof typeof w.add.kinds>('address');
  const [value, setValue] = useState('');
  const [reason, setReason] = useState('');
  const [lasts, setLasts] = useState<keyof typeof w.spans>('rule');
  const add = useMutation({
    mutationFn: (confirm: boolean) =>
      ban({ [kind]: value.trim(), reason, confirm, ...(lasts === 'rule' ? {} : { lasts }), ...(name === '' ? {} : { by: name }) }),
    onSuccess: () => {
      setValue('');
      return bansAgain();
    },
  });
  return (
    <section className="panel narrow" aria-labelledby="ban-title">
      <header><h2 id="ban-title">{w.add.title}</h2></header>
      <div className="body">
        <Form error={add.error} pending={add.isPending} go={w.save} submit={() => add.mutate(false)}>
          <label className="form-field"><span>{w.add.kind}</span>
            <select value={kind} onChange={(event) => setKind(event.target.value as typeof kind)}>{Object.entries(w.add.kinds).map(([each, word]) => <option key={each} value={each}>{word}</option>)}</select>
          </label>
          <Field label={w.add.value} type="text" complete="off" value={value} set={setValue} hint={w.add.hint} />
          <Field label={w.reason} type="text" complete="off" value={reason} set={setReason} />
          <label className="form-field"><span>{w.lasts}</span>
            <select value={lasts} onChange={(event) => setLasts(event.target.value as typeof lasts)}>{Object.entries(w.spans).map(([span, word]) => <option key={span} value={span}>{word}</option>)}</select>
          </label>
          {despiteLogin(add.error) && <button type="button" className="button" onClick={() => add.mutate(true)}>{w.despite}</button>}
          <span role="status" className="note">{add.data ? w.add.added(add.data.address, w.list.means[add.data.state]) : ''}</span>
        </Form>
      </div>
    </section>
  );
}
