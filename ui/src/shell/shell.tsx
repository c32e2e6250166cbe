/** The frame of every screen: rail, health, display settings, and the banner when news stop. */
import { lazy, Suspense, useEffect, useState, type ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useMe } from '../api/accounts';
import { useNow } from '../lib/now';
import { useKeys } from '../lib/keys';
import { usePrefs } from '../lib/prefs';
import { age, zoneName } from '../lib/time';
import { stream, useStream } from '../live/stream';
import { Icon, Logo } from '../parts/icons';
import { Text } from '../parts/text';
import { ValueMenu } from '../parts/value';
import { t } from '../strings';
import { DisplayMenu } from './display';
import { HealthPill } from './health';
import { Help } from './help';

const Palette = lazy(async () => ({ default: (await import('./palette')).Palette }));

/** Screens that exist. */
const SCREENS = [
  { name: 'overview', path: '/overview' },
  { name: 'alerts', path: '/alerts' },
  { name: 'search', path: '/search' },
  { name: 'rules', path: '/rules' },
  { name: 'entities', path: '/entities' },
  { name: 'sources', path: '/sources' },
  { name: 'settings', path: '/settings' },
] as const;

function Rail() {
  const [path] = useLocation();
  return (
    <nav className="rail" aria-label={t.nav.label}>
      <Link href="/overview" className="home" aria-label={t.name}><Logo /></Link>
      {SCREENS.map((screen) => {
        const here = path === screen.path || path.startsWith(`${screen.path}/`);
        return (
          <Link key={screen.name} href={screen.path} className={here ? 'here' : ''} aria-current={here ? 'page' : undefined}>
            <Icon name={screen.name} size={18} />
            {t.nav[screen.name]}
          </Link>
        );
      })}
    </nav>
  );
}

function ZoneNote() {
  const { zone } = usePrefs();
  return <span className="zone">{t.overview.zone(zoneName(zone))}</span>;
}

function StaleBanner() {
  const { phase, heardAt } = useStream();
  const now = useNow();
  if (phase !== 'stale') return null;
  return (
    <div className="banner" role="alert">
      <Icon name="warn" />
      <span aria-live="off">{heardAt === null ? t.banner.never : t.banner.stale(age(now - heardAt))}</span>
      <button type="button" className="button" onClick={() => stream.retry()}>{t.banner.retry}</button>
    </div>
  );
}

/** Who is signed in. */
function Person() {
  const name = useMe().data?.name;
  if (name === null || name === undefined) return null;
  return <Link className="person" href="/settings/account"><span className="hidden">{t.person}</span><Text text={name} /></Link>;
}

/** Opens the palette: by a button, or Ctrl-K wherever the keyboard is. */
function PaletteButton() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'k') return;
      event.preventDefault();
      setOpen(true);
    };
    addEventListener('keydown', onKeyDown, true);
    return () => removeEventListener('keydown', onKeyDown, true);
  }, []);
  return (
    <>
      <button type="button" className="find" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <Icon name="search" size={13} />
        <span>{t.palette}</span>
        <kbd aria-hidden="true">{'Ctrl K'}</kbd>
      </button>
      {open && <Suspense fallback={null}><Palette close={() => setOpen(false)} /></Suspense>}
    </>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const [, navigate] = useLocation();
  const stale = useStream().phase === 'stale';
  useKeys({ 'g o': () => navigate('/overview'), 'g a': () => navigate('/alerts'), 'g s': () => navigate('/search'), 'g e': () => navigate('/entities'), 'g r': () => navigate('/rules'), 'g h': () => navigate('/sources'), 'g ,': () => navigate('/settings') });
  return (
    <>
      <a className="skip" href="#main">{t.skip}</a>
      <Rail />
      <header className="top">
        <HealthPill />
        <span className="gap" />
        <PaletteButton />
        <ZoneNote />
        <Help />
        <DisplayMenu />
        <Person />
      </header>
      <StaleBanner />
      <main id="main" tabIndex={-1} className={stale ? 'stale' : ''}>{children}<ValueMenu /></main>
    </>
  );
}
