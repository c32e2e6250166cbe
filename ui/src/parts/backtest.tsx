/** A backtest: starts by itself, shows how far it is, then what the rule would have raised and when. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { cancelBacktest, startBacktest, useBacktest, type Backtest, type Brief, type Difference, type RuleReport } from '../api/history';
import { ApiError } from '../api/client';
import { lineOf, valuesAt, type EcsEvent } from '../lib/event';
import { nanos } from '../lib/cost';
import { number, perSecond } from '../lib/time';
import { t } from '../strings';
import { w } from '../words/rule';
import { Chart, type Line } from './chart';
import { Icon } from './icons';
import { Failure } from './panel';
import { Text } from './text';
import { Clock } from './time';

type What = { text: string; against?: string } | { rule: string };

/** While another backtest runs, ours waits its turn. */
const BUSY = 409;
const RETRY_MS = 700;
const DAY_S = 86_400;
/** More a day than anybody reads. */
const NOISY_PER_DAY = 50;
const SAMPLES = 3;

/** Starts one, once another has ended; the one it started is ended when nobody waits any more. */
function useStarted(what: What, last: string | undefined) {
  const [id, setId] = useState<number>();
  const [error, setError] = useState<Error>();
  const [round, setRound] = useState(0);
  const asked = useRef(what);
  useEffect(() => {
    let gone = false;
    let mine: number | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const start = async () => {
      try {
        const made = await startBacktest({ ...asked.current, samples: SAMPLES, ...(last === undefined ? {} : { last }) });
        mine = made.id;
        if (gone) void cancelBacktest(made.id).catch(() => undefined);
        else setId(made.id);
      } catch (cause) {
        if (gone) return;
        if (cause instanceof ApiError && cause.status === BUSY) timer = setTimeout(() => void start(), RETRY_MS);
        else setError(cause instanceof Error ? cause : new Error(String(cause)));
      }
    };
    timer = setTimeout(() => void start(), 0);
    return () => {
      gone = true;
      clearTimeout(timer);
      if (mine !== undefined) void cancelBacktest(mine).catch(() => undefined);
    };
  }, [last, round]);
  return { id, error, retry: () => {
    setError(undefined);
    setRound((before) => before + 1);
  } };
}

export function BacktestPanel({ what, last }: { what: What; last?: string }) {
  const started = useStarted(what, last);
  const query = useBacktest(started.id);
  const error = started.error ?? query.error;
  const run = query.data;
  return (
    <section className="backtest" aria-busy={run?.state === 'running'} data-testid="backtest">
      <h3>{w.rule.backtest}</h3>
      <p className="note">{w.rule.backtestHint}</p>
      {error && <Failure error={error} retry={started.retry} />}
      {run?.error && <Failure error={new Error(run.error)} retry={started.retry} />}
      {!error && (!run || run.state === 'running') && <Progress run={run} />}
      {run?.report?.difference && <Changes difference={run.report.difference} />}
      {run?.report && run.report.rules.map((rule) => <Outcome key={rule.id} rule={rule} before={run.report?.before?.rules.find((each) => each.id === rule.id) ?? run.report?.before?.rules[0]} events={run.report?.events ?? 0} took={run.report?.took_ms ?? 0} />)}
    </section>
  );
}

function Progress({ run }: { run: Backtest | undefined }) {
  const total = run?.events_total ?? 0;
  return (
    <p className="progress">
      <progress max={Math.max(1, total)} value={run?.events_done ?? 0} aria-label={w.rule.backtest} />
      <span className="note">{w.rule.running(run?.events_done ?? 0, total)}</span>
    </p>
  );
}

const ofAlerts = (list: readonly Brief[]): Shown[] => list.map((alert) => ({ time: alert.first, group: alert.group, text: alert.reason }));
const ofLines = (list: Difference['new_lines']): Shown[] => list.map(({ time, line }) => ({ time, group: '', text: line }));

/** What a change of the rule changes: alerts and matches that are new, and that are gone. */
function Changes({ difference: all }: { difference: Difference }) {
  const changed = all.new + all.gone + all.new_matches + all.gone_matches > 0;
  return (
    <div className="changes" data-testid="changes">
      <p><b>{changed ? w.rule.changed(all.new, all.gone, all.same) : w.rule.unchanged(all.same)}</b></p>
      {changed && <p className="note">{w.rule.changedMatches(all.new_matches, all.gone_matches, all.same_matches)}</p>}
      <Listed kind="new" title={w.rule.newAlerts(all.new)} list={ofAlerts(all.new_alerts)} />
      <Listed kind="gone" title={w.rule.goneAlerts(all.gone)} list={ofAlerts(all.gone_alerts)} />
      <Listed kind="new" title={w.rule.newMatches(all.new_matches)} list={ofLines(all.new_lines)} />
      <Listed kind="gone" title={w.rule.goneMatches(all.gone_matches)} list={ofLines(all.gone_lines)} />
      {all.cut && <p className="note warn">{w.rule.cut}</p>}
    </div>
  );
}

