/** Channels with a test, and deliveries that were given up with another try. */
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { useMe } from '../../api/accounts';
import { useStatus } from '../../api/queries';
import { retryNotices, testChannel, useDead } from '../../api/running';
import type { ChannelStatus } from '../../api/types';
import { number } from '../../lib/time';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { w } from '../../words/running';

export function Channels() {
  const admin = useMe().data?.role === 'admin';
  const query = useStatus();
  const channels = query.data?.channels ?? [];
  return (
    <>
      <Panel title={w.channels.title} className="channels" asked={query} skeletonRows={4}>
        {channels.length === 0 && <p className="quiet">{w.channels.none}</p>}
        {channels.length > 0 && (
          <div className="scroll" tabIndex={0} role="group" aria-label={w.channels.title}>
            <table className="plain">
              <thead>
                <tr>
                  <th scope="col">{w.channels.name}</th>
                  <th scope="col" className="num">{w.channels.delivered}</th>
                  <th scope="col" className="num">{w.channels.pending}</th>
                  <th scope="col" className="num">{w.channels.failed}</th>
                  <th scope="col"><span className="hidden">{w.channels.test}</span></th>
                </tr>
              </thead>
              <tbody>{channels.map((channel) => <Channel key={channel.name} channel={channel} admin={admin} />)}</tbody>
            </table>
          </div>
        )}
      </Panel>
      <Dead admin={admin} />
    </>
  );
}

function Channel({ channel, admin }: { channel: ChannelStatus; admin: boolean }) {
  const test = useMutation({ mutationFn: () => testChannel(channel.name) });
  const said = test.data && (test.data.delivered ? w.channels.took(test.data.answer) : w.channels.refused(test.data.answer));
  return (
    <tr>
      <th scope="row">
        <Text text={channel.name} />
        {channel.problem !== null && <span className="warn note block"><Text text={channel.problem} /></span>}
        <span role="status" className={test.data?.delivered === false || test.error ? 'wrong block' : 'note block'}><Text text={test.error?.message ?? said ?? ''} /></span>
      </th>
      <td className="num">{number(channel.delivered)}</td>
      <td className="num">{number(channel.pending)}</td>
      <td className="num">{number(channel.failed)}</td>
      <td>
        {admin && <span className="does"><button type="button" className="button" disabled={test.isPending} aria-label={w.channels.testOf(channel.name)} onClick={() => test.mutate()}>{w.channels.test}</button></span>}
      </td>
    </tr>
  );
}

function Dead({ admin }: { admin: boolean }) {
  const query = useDead();
  const retry = useMutation({ mutationFn: retryNotices });
  const notices = query.data?.notices ?? [];
  const tools = admin && notices.length > 0
    ? <button type="button" className="button" disabled={retry.isPending} onClick={() => retry.mutate([])}>{w.dead.retryAll}</button>
    : undefined;
  return (
    <Panel title={w.dead.title} className="dead" asked={query} skeletonRows={3} tools={tools}>
      <p role="status" className={retry.error ? 'wrong' : 'note'}>{retry.error?.message ?? (retry.data ? w.dead.retried(retry.data.retried) : '')}</p>
      {query.data && notices.length === 0 && <p className="quiet">{w.dead.none}</p>}
      {notices.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={w.dead.title}>
          <table className="plain">
            <thead>
              <tr>
                <th scope="col">{w.dead.alert}</th>
                <th scope="col">{w.channels.name}</th>
                <th scope="col">{w.dead.answer}</th>
                <th scope="col" className="num">{w.dead.attempts}</th>
                <th scope="col">{w.dead.when}</th>
                <th scope="col"><span className="hidden">{w.dead.retry}</span></th>
              </tr>
            </thead>
            <tbody>
              {notices.map((notice) => (
                <tr key={notice.key}>
                  <th scope="row"><Link href={`/alerts/${encodeURIComponent(notice.alert)}`}><Text text={notice.title} /></Link></th>
                  <td><Text text={notice.channel} /></td>
                  <td><Text text={notice.answer ?? ''} /></td>
                  <td className="num">{number(notice.attempts)}</td>
                  <td><Ago time={notice.given_up} /></td>
                  <td>{admin && <span className="does"><button type="button" className="button" disabled={retry.isPending} aria-label={w.dead.retryOf(notice.title)} onClick={() => retry.mutate([notice.key])}>{w.dead.retry}</button></span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
}
