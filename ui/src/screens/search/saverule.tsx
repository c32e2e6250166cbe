/** A query becomes a rule: its text, whether it can be loaded, and what it would have raised. */
import { useEffect, useId, useRef, useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { checkRule, draftRule, saveRule } from '../../api/content';
import { queryClient } from '../../api/queries';
import { SEVERITIES, type Severity } from '../../api/types';
import { copy } from '../../lib/copy';
import { download } from '../../lib/export';
import { useRested } from '../../lib/rested';
import { BacktestPanel } from '../../parts/backtest';
import { Icon } from '../../parts/icons';
import { Failure } from '../../parts/panel';
import { Text } from '../../parts/text';
import { YamlEditor } from '../../parts/yaml';
import { t } from '../../strings';
import { w } from '../../words/rule';

export function SaveRule({ q, close }: { q: string; close: () => void }) {
  const id = useId();
  const [title, setTitle] = useState('');
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const [severity, setSeverity] = useState<Severity>('medium');
  const [text, setText] = useState<string>();
  const draft = useMutation({
    mutationFn: draftRule,
    onSuccess: (drafted) => setText(drafted.text),
  });
  const { mutate } = draft;
  const rested = useRested(title);
  const [written, setWritten] = useState<string>();
  useEffect(() => {
    mutate({ q, title: rested, severity }, { onSuccess: (drafted) => setWritten(drafted.text) });
  }, [mutate, q, rested, severity]);
  const whole = useRested(text ?? '');
  const check = useQuery({
    queryKey: ['rule-check', whole],
    queryFn: ({ signal }) => checkRule(whole, signal),
    enabled: whole !== '',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  const good = check.data?.problems.every((problem) => problem.level !== 'error') === true && whole === text;
  return (
    <aside className="saverule" aria-labelledby={id}>
      <div className="toolbar">
        <h2 id={id}>{w.rule.title}</h2>
        <span className="gap" />
        <button type="button" className="icon-button" aria-label={w.rule.close} title={`${w.rule.close} (Esc)`} onClick={close}><Icon name="close" /></button>
      </div>
      <div className="scroller" tabIndex={0} role="region" aria-label={w.rule.title}>
        <div className="pair">
          <label className="grow"><span>{w.rule.name}</span><input ref={first} type="text" value={title} maxLength={120} placeholder={w.rule.namePlaceholder} onChange={(event) => setTitle(event.target.value)} /></label>
          <label>
            <span>{w.rule.level}</span>
            <select value={severity} onChange={(event) => setSeverity(event.target.value as Severity)}>
              {SEVERITIES.map((each) => <option key={each} value={each}>{t.severity[each]}</option>)}
            </select>
          </label>
        </div>
        {draft.error && <Failure error={draft.error} retry={() => mutate({ q, title, severity })} />}
        {draft.data?.notes.map((note) => <p key={note} className="note warn"><Icon name="warn" size={13} /><Text text={note} /></p>)}
        {text === undefined && !draft.error && <p className="quiet">{w.rule.draft}</p>}
        {text !== undefined && (
          <>
            <YamlEditor label={w.rule.text} text={text} set={setText} problems={check.data?.problems ?? []} />
            {text !== written && <button type="button" className="text-button" onClick={() => setText(written)}>{w.rule.redraft}</button>}
            {good && <p className="note fine"><Icon name="check" size={13} />{w.rule.fine}</p>}
            {check.error && <Failure error={check.error} retry={check.refetch} />}
            {good && <BacktestPanel key={whole} what={{ text: whole }} />}
            <Actions text={text} good={good} titled={title.trim() !== ''} />
          </>
        )}
      </div>
    </aside>
  );
}

function Actions({ text, good, titled }: { text: string; good: boolean; titled: boolean }) {
  const save = useMutation({
    mutationFn: saveRule,
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['rules'] }),
  });
  return (
    <div className="actions">
      <button type="button" className="button primary" disabled={!good || !titled || save.isPending} onClick={() => save.mutate(text)}><Icon name="save" size={13} />{w.rule.store}</button>
      <button type="button" className="button" onClick={() => void copy(text)}>{w.rule.copy}</button>
      <button type="button" className="button" onClick={() => download('rule.yml', 'application/yaml', text)}>{w.rule.download}</button>
      <span role="status" className="note">{save.data ? w.rule.stored(save.data.path) : !titled ? w.rule.untitled : ''}</span>
      {save.error && <Failure error={save.error} retry={() => save.mutate(text)} />}
    </div>
  );
}
