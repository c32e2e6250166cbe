/** Sources & health: what arrives, how it is understood, what is lost, and lines read for a try. */
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { useContext } from '../../api/watch';
import { useSources, useUnparsed, type Source } from '../../api/sources';
import { useStatus } from '../../api/queries';
import type { InputStatus, SystemStatus } from '../../api/types';
import { clause } from '../../lib/kql';
import { useNow } from '../../lib/now';
import { searchPath } from '../../lib/search';
import { age, big, millis, number, percent, perSecond, span } from '../../lib/time';
import { useStream } from '../../live/stream';
import { Icon } from '../../parts/icons';
import { Failure, Panel } from '../../parts/panel';
import { Attribution } from '../../parts/attribution';
import { Spark } from '../../parts/spark';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { t } from '../../strings';
import { w } from '../../words/sources';
import '../../styles/sources.css';
import { Silence } from './silence';
import { TryOut } from './tryout';
import { Unparsed } from './unparsed';
import '../../styles/alerts.css';

/** An input that had events and has been quiet for so long is silent. */
const SILENT_MS = 3_600_000;

export function Sources() {
  const status = useStatus();
  const sources = useSources();
  const unparsed = useUnparsed();
  const [tried, setTried] = useState<{ line: string; round: number }>({ line: '', round: 0 });
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    document.title = t.title(w.title);
  }, []);
  const tryIt = (line: string) => {
    setTried((before) => ({ line, round: before.round + 1 }));
    box.current?.scrollIntoView({ block: 'nearest' });
  };
  const names = sources.data?.sources.filter((source) => source.pack !== '').map((source) => source.name) ?? [];
  return (
    <div className="sources-screen">
      <header className="screen-head"><h1>{w.title}</h1></header>
      {status.data && status.error && <Failure still error={status.error} retry={status.refetch} />}
      <Figures status={status.data} unparsed={unparsed.data?.shapes.reduce((sum, shape) => sum + shape.count, unparsed.data.forgotten) ?? 0} />
      <Silence />
      <Panel title={w.inputs.title} className="inputs" asked={status} skeletonRows={4}>
        {status.data && <Inputs inputs={status.data.inputs} />}
      </Panel>
      <Panel title={w.sources.title} className="understood" asked={sources} skeletonRows={8} tools={<span className="note">{w.sources.note}</span>}>
        {sources.data && <SourceTable sources={sources.data.sources} />}
      </Panel>
      <Panel title={w.unparsed.title} className="unparsed" asked={unparsed} skeletonRows={5} tools={<span className="note">{w.unparsed.note}</span>}>
        {unparsed.data && <Unparsed data={unparsed.data} received={status.data?.events.received ?? 0} tryIt={tryIt} />}
      </Panel>
      <section ref={box} className="panel tryout" aria-labelledby="try-title">
        <header><h2 id="try-title">{w.try.title}</h2></header>
        <div className="body"><TryOut key={tried.round} line={tried.line} sources={names} /></div>
      </section>
      <Attribution names={useContext().data?.attribution ?? []} />
    </div>
  );
}

function Figures({ status, unparsed }: { status: SystemStatus | undefined; unparsed: number }) {
  const tick = useStream().ticks.at(-1);
  const received = status?.events.received ?? 0;
  const reasons = new Map<string, number>();
  for (const input of status?.inputs ?? []) {
    for (const [reason, count] of Object.entries(input.dropped)) reasons.set(reason, (reasons.get(reason) ?? 0) + count);
  }
  const why = [...reasons].filter(([, count]) => count > 0).map(([reason, count]) => w.droppedWhy(count, reason.replaceAll('_', ' ')));
  const dropped = status?.events.dropped ?? 0;
  return (
    <dl className="panel health-figures" aria-label={w.figuresLabel}>
      <div><dt>{w.figures.rate}</dt><dd className="figure">{tick ? perSecond(tick.events_per_second) : t.none}</dd></div>
      <div><dt>{w.figures.lag}</dt><dd className="figure">{tick ? lag(tick.lag_ms) : t.none}</dd></div>
      <div><dt>{w.figures.stored}</dt><dd className="figure" title={status ? number(status.events.stored) : ''}>{status ? big(status.events.stored) : t.none}</dd></div>
      <div><dt>{w.figures.understood}</dt><dd className="figure">{received > 0 ? understood(unparsed, received) : t.none}</dd><dd className="note">{w.since}</dd></div>
      <div className={dropped > 0 ? 'bad' : ''}><dt>{w.figures.dropped}</dt><dd className="figure">{status ? number(dropped) : t.none}</dd><dd className="note">{why.length > 0 ? why.join(', ') : w.nothingDropped}</dd></div>
    </dl>
  );
}

const lag = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : span(ms));

/** The share of lines understood; never rounded up to all. */
const understood = (unparsed: number, all: number) => percent(Math.floor(1000 * (1 - Math.min(1, unparsed / Math.max(1, all)))) / 1000);

type State = 'working' | 'silent' | 'problem' | 'waiting';

