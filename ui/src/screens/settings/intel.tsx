/** Threat intelligence: feeds, indicators of one's own, looks into history; and databases of places. */
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { useMayChange } from '../../api/accounts';
import { addIndicator, fetchFeed, refreshIntel, removeIndicator, startHunt, useContext, useFeeds, useHunts, useIndicators, type Feed } from '../../api/watch';
import { printFilter } from '../../lib/filter';
import { useRested } from '../../lib/rested';
import { number } from '../../lib/time';
import { Attribution } from '../../parts/attribution';
import { Icon } from '../../parts/icons';
import { Panel } from '../../parts/panel';
import { Sure } from '../../parts/sure';
import { Text } from '../../parts/text';
import { Ago, FullTime } from '../../parts/time';
import { w } from '../../words/watch';
import { Field, Form } from './signin';

const OWN = 'own';
/** The rule that fires when an event holds an indicator. */
const RULE = '5c1f0f5e-0d0c-4d5f-9f0e-6c6f3a8d7b21';

export function Intel() {
  const query = useFeeds();
  const feeds = query.data?.feeds ?? [];
  return (
    <>
      <Panel title={w.intel.title} className="feeds" asked={query} skeletonRows={3} tools={<Link className="link" href={`/alerts${printFilter({ rule: RULE })}`}>{w.intel.hits}</Link>}>
        {query.data && feeds.length === 0 && <p className="quiet">{w.intel.none}</p>}
        {feeds.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={w.intel.title}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{w.intel.name}</th>
                  <th scope="col">{w.intel.from}</th>
                  <th scope="col" className="num">{w.intel.count}</th>
                  <th scope="col" className="num">{w.intel.fetched}</th>
                  <th scope="col"><span className="hidden">{w.intel.fetch}</span></th>
                </tr>
              </thead>
              <tbody>{feeds.map((feed) => <FeedRow key={feed.name} feed={feed} />)}</tbody>
            </table>
          </div>
        )}
      </Panel>
      <Own />
      <Hunts />
      <Places />
    </>
  );
}

function FeedRow({ feed }: { feed: Feed }) {
  const mayChange = useMayChange();
  const fetch = useMutation({ mutationFn: fetchFeed, onSettled: refreshIntel });
  const refused = Object.values(feed.refused).reduce((sum, count) => sum + count, 0);
  return (
    <tr>
      <th scope="row">
        <Text text={feed.name} />
        {feed.problem !== null && <span className="warn note block"><Icon name="warn" size={12} /> <Text text={feed.problem} /></span>}
        {refused > 0 && <span className="note block">{w.intel.refused(refused)}</span>}
        {fetch.error && <span role="alert" className="wrong block">{fetch.error.message}</span>}
      </th>
      <td className="mono">{feed.name === OWN ? w.intel.own : <Text text={feed.source} />}</td>
      <td className="num">{number(feed.indicators)}<span className="note block">{Object.entries(feed.by_kind).map(([kind, count]) => `${number(count)} ${kind}`).join(', ')}</span></td>
      <td className="num">{feed.fetched === null ? w.intel.never : <Ago time={feed.fetched} />}</td>
      <td className="does">{mayChange && feed.name !== OWN && <button type="button" className="button" disabled={fetch.isPending} onClick={() => fetch.mutate(feed.name)}>{fetch.isSuccess ? w.intel.fetching : w.intel.fetch}</button>}</td>
    </tr>
  );
}

