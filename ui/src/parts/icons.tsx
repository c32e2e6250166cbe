/** Icons and severity shapes, drawn inline: one file less to fetch, coloured by CSS. */
import type { Severity } from '../api/types';
import { t } from '../strings';

const PATHS = {
  overview: 'M2.5 2.5h4.5v5.5h-4.5zM9 2.5h4.5v3h-4.5zM9 7.5h4.5v6h-4.5zM2.5 10h4.5v3.5h-4.5z',
  alerts: 'M8 1.8 15 14H1zM7.3 6v4h1.4V6zm0 5v1.4h1.4V11z',
  search: 'M7 2a5 5 0 1 0 3 9l3.5 3.5 1-1L11 10a5 5 0 0 0-4-8zm0 1.6a3.4 3.4 0 1 1 0 6.8 3.4 3.4 0 0 1 0-6.8z',
  close: 'M3 4.1 4.1 3 8 6.9 11.9 3 13 4.1 9.1 8l3.9 3.9-1.1 1.1L8 9.1 4.1 13 3 11.9 6.9 8z',
  check: 'M8 1.2a6.8 6.8 0 1 1 0 13.6A6.8 6.8 0 0 1 8 1.2zM7.1 11l4.7-4.8-1-1-3.7 3.7L5.3 7.2l-1 1z',
  warn: 'M8 1.8 15 14H1zM7.3 6v4h1.4V6zm0 5v1.4h1.4V11z',
  cross: 'M8 1.2a6.8 6.8 0 1 1 0 13.6A6.8 6.8 0 0 1 8 1.2zM5.9 5 5 5.9 7.1 8 5 10.1l.9.9L8 8.9l2.1 2.1.9-.9L8.9 8 11 5.9l-.9-.9L8 7.1z',
  up: 'M3 10.2 8 5.2l5 5-1.1 1.1L8 7.4l-3.9 3.9z',
  down: 'M3 5.8 8 10.8l5-5-1.1-1.1L8 8.6 4.1 4.7z',
  link: 'M6.5 9.5a3 3 0 0 0 4.2 0l2.4-2.4a3 3 0 0 0-4.2-4.2L7.8 4l1 1L10 3.9a1.6 1.6 0 0 1 2.2 2.2L9.8 8.5a1.6 1.6 0 0 1-2.3 0zm3-3a3 3 0 0 0-4.2 0L2.9 8.9a3 3 0 0 0 4.2 4.2L8.2 12l-1-1L6 12.1a1.6 1.6 0 0 1-2.2-2.2l2.4-2.4a1.6 1.6 0 0 1 2.3 0z',
  copy: 'M5.5 2h8v9h-2v-1.3h.7V3.3H6.8V4H5.5zM2.5 5h8v9h-8zm1.3 1.3v6.4h5.4V6.3z',
  keyboard: 'M1.5 4h13v8.5h-13zm1.4 1.4v5.7h10.2V5.4zM4 6.5h1.3v1.3H4zm2.2 0h1.3v1.3H6.2zm2.3 0h1.3v1.3H8.5zm2.2 0H12v1.3h-1.3zM5 9h6v1.2H5z',
  display: 'M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zm0 1.5v9a4.5 4.5 0 0 0 0-9z',
  table: 'M2 3h12v10H2zm1.3 1.3v1.9h9.4V4.3zm0 3.2v1.7h3.5V7.5zm4.8 0v1.7h4.6V7.5zm-4.8 3v1.2h3.5v-1.2zm4.8 0v1.2h4.6v-1.2z',
  chart: 'M2 2h1.4v10.6H14V14H2zm3 5h2v4.5H5zm3.2-3h2v7.5h-2zm3.2 2h2v5.5h-2z',
  back: 'M10.2 3 5.2 8l5 5 1.1-1.1L7.4 8l3.9-3.9z',
  forth: 'M5.8 3l5 5-5 5-1.1-1.1L8.6 8 4.7 4.1z',
  plus: 'M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z',
  minus: 'M3 7.2h10v1.6H3z',
  play: 'M4.5 2.5v11l9-5.5z',
  stop: 'M3.5 3.5h9v9h-9z',
  dots: 'M3.5 6.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zm4.5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zm4.5 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8z',
  columns: 'M2 3h12v10H2zm1.3 1.3v7.4h2.5V4.3zm3.8 0v7.4h1.8V4.3zm3.1 0v7.4h2.5V4.3z',
  rules: 'M3 2h7l3 3v9H3zm1.3 1.3v9.4h7.4V6H9V3.3zM5.5 7.5h5v1.2h-5zm0 2.3h5V11h-5z',
  entities: 'M6 2.5a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2zM1 13.5c0-3 2-4.8 5-4.8s5 1.8 5 4.8zM11 3.2a2.2 2.2 0 0 1 0 4.3zm1 5.6c1.9.4 3 2 3 4.7h-2.6c0-1.900-.4-3.500-1.400-4.700z',
  sources: 'M2 2.500h12v3H2zm0 5h12v3H2zm0 5h12v1.500H2zM4 3.500h1.500v1H4zm0 5h1.500v1H4z',
  settings: 'M6.900 1.500h2.200l.3 1.800 1.200.5 1.500-1 1.500 1.500-1 1.500.5 1.200 1.800.3v2.200l-1.800.3-.5 1.200 1 1.500-1.500 1.500-1.500-1-1.200.5-.3 1.800H6.900l-.3-1.800-1.200-.5-1.500 1-1.500-1.500 1-1.500-.5-1.200-1.800-.3V6.900l1.800-.3.5-1.200-1-1.500 1.500-1.500 1.500 1 1.200-.5zM8 5.700a2.300 2.300 0 1 0 0 4.600 2.300 2.300 0 0 0 0-4.600z',
  save: 'M2.500 2.500h9l2 2v9h-11zm1.300 1.300v8.400h8.400V5.100l-1.300-1.300H10V7H5V3.800zM6.300 3.800v1.900h2.400V3.800zM5 9h6v3.200H5z',
  arrow: 'M8.5 3.2 13.3 8l-4.8 4.8-1-1 3-3.1H2.7V7.3h7.8l-3-3.1z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path fill="currentColor" fillRule="evenodd" d={PATHS[name]} />
    </svg>
  );
}

