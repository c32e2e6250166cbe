/** Nothing arrives: not "all is well", but "nobody is watching". Says how to send a first event. */
import { useStatus } from '../../api/queries';
import type { Range } from '../../api/types';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { t } from '../../strings';
import { Link } from 'wouter';

const SYSLOG = 'logger --server 127.0.0.1 --port 5514 --udp "hello from $(hostname)"';
const http = () => `curl -d '{"events":[{"message":"hello"}]}' ${location.origin}/ingest`;

export function NoEvents({ range }: { range: Range }) {
  const status = useStatus();
  const problems = status.data?.inputs.filter((input) => input.problem !== null) ?? [];
  return (
    <section className="panel first" aria-labelledby="first">
      <div className="state">
        <Icon name="warn" size={28} />
        <h2 id="first">{t.empty.title(t.overview.rangeWords[range])}</h2>
        <p>{t.empty.text}</p>
        {range !== '7d' && <Link className="button" href="/overview?last=7d">{t.empty.wider}</Link>}
      </div>
      {problems.length > 0 && (
        <ul className="problems">
          {problems.map((input) => (
            <li key={input.name}>
              <b><Text text={input.name} /></b>
              <span><Text text={input.problem ?? ''} /></span>
            </li>
          ))}
        </ul>
      )}
      <h3>{t.empty.steps}</h3>
      <ol>
        <li>{t.empty.syslog}<code>{SYSLOG}</code></li>
        <li>{t.empty.http}<code>{http()}</code></li>
        <li>{t.empty.files}</li>
      </ol>
    </section>
  );
}
