/** Lines that no source understood, by shape. */
import type { UnparsedShape } from '../../api/sources';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Ago } from '../../parts/time';
import { w } from '../../words/sources';

interface Props {
  data: { shapes: UnparsedShape[]; forgotten: number };
  received: number;
  tryIt: (line: string) => void;
}

const SHAPES_MAX = 50;
/** What stands for a source where there is none. */
const NONE = 'unparsed';

export function Unparsed({ data, received, tryIt }: Props) {
  if (data.shapes.length === 0) {
    return (
      <div className={received > 0 ? 'state clear' : 'state'}>
        <Icon name={received > 0 ? 'check' : 'minus'} size={28} />
        <h3>{received > 0 ? w.unparsed.all : w.unparsed.nothing}</h3>
        {received > 0 && <p>{w.unparsed.allText(received)}</p>}
      </div>
    );
  }
  return (
    <ul className="shapes scroll" tabIndex={0} aria-label={w.unparsed.title}>
      {data.shapes.slice(0, SHAPES_MAX).map((shape) => (
        <li key={`${shape.input} ${shape.source} ${shape.shape}`}>
          <details>
            <summary>
              <b className="num">{w.unparsed.count(shape.count)}</b>
              <span className="mono shape"><Text text={shape.shape} /></span>
              <span className="note"><Text text={w.unparsed.by(shape.input)} />{shape.source !== NONE && <>{', '}<Text text={w.unparsed.taken(shape.source)} /></>}</span>
              <Ago time={shape.last} />
            </summary>
            <ul aria-label={w.unparsed.samples}>
              {shape.samples.map((sample, at) => (
                <li key={at}>
                  <pre className="raw-line mono" tabIndex={0}><Text text={sample} /></pre>
                  <button type="button" className="button" onClick={() => tryIt(sample)}>{w.unparsed.tryIt}</button>
                </li>
              ))}
            </ul>
          </details>
        </li>
      ))}
      {data.forgotten > 0 && <li className="note">{w.unparsed.forgotten(data.forgotten)}</li>}
    </ul>
  );
}
