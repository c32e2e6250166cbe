/** Words of the Entities screen. */
import { many } from './count';

export const w = {
  title: 'Entities',
  kinds: { address: 'Address', user: 'User', host: 'Host' },
  lists: { address: 'Addresses', user: 'Users', host: 'Hosts' },
  open: 'Open the page of an address, user or host',
  kind: 'Kind',
  value: 'Address or name',
  go: 'Open',
  lastWeek: 'most events, last 7 days',
  none: 'None seen in 7 days',
  first: 'First seen',
  last: 'Last seen',
  events: 'Events in 7 days',
  outcome: 'Failed / succeeded',
  alerts: 'Alerts',
  allAlerts: (count: number) => `All ${many(count, 'alert', 'alerts')}`,
  noAlerts: 'No alert involves it.',
  overTime: 'Events, last 7 days',
  peers: 'Seen with',
  search: 'Search its events',
  never: 'No stored event names it',
  neverText: 'It may have been removed by retention, or was never seen here.',
  noPeers: 'Nothing else is named in its events.',
  back: 'All entities',
  fields: { 'source.ip': 'Addresses', 'user.name': 'Users', 'host.name': 'Hosts', 'event.dataset': 'Sources', 'event.action': 'What it did', 'destination.ip': 'Destinations' },
} as const;