interface Shown {
  time: string;
  group: string;
  text: string;
}

function Listed({ kind, title, list }: { kind: 'new' | 'gone'; title: string; list: readonly Shown[] }) {
  if (list.length === 0) return null;
  return (
    <details className={kind} open>
      <summary><Icon name={kind === 'new' ? 'plus' : 'minus'} size={12} />{title}</summary>
      <ul className="samples">
        {list.map((one, at) => <li key={at}><Clock time={one.time} /> {one.group !== '' && <span className="mono"><Text text={one.group} /></span>} <Text text={one.text} /></li>)}
      </ul>
    </details>
  );
}

function Outcome({ rule, before, events, took }: { rule: RuleReport; before: RuleReport | undefined; events: number; took: number }) {
  const spanDays = Math.max(1, rule.days.length === 0 ? 1 : (Date.parse(rule.days.at(-1)?.day ?? '') - Date.parse(rule.days[0]?.day ?? '')) / (DAY_S * 1000) + 1);
  const perDay = rule.alerts / spanDays;
  return (
    <>
      <p><b data-testid="raised">{rule.findings === 0 ? w.rule.quiet : w.rule.raised(rule.alerts, rule.findings)}</b> <span className="note">{w.rule.over(events, took)}</span></p>
      {rule.alerts > 0 && <p className={perDay > NOISY_PER_DAY ? 'note warn' : 'note'}>{w.rule.perDay(perSecond(perDay))}{perDay > NOISY_PER_DAY && ` ${w.rule.noisy}`}</p>}
      {before && <p className="note" data-testid="before">{w.rule.before(before.alerts, before.findings)}</p>}
      {rule.cost && <p className="note">{w.rule.costs(nanos(rule.cost.nanos_per_event))}</p>}
      {rule.findings + (before?.findings ?? 0) > 0 && <Days rule={rule} before={before} />}
      {rule.groups.length > 0 && (
        <>
          <h4>{w.rule.groups}</h4>
          <ul className="groups">{rule.groups.slice(0, 5).map((group) => <li key={group.group}><span className="mono"><Text text={group.group} /></span><span className="num">{number(group.findings)}</span></li>)}</ul>
        </>
      )}
      {rule.samples.length > 0 && (
        <>
          <h4>{w.rule.samples}</h4>
          <ul className="samples">{rule.samples.map((sample, at) => <li key={at}><Text text={reasonOf(sample)} /></li>)}</ul>
        </>
      )}
    </>
  );
}

const reasonOf = (sample: EcsEvent) => valuesAt(sample, 'tocsin.alert.reason')[0] ?? lineOf(sample);

function Days({ rule, before }: { rule: RuleReport; before: RuleReport | undefined }) {
  const { starts, lines } = useMemo(() => {
    const ends = [...rule.days, ...(before?.days ?? [])].map((day) => Date.parse(day.day) / 1000);
    const first = Math.min(...ends);
    const last = Math.max(...ends);
    const count = Math.min(400, Math.round((last - first) / DAY_S) + 1);
    const days = Array.from({ length: Number.isFinite(count) ? count : 0 }, (_, at) => first + at * DAY_S);
    const of = (report: RuleReport, pick: (day: RuleReport['days'][number]) => number) => {
      const byDay = new Map(report.days.map((day) => [Date.parse(day.day) / 1000, day]));
      return days.map((at) => { const day = byDay.get(at); return day ? pick(day) : 0; });
    };
    const drawn: Line[] = before
      ? [
        { label: w.rule.wasBefore, color: '--fill-low', kind: 'bar', values: of(before, (day) => day.alerts) },
        { label: w.rule.isAfter, color: '--fill-high', kind: 'dashed', values: of(rule, (day) => day.alerts) },
      ]
      : [
        { label: w.rule.findings, color: '--fill-low', kind: 'bar', values: of(rule, (day) => day.findings) },
        { label: t.overview.alerts, color: '--fill-high', kind: 'bar', values: of(rule, (day) => day.alerts) },
      ];
    return { starts: days, lines: drawn };
  }, [rule, before]);
  if (starts.length < 2) return null;
  return <div className="days"><Chart name={w.rule.backtest} starts={starts} width={DAY_S} until={(starts.at(-1) ?? 0) + DAY_S} lines={lines} asTable={false} /></div>;
}
