/** Tests of a rule and how they end. */
import type { RuleTest } from '../../api/content';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { w } from '../../words/rules';

export function TestList({ tests }: { tests: readonly RuleTest[] }) {
  const passed = tests.filter((test) => test.failure === null).length;
  return (
    <>
      <p className="note" role="status" data-testid="tests">{w.detail.testsNow(passed, tests.length)}</p>
      <ul className="rule-tests">
        {tests.map((test, at) => (
          <li key={at} className={test.failure === null ? 'passed' : 'failed'}>
            <Icon name={test.failure === null ? 'check' : 'cross'} size={13} />
            <Text text={test.name} />
            <span className="tag">{test.fires ? w.detail.fires : w.detail.stays}</span>
            {test.failure !== null && <span className="wrong block"><Text text={test.failure} /></span>}
          </li>
        ))}
      </ul>
    </>
  );
}
