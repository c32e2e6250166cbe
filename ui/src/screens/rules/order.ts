/** How the catalogue is ordered. Pure. */
import type { Foreseen, Rule } from '../../api/content';
import { SEVERITIES } from '../../api/types';

export const SORTS = ['fired', 'fp', 'noise', 'cost', 'last'] as const;
export type Sort = (typeof SORTS)[number];

export const isSort = (word: string | null): Sort => SORTS.find((sort) => sort === word) ?? 'fired';

const rank = (rule: Rule) => SEVERITIES.indexOf(rule.severity);

const share = (rule: Rule) => (rule.closed === 0 ? -1 : rule.false_positive / rule.closed);

/** What is known of rules beside themselves, by id. */
export interface Figures {
  /** 0 to 100; absent where a rule raised nothing. */
  noise: ReadonlyMap<string, number>;
  /** Of rules that are off. */
  foreseen: ReadonlyMap<string, Foreseen>;
}

/** The most first; what is the same is ordered by severity and title. */
export function ordered(rules: readonly Rule[], sort: Sort, { noise, foreseen }: Figures): Rule[] {
  const value = (rule: Rule): number => {
    if (sort === 'fp') return share(rule);
    if (sort === 'noise') return noise.get(rule.id) ?? -1;
    if (sort === 'cost') return rule.cost?.nanos_per_event ?? -1;
    if (sort === 'last') return rule.last_fired === null ? -1 : Date.parse(rule.last_fired);
    return rule.fired > 0 || rule.enabled ? rule.fired : (foreseen.get(rule.id)?.alerts ?? 0);
  };
  return rules.toSorted((a, b) => value(b) - value(a) || rank(a) - rank(b) || (a.title < b.title ? -1 : 1));
}
