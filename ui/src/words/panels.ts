/** Words of the panels that are asked for by query: top values, maps, tactics, panels of packs. */
import { LOCALE } from '../strings';
import { n } from './count';

const countries = new Intl.DisplayNames([LOCALE], { type: 'region', fallback: 'code' });

export const w = {
  users: 'Top users',
  hosts: 'Top hosts',
  failedUsers: 'Users with failed logins',
  endpoints: 'Requests by address',
  traffic: 'Bytes sent by host',
  requests: 'Requests by host',
  map: 'Where addresses are',
  tactics: 'ATT&CK tactics of alerts',
  noTactics: 'No alert of a rule with a tactic',
  none: 'No event has it in this range',
  partial: 'Counted as far as time allowed',
  value: 'Value',
  events: 'Events',
  sum: 'Sum',
  share: 'Alerts',
  country: (code: string) => (/^[a-z]{2}$/i.test(code) ? (countries.of(code.toUpperCase()) ?? code) : code),
  countryTitle: (name: string, events: number) => `${name}: ${n(events)} events`,
  mapLabel: (places: number, events: number) => `World map: ${n(events)} events from ${n(places)} countries; the list beside it says the same`,
  noMap: 'No event tells a country. “tocsin geoip update” fetches a free database; then events carry where addresses are.',
  pack: (name: string) => `From the pack ${name}`,
  figure: n,
  work: {
    title: 'Waiting for somebody',
    none: 'No critical or high alert waits.',
    urgent: (count: number) => (count === 1 ? 'critical or high alert that nobody has looked at' : 'critical and high alerts that nobody has looked at'),
    oldest: 'The oldest came',
    mine: (count: number) => (count === 1 ? 'open alert is yours' : 'open alerts are yours'),
    risk: 'At most risk',
    all: 'All entities',
    noRisk: 'No alert has added to anybody’s risk.',
  },
} as const;
