/**
 * The text of a rule. One that was saved here is changed in place; of a rule of a pack a copy is
 * changed. What is typed is checked and its tests are run; over history it is compared with the
 * rule in force.
 */
import { useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { checkRule, removeRule, saveRule, type RuleDetail as Rule } from '../../api/content';
import { queryClient } from '../../api/queries';
import { copy } from '../../lib/copy';
import { useRested } from '../../lib/rested';
import { asCopy } from '../../lib/rulecopy';
import { BacktestPanel } from '../../parts/backtest';
import { Icon } from '../../parts/icons';
import { Failure } from '../../parts/panel';
import { Sure } from '../../parts/sure';
import { Text } from '../../parts/text';
import { YamlEditor } from '../../parts/yaml';
import { w } from '../../words/rules';
import { TestList } from './tests';

const forget = () => queryClient.invalidateQueries({ queryKey: ['rules'] });

export function RuleTextOf({ rule, close }: { rule: Rule; close: () => void }) {
  const own = rule.texts[0];
  const [copied, setCopied] = useState<string>();
  if (!own) return null;
  const editable = rule.own || copied !== undefined;
  return (
    <section>
      <h3>{w.detail.text}<span className="note mono"><Text text={own.path} /></span></h3>
      {editable
        ? <Editor rule={rule} start={copied ?? own.text} isCopy={!rule.own} close={close} leave={() => setCopied(undefined)} />
        : (
          <>
            <YamlEditor label={w.detail.text} text={own.text} problems={[]} />
            <p className="actions">
              <button type="button" className="button" onClick={() => setCopied(asCopy(own.text, w.detail.copyTitle))}><Icon name="copy" size={13} />{w.detail.copyOf}</button>
              <button type="button" className="button" onClick={() => void copy(own.text)}>{w.detail.copy}</button>
            </p>
          </>
        )}
      {rule.texts.slice(1).map((other, at) => (
        <details key={at} className="raw">
          <summary><Text text={w.detail.related(other.path)} /></summary>
          <YamlEditor label={other.path} text={other.text} problems={[]} />
        </details>
      ))}
    </section>
  );
}

interface EditorProps {
  rule: Rule;
  start: string;
  isCopy: boolean;
  close: () => void;
  leave: () => void;
}

const RANGES = ['24h', '7d', '30d', 'all'] as const;

function Editor({ rule, start, isCopy, close, leave }: EditorProps) {
  const [text, setText] = useState(start);
  const [, navigate] = useLocation();
  const changed = isCopy || text !== start;
  const rested = useRested(text);
  const check = useQuery({
    queryKey: ['rule-check', rested],
    queryFn: ({ signal }) => checkRule(rested, signal),
    staleTime: 60_000,
    retry: false,
  });
  const good = rested === text && check.data?.problems.every((problem) => problem.level !== 'error') === true;
  const save = useMutation({
    mutationFn: saveRule,
    onSuccess: async (saved) => {
      await forget();
      const id = saved.ids[0];
      if (isCopy && id !== undefined) navigate(`/rules/${encodeURIComponent(id)}`);
    },
  });
  return (
    <>
      {isCopy && <p className="note">{w.detail.copyHint}</p>}
      <YamlEditor label={w.detail.text} text={text} set={setText} problems={rested === text ? (check.data?.problems ?? []) : []} />
      {check.error && <Failure error={check.error} retry={check.refetch} />}
      {check.data && <TestList tests={check.data.tests} />}
      <p className="actions">
        <button type="button" className="button primary" disabled={!changed || !good || save.isPending} onClick={() => save.mutate(text)}><Icon name="save" size={13} />{w.detail.save}</button>
        <button type="button" className="button" onClick={() => void copy(text)}>{w.detail.copy}</button>
        {changed && <button type="button" className="button" onClick={() => (isCopy ? leave() : setText(start))}>{w.detail.discard}</button>}
        {!isCopy && <Remove id={rule.id} close={close} />}
        <span role="status" className="note">{save.isSuccess ? w.detail.savedNow : ''}</span>
      </p>
      {save.error && <Failure error={save.error} retry={() => save.mutate(text)} />}
      {changed && <Compare rule={rule} text={text} good={good} />}
    </>
  );
}

function Remove({ id, close }: { id: string; close: () => void }) {
  const remove = useMutation({ mutationFn: removeRule, onSuccess: () => {
    void forget();
    close();
  } });
  return (
    <>
      <Sure name={w.detail.remove} really={w.detail.reallyRemove} does={() => remove.mutate(id)} />
      {remove.error && <Failure error={remove.error} retry={() => remove.mutate(id)} />}
    </>
  );
}

/** The text against the rule in force, over history. */
function Compare({ rule, text, good }: { rule: Rule; text: string; good: boolean }) {
  const [range, setRange] = useState<(typeof RANGES)[number]>('7d');
  const [asked, setAsked] = useState<{ text: string; range: string; round: number }>();
  return (
    <>
      <p className="actions">
        <select value={range} aria-label={w.detail.compare} onChange={(event) => setRange(event.target.value as typeof range)}>
          {RANGES.map((each) => <option key={each} value={each}>{w.detail.ranges[each]}</option>)}
        </select>
        <button type="button" className="button" disabled={!good} title={w.detail.compareHint} onClick={() => setAsked({ text, range, round: (asked?.round ?? 0) + 1 })}>
          <Icon name="play" size={12} />{w.detail.compare} {w.detail.ranges[range]}
        </button>
      </p>
      {asked && <BacktestPanel key={asked.round} what={{ text: asked.text, against: rule.id }} {...(asked.range === 'all' ? {} : { last: asked.range })} />}
    </>
  );
}
