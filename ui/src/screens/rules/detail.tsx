/** One rule: what it finds, its record, its tests, its text, and a backtest over stored history. */
import { useEffect, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { ApiError } from '../../api/client';
import { switchRule, useForesight, useRule, type RuleDetail as Rule } from '../../api/content';
import { queryClient } from '../../api/queries';
import { nanos } from '../../lib/cost';
import { printFilter } from '../../lib/filter';
import { number, percent } from '../../lib/time';
import { BacktestPanel } from '../../parts/backtest';
import { Icon, SeverityWord } from '../../parts/icons';
import { Failure, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';
import { w } from '../../words/rules';
import { RuleTextOf } from './editor';
import { Reads } from './list';
import { TestList } from './tests';

export function RuleDetail({ id, close }: { id: string; close: () => void }) {
  const query = useRule(id);
  const rule = query.data;
  const title = rule?.title;
  useEffect(() => {
    if (title !== undefined) document.title = t.title(title);
  }, [title]);
  const gone = query.error instanceof ApiError && query.error.status === 404;
  return (
    <aside className="detail rule-detail" aria-label={w.detail.label(title ?? id)}>
      <div className="toolbar">
        <span className="gap" />
        <button type="button" className="icon-button" onClick={close} aria-label={w.detail.close} title={`${w.detail.close} (Esc)`}><Icon name="close" /></button>
      </div>
      {query.isPending && <Skeleton rows={10} />}
      {gone && <div className="state"><Icon name="search" size={28} /><h2>{w.detail.gone}</h2><p>{w.detail.goneText}</p></div>}
      {query.error && !gone && !rule && <Failure error={query.error} retry={query.refetch} />}
      {rule && <Body rule={rule} close={close} />}
    </aside>
  );
}

function Body({ rule, close }: { rule: Rule; close: () => void }) {
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label={rule.title}>
      <header>
        <p className="line">
          <SeverityWord severity={rule.severity} />
          <span className="tag">{rule.enabled ? w.detail.enabled : w.detail.disabled}</span>
          {rule.pack !== '' && <span className="tag"><Text text={rule.pack} /></span>}
          {rule.own && <span className="tag">{w.saved}</span>}
        </p>
        <h2 id="rule-title" tabIndex={-1}><Text text={rule.title} /></h2>
        {rule.description !== '' && <p className="why"><Text text={rule.description} /></p>}
        <Attack rule={rule} />
        <Switch rule={rule} />
      </header>
      <Figures rule={rule} />
      <Backtest rule={rule} />
      <Tests rule={rule} />
      <RuleTextOf key={rule.texts[0]?.text} rule={rule} close={close} />
      <About rule={rule} />
    </div>
  );
}

/** On or off; of a rule that is off, what it would have raised. */
function Switch({ rule }: { rule: Rule }) {
  const turn = useMutation({
    mutationFn: () => switchRule(rule.id, !rule.enabled),
    onSuccess: () => Promise.all([queryClient.invalidateQueries({ queryKey: ['rules'] }), queryClient.invalidateQueries({ queryKey: ['foresight'] })]),
  });
  const foresight = useForesight(!rule.enabled).data;
  const foreseen = foresight?.rules.find((each) => each.rule_id === rule.id);
  return (
    <div className="switch">
      <button type="button" className="button" disabled={turn.isPending} onClick={() => turn.mutate()}>{rule.enabled ? w.detail.switch.off : w.detail.switch.on}</button>
      <span role="status" className="note">{rule.enabled ? (turn.isSuccess ? w.detail.switched.on : '') : w.detail.switched.off}</span>
      {!rule.enabled && foreseen && <p data-testid="foreseen">{w.foresight.would(foreseen.alerts, foreseen.days)}</p>}
      {!rule.enabled && !foreseen && foresight?.state === 'running' && <p className="note">{w.foresight.running(foresight.events_done, foresight.events_total)}</p>}
      {turn.error && <Failure error={turn.error} retry={() => turn.mutate()} />}
    </div>
  );
}

const TECHNIQUE = /^T\d{4}(?:\.\d{3})?$/;

function Attack({ rule }: { rule: Rule }) {
  if (rule.techniques.length + rule.tactics.length === 0) return null;
  return (
    <p className="attack">
      <span className="note">{t.detail.attack}</span>
      {rule.tactics.map((tactic) => <span key={tactic} className="tag"><Text text={tactic.replaceAll(/[-_]/g, ' ')} /></span>)}
      {rule.techniques.map((id) => (TECHNIQUE.test(id)
        ? <a key={id} className="tag mono" href={`https://attack.mitre.org/techniques/${id.replace('.', '/')}/`} target="_blank" rel="noopener noreferrer" aria-label={t.detail.technique(id)}>{id}</a>
        : <span key={id} className="tag mono"><Text text={id} /></span>))}
    </p>
  );
}

function Figures({ rule }: { rule: Rule }) {
  return (
    <dl className="facts">
      <div><dt>{w.detail.fired}</dt><dd className="strong"><Link className="link" href={`/alerts${printFilter({ rule: rule.id })}`} title={w.detail.alerts(rule.fired)}>{number(rule.fired)}</Link></dd></div>
      <div><dt>{w.detail.last}</dt><dd className="strong">{rule.last_fired === null ? w.never : <Ago time={rule.last_fired} />}</dd></div>
      <div><dt>{w.detail.falsePositives}</dt><dd className="strong">{rule.closed === 0 ? <span className="note">{w.detail.notClosed}</span> : percent(rule.false_positive / rule.closed)}</dd></div>
      <div><dt>{w.detail.cost}</dt><dd className="strong">{rule.cost === null ? t.none : <span title={w.costOf(percent(rule.cost.share), percent(rule.cost.looked_at))}>{nanos(rule.cost.nanos_per_event)}</span>}</dd></div>
      <div className="group"><dt>{w.detail.source}</dt><dd><Reads rule={rule} />{!rule.source_seen && <span className="note">{w.silent}</span>}</dd></div>
    </dl>
  );
}

const RANGES = ['24h', '7d', '30d', 'all'] as const;

function Backtest({ rule }: { rule: Rule }) {
  const [range, setRange] = useState<(typeof RANGES)[number]>('7d');
  const [round, setRound] = useState(0);
  return (
    <section>
      <h3>{w.detail.backtest}</h3>
      <p className="actions">
        <select value={range} aria-label={w.detail.run} onChange={(event) => setRange(event.target.value as typeof range)}>
          {RANGES.map((each) => <option key={each} value={each}>{w.detail.ranges[each]}</option>)}
        </select>
        <button type="button" className="button" onClick={() => setRound(round + 1)}><Icon name="play" size={12} />{w.detail.run} {w.detail.ranges[range]}</button>
      </p>
      {round > 0 && <BacktestPanel key={`${round} ${range}`} what={{ rule: rule.id }} {...(range === 'all' ? {} : { last: range })} />}
    </section>
  );
}

function Tests({ rule }: { rule: Rule }) {
  return (
    <section>
      <h3>{w.detail.tests}</h3>
      <TestList tests={rule.tests} />
    </section>
  );
}

const HTTP = /^https?:\/\//i;

function About({ rule }: { rule: Rule }) {
  return (
    <section className="rule">
      {rule.false_positives.length > 0 && (
        <>
          <h3>{w.detail.knownFalse}</h3>
          <ul className="bullets">{rule.false_positives.map((text) => <li key={text}><Text text={text} /></li>)}</ul>
        </>
      )}
      {rule.references.length > 0 && (
        <>
          <h3>{w.detail.references}</h3>
          <ul className="bullets">
            {rule.references.map((reference) => (
              <li key={reference}>{HTTP.test(reference) ? <a className="link" href={reference} target="_blank" rel="noopener noreferrer"><Text text={reference} /></a> : <Text text={reference} />}</li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
