/** Exceptions and the allow-list: what nobody is told of, why, by whom and until when. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { useMayChange, useMe } from '../../api/accounts';
import { sendJson } from '../../api/client';
import { API, useStatus } from '../../api/queries';
import { addAllow, removeException, useExceptions, type Exception } from '../../api/running';
import { number } from '../../lib/time';
import { usePrefs } from '../../lib/prefs';
import { useRested } from '../../lib/rested';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { FullTime } from '../../parts/time';
import { w } from '../../words/running';
import { Sure } from '../../parts/sure';
import { Field, Form } from './signin';

export function Lists() {
  const [all, setAll] = useState(false);
  const mayChange = useMayChange();
  const query = useExceptions(all);
  const exceptions = query.data?.exceptions ?? [];
  const tools = <label className="check"><input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /><span>{w.lists.all}</span></label>;
  return (
    <>
      <Panel title={w.lists.title} className="lists" asked={query} skeletonRows={5} tools={tools}>
        {query.data && exceptions.length === 0 && <p className="quiet">{w.lists.none}</p>}
        {exceptions.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={w.lists.title}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{w.lists.condition}</th>
                  <th scope="col">{w.lists.of}</th>
                  <th scope="col">{w.lists.reason}</th>
                  <th scope="col">{w.lists.owner}</th>
                  <th scope="col">{w.lists.expires}</th>
                  <th scope="col" className="num">{w.lists.hidden}</th>
                  <th scope="col"><span className="hidden">{w.lists.remove}</span></th>
                </tr>
              </thead>
              <tbody>{exceptions.map((one) => <Entry key={one.id} exception={one} mayChange={mayChange} />)}</tbody>
            </table>
          </div>
        )}
      </Panel>
      {mayChange && <Add />}
    </>
  );
}

function Entry({ exception, mayChange }: { exception: Exception; mayChange: boolean }) {
  const { name } = usePrefs();
  const remove = useMutation({ mutationFn: removeException });
  const active = exception.state === 'active';
  return (
    <tr>
      <th scope="row" className="mono"><Text text={exception.condition} />{remove.error && <span role="alert" className="wrong block">{remove.error.message}</span>}</th>
      <td><Text text={exception.rule_title ?? exception.rule ?? exception.pack ?? w.lists.anyRule} /></td>
      <td><Text text={exception.reason} /></td>
      <td><Text text={exception.owner} /></td>
      <td>{active ? (exception.expires === null ? w.lists.never : <FullTime time={exception.expires} />) : w.lists[exception.state === 'expired' ? 'expired' : 'removed']}</td>
      <td className="num"><Link href={`/alerts?exception=${exception.id}`}>{number(exception.hidden)}</Link></td>
      <td>{mayChange && active && <span className="does"><Sure name={w.lists.remove} really={w.lists.really} does={() => remove.mutate({ id: exception.id, by: name })} /></span>}</td>
    </tr>
  );
}

interface Preview {
  days: number;
  alerts: number;
  hidden: number;
  needs_confirmation: boolean;
  because?: string | null;
}

function Add() {
  const mine = usePrefs().name;
  const name = useMe().data?.name ?? mine;
  const [what, setWhat] = useState<keyof typeof w.lists.kinds>('address');
  const [value, setValue] = useState('');
  const [reason, setReason] = useState('');
  const [owner, setOwner] = useState(name);
  const [expires, setExpires] = useState<keyof typeof w.lists.lasts>('90d');
  const [confirm, setConfirm] = useState(false);
  const rested = useRested(value.trim());
  const preview = useQuery({
    queryKey: ['exception', what, rested],
    queryFn: ({ signal }) => sendJson<Preview>('POST', `${API}/exceptions/preview`, { allow: { what, value: rested } }, signal),
    enabled: rested !== '',
    retry: false,
  });
  const add = useMutation({
    mutationFn: addAllow,
    onSuccess: () => {
      setValue('');
      setReason('');
    },
  });
  const tried = rested === '' ? undefined : preview.data;
  const submit = () => add.mutate({ allow: { what, value: value.trim() }, reason, owner, expires, confirm, ...(name === '' ? {} : { by: name }) });
  return (
    <section className="panel narrow" aria-labelledby="allow-title">
      <header><h2 id="allow-title">{w.lists.add}</h2></header>
      <div className="body">
        <Form error={add.error} pending={add.isPending} go={w.lists.go} submit={submit}>
          <label className="form-field"><span>{w.lists.what}</span>
            <select value={what} onChange={(event) => setWhat(event.target.value as typeof what)}>{Object.entries(w.lists.kinds).map(([kind, word]) => <option key={kind} value={kind}>{word}</option>)}</select>
          </label>
          <Field label={w.lists.value} type="text" complete="off" value={value} set={setValue} hint={w.lists.hint} />
          <p role="status" className={preview.error && rested !== '' ? 'wrong' : 'note'}>
            {preview.error && rested !== '' ? preview.error.message : tried ? w.lists.tested(tried.days, tried.hidden, tried.alerts) : ''}
          </p>
          {tried?.needs_confirmation && <label className="check"><input type="checkbox" checked={confirm} onChange={(event) => setConfirm(event.target.checked)} /><span>{w.lists.confirm}</span></label>}
          <Field label={w.lists.reason} type="text" complete="off" value={reason} set={setReason} />
          <Field label={w.lists.owner} type="text" complete="off" value={owner} set={setOwner} />
          <label className="form-field"><span>{w.lists.for}</span>
            <select value={expires} onChange={(event) => setExpires(event.target.value as typeof expires)}>{Object.entries(w.lists.lasts).map(([span, word]) => <option key={span} value={span}>{word}</option>)}</select>
          </label>
        </Form>
      </div>
    </section>
  );
}

export function Storage() {
  const query = useStatus();
  const store = query.data?.store;
  return (
    <Panel title={w.store.title} className="narrow" asked={query} skeletonRows={4}>
      {store && (
        <>
          <dl className="lines storage">
            <div><dt>{w.store.events}</dt><dd>{number(store.documents)}</dd></div>
            <div><dt>{w.store.archived}</dt><dd>{number(store.archived_documents)}</dd></div>
            <div><dt>{w.store.size}</dt><dd>{w.store.gigabytes(store.disk_bytes)}</dd></div>
            <div><dt>{w.store.archiveSize}</dt><dd>{w.store.gigabytes(store.archived_bytes)}</dd></div>
            <div><dt>{w.store.days}</dt><dd>{w.store.keeps(store.retention_days)}</dd></div>
            <div><dt>{w.store.limit}</dt><dd>{w.store.limits(store.retention_bytes)}</dd></div>
          </dl>
          <p className="note">{w.store.where}</p>
        </>
      )}
    </Panel>
  );
}
