/** Where an address is, whose it is, and who warns of it. */
import { useFeeds, useIndicators, usePlace } from '../../api/watch';
import { Attribution } from '../../parts/attribution';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { FullTime } from '../../parts/time';
import { w } from '../../words/watch';

export function KnownOf({ ip }: { ip: string }) {
  const place = usePlace(ip);
  const warned = useIndicators(ip);
  const feeds = useFeeds().data?.feeds;
  const { data } = place;
  const where = data ? [data.city_name, data.region_name, data.country_name ?? data.country_iso_code].filter((part) => part !== null) : [];
  const indicators = warned.data?.indicators ?? [];
  return (
    <Panel title={w.known.title} className="entity-known" asked={place} skeletonRows={3}>
      {data && (
        <dl className="known-facts">
          <div><dt>{w.known.place}</dt><dd>{where.length === 0 ? w.known.nowhere : <Text text={where.join(', ')} />}</dd></div>
          {(data.as_number !== null || data.as_organization !== null) && (
            <div><dt>{w.known.owner}</dt><dd><Text text={[data.as_organization, data.as_number === null ? null : `AS${data.as_number}`].filter(Boolean).join(', ')} /></dd></div>
          )}
          <div>
            <dt>{w.known.warned}</dt>
            <dd>
              {warned.data && indicators.length === 0 && (feeds?.length === 0 ? w.known.noFeeds : w.known.nothing)}
              {indicators.map((one) => (
                <span key={`${one.feed} ${one.value}`} className="block hot" data-testid="warning">
                  {w.known.by(one.feed)}{': '}<Text text={one.about === '' ? one.value : one.about} /> <span className="note">{w.known.confidence(one.confidence)}{one.expires !== null && <>{', '}{w.known.until}{' '}<FullTime time={one.expires} /></>}</span>
                </span>
              ))}
            </dd>
          </div>
        </dl>
      )}
      {data && where.length > 0 && <Attribution names={data.attribution} />}
    </Panel>
  );
}
