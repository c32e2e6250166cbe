/** What the health line stands for: who is silent and what is blind by it, inputs, channels. */
import { Link } from 'wouter';
import type { SystemStatus } from '../api/types';
import { useNow } from '../lib/now';
import { age, millis, number, span } from '../lib/time';
import { Text } from '../parts/text';
import { t } from '../strings';
import { w } from '../words/health';

export function Details({ status }: { status: SystemStatus }) {
  return (
    <>
      {status.problem && <p className="warn note"><Text text={status.problem} /></p>}
      <Silent status={status} />
      <Inputs status={status} />
      <Channels status={status} />
      <p className="foot">
        <span>{w.rules(status.rules.loaded, status.rules.refused)}</span>
        <span>{w.stored(status.events.stored)}</span>
        <span>{w.uptime(span(status.uptime_seconds * 1000))}</span>
        <span>{w.version(status.version)}</span>
      </p>
    </>
  );
}

/** Who has stopped sending, and what cannot be detected meanwhile. */
function Silent({ status: { silent } }: { status: SystemStatus }) {
  const now = useNow();
  if (!silent || silent.total === 0) return null;
  return (
    <section className="silent-list" aria-labelledby="silent-title">
      <h3 id="silent-title">{w.silent(silent.total)}</h3>
      <ul>
        {silent.sources.map((one) => (
          <li key={`${one.source} ${one.host}`}>
            <b className="mono"><Text text={one.source} /></b>{one.host !== '' && <> {w.of} <span className="mono"><Text text={one.host} /></span></>}
            <span className="note">{one.last === null ? w.never : t.ago(age(now - millis(one.last)))}</span>
            <span className="warn note block">{one.blind.length === 0 ? w.noneBlind : w.blind(one.blind.length)}<Text text={one.blind.join(', ')} /></span>
            {one.alert !== null && <Link className="link" href={`/alerts/${encodeURIComponent(one.alert)}`}>{w.alert}</Link>}
          </li>
        ))}
      </ul>
      <Link className="link" href="/sources">{w.all}</Link>
    </section>
  );
}

function Inputs({ status }: { status: SystemStatus }) {
  const now = useNow();
  if (status.inputs.length === 0) return <p>{w.noInputs}</p>;
  return (
    <table className="plain">
      <caption>{w.inputs}</caption>
      <thead>
        <tr>
          <th scope="col">{w.input}</th>
          <th scope="col">{w.source}</th>
          <th scope="col" className="num">{w.received}</th>
          <th scope="col" className="num">{w.last}</th>
        </tr>
      </thead>
      <tbody>
        {status.inputs.map((input) => (
          <tr key={input.name}>
            <th scope="row">
              <Text text={input.name} />
              {input.problem !== null && <span className="warn note"><Text text={input.problem} /></span>}
              {Object.entries(input.dropped).map(([reason, n]) => n > 0 && (
                <span key={reason} className="note">{w.droppedFor(n, reason.replaceAll('_', ' '))}</span>
              ))}
            </th>
            <td className="mono"><Text text={input.source} /></td>
            <td className="num">{number(input.received)}</td>
            <td className="num">{input.last_event === null ? w.never : t.ago(age(now - millis(input.last_event)))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Channels({ status }: { status: SystemStatus }) {
  if (status.channels.length === 0) return <p>{w.noChannels}</p>;
  return (
    <table className="plain">
      <caption>{w.channels}</caption>
      <thead>
        <tr>
          <th scope="col">{w.channel}</th>
          <th scope="col" className="num">{w.delivered}</th>
          <th scope="col" className="num">{w.pending}</th>
          <th scope="col" className="num">{w.failed}</th>
        </tr>
      </thead>
      <tbody>
        {status.channels.map((channel) => (
          <tr key={channel.name}>
            <th scope="row">
              <Text text={channel.name} />
              {channel.problem !== null && <span className="warn note"><Text text={channel.problem} /></span>}
            </th>
            <td className="num">{number(channel.delivered)}</td>
            <td className="num">{number(channel.pending)}</td>
            <td className="num">{number(channel.failed)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