function Own() {
  const mayChange = useMayChange();
  const [value, setValue] = useState('');
  const [about, setAbout] = useState('');
  const [days, setDays] = useState('');
  const rested = useRested(value.trim());
  const found = useIndicators(rested);
  const add = useMutation({
    mutationFn: addIndicator,
    onSuccess: () => {
      setAbout('');
      setDays('');
      void refreshIntel();
    },
  });
  const remove = useMutation({ mutationFn: removeIndicator, onSettled: refreshIntel });
  const indicators = found.data?.indicators ?? [];
  const expires = /^\d{1,4}$/.test(days.trim()) ? { expires_days: Number(days.trim()) } : {};
  return (
    <section className="panel narrow" aria-labelledby="own-intel">
      <header><h2 id="own-intel">{w.intel.ask}</h2></header>
      <div className="body">
        <Form error={add.error ?? remove.error} pending={add.isPending || !mayChange} go={w.intel.add} submit={() => add.mutate({ value: value.trim(), about: about.trim(), ...expires })}>
          <Field label={w.intel.value} type="text" value={value} set={setValue} complete="off" />
          <div role="status" data-testid="warnings">
            {rested !== '' && found.data && indicators.length === 0 && <p className="note">{w.intel.noWarning}</p>}
            {rested !== '' && found.error && <p className="note">{found.error.message}</p>}
            {indicators.map((one) => (
              <p key={`${one.feed} ${one.value}`}>
                <span className="hot">{w.known.by(one.feed)}</span>{': '}<span className="mono"><Text text={one.value} /></span> <Text text={one.about} /> <span className="note">{w.known.confidence(one.confidence)}</span>
                {one.feed === OWN && mayChange && <>{' '}<Sure name={w.intel.remove} really={w.intel.really} does={() => remove.mutate(one.value)} /></>}
              </p>
            ))}
          </div>
          <Field label={w.intel.about} type="text" value={about} set={setAbout} complete="off" />
          <Field label={w.intel.days} type="text" value={days} set={setDays} complete="off" optional />
          <span role="status" className="note">{add.isSuccess ? w.intel.added : ''}</span>
        </Form>
      </div>
    </section>
  );
}

function Hunts() {
  const mayChange = useMayChange();
  const query = useHunts();
  const start = useMutation({ mutationFn: startHunt, onSettled: refreshIntel });
  const hunts = query.data?.hunts ?? [];
  const { columns } = w.intel;
  const tools = <>{<span className="note">{w.intel.huntsNote}</span>}{mayChange && <button type="button" className="button" disabled={start.isPending} onClick={() => start.mutate()}>{w.intel.hunt}</button>}</>;
  return (
    <Panel title={w.intel.hunts} className="hunts" asked={query} skeletonRows={2} tools={tools}>
      {start.error && <p role="alert" className="wrong">{start.error.message}</p>}
      {query.data && hunts.length === 0 && <p className="quiet">{w.intel.noHunts}</p>}
      {hunts.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={w.intel.hunts}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{columns.about}</th>
                <th scope="col">{columns.started}</th>
                <th scope="col" className="num">{columns.events}</th>
                <th scope="col" className="num">{columns.matched}</th>
                <th scope="col" className="num">{columns.alerts}</th>
              </tr>
            </thead>
            <tbody>
              {hunts.map((hunt) => (
                <tr key={hunt.id}>
                  <th scope="row"><Text text={hunt.about} />{hunt.ended === null && <span className="note block">{w.intel.running}</span>}{hunt.problem !== null && <span className="wrong block"><Text text={hunt.problem} /></span>}</th>
                  <td><FullTime time={hunt.started} /></td>
                  <td className="num">{number(hunt.events)}</td>
                  <td className="num">{number(hunt.matched)}</td>
                  <td className="num">{number(hunt.alerts)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}

const day = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

function Places() {
  const query = useContext();
  const { data } = query;
  const problems = Object.entries(data?.problems ?? {});
  return (
    <Panel title={w.intel.context} className="places" asked={query} skeletonRows={3}>
      {data && (
        <dl className="known-facts">
          <div>
            <dt>{w.intel.databases}</dt>
            <dd>{data.databases.length === 0 ? w.intel.noDatabases : data.databases.map((one) => <span key={one.path} className="block"><Text text={one.kind} /> <span className="note">{w.intel.built(day(one.built))}</span> <span className="mono note"><Text text={one.path} /></span></span>)}</dd>
          </div>
          <div><dt>{w.intel.inventory}</dt><dd>{w.intel.counts(data.hosts, data.users, data.networks)}</dd></div>
          {problems.length > 0 && <div><dt>{w.intel.problems}</dt><dd>{problems.map(([file, problem]) => <span key={file} className="warn block"><Text text={`${file}: ${problem}`} /></span>)}</dd></div>}
        </dl>
      )}
      {data && <Attribution names={data.attribution} />}
    </Panel>
  );
}