/** Pure. */
export function stateOf(input: InputStatus, now: number): State {
  if (input.problem !== null) return 'problem';
  if (input.last_event === null) return input.received > 0 ? 'silent' : 'waiting';
  return now - millis(input.last_event) > SILENT_MS ? 'silent' : 'working';
}

const STATE_ICONS = { working: 'check', silent: 'warn', problem: 'cross', waiting: 'minus' } as const;

function Inputs({ inputs }: { inputs: readonly InputStatus[] }) {
  const now = useNow();
  if (inputs.length === 0) return <p className="quiet">{w.inputs.none}</p>;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={w.inputs.title}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{w.inputs.state}</th>
            <th scope="col">{w.inputs.name}</th>
            <th scope="col">{w.inputs.from}</th>
            <th scope="col" className="num">{w.inputs.received}</th>
            <th scope="col" className="num">{w.inputs.dropped}</th>
            <th scope="col" className="num">{w.inputs.last}</th>
          </tr>
        </thead>
        <tbody>
          {inputs.map((input) => {
            const state = stateOf(input, now);
            const dropped = Object.entries(input.dropped).filter(([, count]) => count > 0);
            return (
              <tr key={input.name}>
                <td><span className={`state-word ${state}`} title={state === 'silent' ? w.inputs.silentHint : undefined}><Icon name={STATE_ICONS[state]} size={13} />{w.inputs[state]}</span></td>
                <th scope="row"><Link className="link" href={searchPath({ q: clause('tocsin.input', input.name) })}><Text text={input.name} /></Link>{input.problem !== null && <span className="warn note block"><Text text={input.problem} /></span>}</th>
                <td className="mono"><Text text={input.source} /></td>
                <td className="num">{number(input.received)}</td>
                <td className="num">{dropped.length === 0 ? '0' : dropped.map(([reason, count]) => <span key={reason} className="block">{w.droppedWhy(count, reason.replaceAll('_', ' '))}</span>)}</td>
                <td className="num">{input.last_event === null ? w.inputs.never : t.ago(age(now - millis(input.last_event)))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function SourceTable({ sources }: { sources: readonly Source[] }) {
  const [filter, setFilter] = useState('');
  const active = sources.filter((source) => source.events > 0);
  const word = filter.trim().toLowerCase();
  const rest = sources.filter((source) => source.events === 0 && source.pack !== '' && `${source.name} ${source.about}`.toLowerCase().includes(word));
  return (
    <>
      {active.length === 0 && (
        <div className="state doubt"><Icon name="warn" size={28} /><h3>{w.sources.none}</h3><p>{w.sources.noneText}</p></div>
      )}
      {active.length > 0 && <ActiveSources sources={active} />}
      <details className="others">
        <summary>{w.sources.all(sources.length - active.length)}</summary>
        <p className="note">{w.sources.allHint}</p>
        <label className="search small"><Icon name="search" size={12} /><span className="hidden">{w.sources.filter}</span><input type="search" value={filter} placeholder={w.sources.filter} onChange={(event) => setFilter(event.target.value)} /></label>
        {rest.length === 0 && <p className="quiet">{w.sources.noMatch}</p>}
        <ul>{rest.map((source) => <li key={source.name}><Known source={source} /></li>)}</ul>
      </details>
    </>
  );
}

function ActiveSources({ sources }: { sources: readonly Source[] }) {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={w.sources.title}>
      <table className="plain">
        <thead>
          <tr>
            <th scope="col">{w.sources.name}</th>
            <th scope="col">{w.sources.day}</th>
            <th scope="col" className="num">{w.sources.events}</th>
            <th scope="col" className="num">{w.sources.parsed}</th>
            <th scope="col" className="num">{w.sources.hosts}</th>
            <th scope="col">{w.sources.inputs}</th>
            <th scope="col" className="num">{w.sources.last}</th>
          </tr>
        </thead>
        <tbody>
          {sources.map((source) => (
            <tr key={source.name}>
              <th scope="row">
                <Link className="link mono" href={searchPath({ q: clause('event.dataset', source.name) })} title={w.sources.search(source.name)}><Text text={source.name} /></Link>
                {source.about !== '' && <span className="note block">{source.about}</span>}
              </th>
              <td><Spark values={source.series} slots={source.series.length} label={w.sources.spark(source.name, source.events)} /></td>
              <td className="num">{number(source.events)}</td>
              <td className={source.unparsed > 0 ? 'num hot' : 'num'} title={w.sources.unparsed(source.unparsed)}>{source.pack === '' ? t.none : understood(source.unparsed, source.events)}</td>
              <td className="num">{number(source.hosts)}</td>
              <td><Text text={source.inputs.join(', ')} /></td>
              <td className="num">{source.last_event === null ? t.none : <Ago time={source.last_event} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Known({ source }: { source: Source }) {
  return (
    <details>
      <summary><span className="mono">{source.name}</span> <span className="note">{source.about}</span></summary>
      {source.paths.length > 0 && <p><span className="note">{w.sources.paths}</span> {source.paths.map((path) => <code key={path}>{path}</code>)}</p>}
      {source.setup !== '' && <p><span className="note">{w.sources.setup}</span> {source.setup}</p>}
    </details>
  );
}
