/** Who is to be named where places of addresses are shown. */
import { w } from '../words/watch';
import { Text } from './text';

const ADDRESS = /https:\/\/[\w./-]+/;

export function Attribution({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  return (
    <p className="note attribution" data-testid="attribution">
      {w.known.attribution}
      {names.map((name) => {
        const address = ADDRESS.exec(name)?.[0] ?? (/\bDB-IP\b/i.test(name) ? 'https://db-ip.com' : undefined);
        return address === undefined
          ? <span key={name}>{' '}<Text text={name} /></span>
          : <span key={name}>{' '}<a className="link" href={address} target="_blank" rel="noopener noreferrer"><Text text={name} /></a></span>;
      })}
    </p>
  );
}