/** The bell of the name. */
export function Logo() {
  return (
    <svg className="logo" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
      <path
        fill="currentColor"
        d="M16 3.5a2 2 0 0 1 2 2v.7c3.7.900 6 4.1 6 8.1 0 4.6 1 6.6 2.6 8.3.5.5.1 1.4-.7 1.4H6.1c-.8 0-1.2-.9-.7-1.4C7 20.9 8 18.9 8 14.3c0-4 2.3-7.2 6-8.1v-.7a2 2 0 0 1 2-2z"
      />
      <circle className="clapper" cx="16" cy="27" r="2.6" />
    </svg>
  );
}

const SHAPES: Record<Severity, string> = {
  critical: 'M6 0l6 6-6 6-6-6z',
  high: 'M6 .5l6 11H0z',
  medium: 'M1 1h10v10H1z',
  low: 'M6 1.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6z',
  informational: 'M6 1.2a4.8 4.8 0 1 1 0 9.6 4.8 4.8 0 0 1 0-9.6zm0 1.7a3.1 3.1 0 1 0 0 6.2 3.1 3.1 0 0 0 0-6.2z',
};

/** Severity as shape and colour; goes beside the word, never alone. */
export function SeverityMark({ severity, size = 12 }: { severity: Severity; size?: number }) {
  return (
    <svg className={`mark sev-${severity}`} width={size} height={size} viewBox="0 0 12 12" aria-hidden="true">
      <path fillRule="evenodd" d={SHAPES[severity]} />
    </svg>
  );
}

export function SeverityWord({ severity }: { severity: Severity }) {
  return (
    <span className={`severity sev-${severity}`}>
      <SeverityMark severity={severity} />
      {t.severity[severity]}
    </span>
  );
}
