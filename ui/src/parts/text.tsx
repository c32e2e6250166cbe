/** Untrusted text on the page: always text nodes, invisible characters made visible. */
import { memo, useMemo, type ReactNode } from 'react';
import { pieces, type Mark, type Piece } from '../lib/text';
import { t } from '../strings';

const NO_MARKS: readonly Mark[] = [];

function drawn(piece: Piece, at: number, entity?: (value: string) => ReactNode): ReactNode {
  switch (piece.kind) {
    case 'plain':
      return piece.text;
    case 'match':
      return <mark key={at}>{piece.text}</mark>;
    case 'entity':
      return <span key={at} className="entity">{entity ? entity(piece.text) : piece.text}</span>;
    case 'control':
      return (
        <span key={at} className="control" title={t.control(`U+${(piece.code ?? 0).toString(16).toUpperCase().padStart(4, '0')}`)}>
          {piece.text}
        </span>
      );
  }
}

interface TextProps {
  text: string;
  marks?: readonly Mark[];
  /** How to draw an entity's value; plain when absent. */
  entity?: (value: string) => ReactNode;
}

/** `bdi` keeps right-to-left text from turning its neighbours around. */
export const Text = memo(function Text({ text, marks = NO_MARKS, entity }: TextProps) {
  const cut = useMemo(() => pieces(text, marks), [text, marks]);
  return <bdi>{cut.map((piece, at) => drawn(piece, at, entity))}</bdi>;
});
