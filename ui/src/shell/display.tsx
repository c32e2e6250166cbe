/** Theme, time zone and keys: what a person chooses for this browser. */
import { cleanName, NAME_MAX, setPrefs, usePrefs, type Theme } from '../lib/prefs';
import { zoneName } from '../lib/time';
import { Icon } from '../parts/icons';
import { t } from '../strings';

const THEMES: readonly Theme[] = ['system', 'dark', 'light'];
const ZONES = ['local', 'utc'] as const;

export function DisplayMenu() {
  const prefs = usePrefs();
  return (
    <>
      <button type="button" className="icon-button" popoverTarget="display" aria-label={t.display.open} title={t.display.open}>
        <Icon name="display" />
      </button>
      <div id="display" popover="auto" className="popover display" role="dialog" aria-label={t.display.open}>
        <fieldset>
          <legend>{t.display.theme}</legend>
          <div className="segments">
            {THEMES.map((theme) => (
              <label key={theme}>
                <input type="radio" name="theme" checked={prefs.theme === theme} onChange={() => setPrefs({ theme })} />
                <span>{t.display[theme]}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <fieldset>
          <legend>{t.display.zone}</legend>
          <div className="segments">
            {ZONES.map((zone) => (
              <label key={zone}>
                <input type="radio" name="zone" checked={prefs.zone === zone} onChange={() => setPrefs({ zone })} />
                <span>{zone === 'utc' ? t.display.utc : t.display.local(zoneName('local'))}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <label className="name">
          <span>{t.display.name}</span>
          <input type="text" defaultValue={prefs.name} maxLength={NAME_MAX} autoComplete="off" onBlur={(event) => setPrefs({ name: cleanName(event.target.value) })} />
        </label>
        <label className="check">
          <input type="checkbox" checked={prefs.keys} onChange={(event) => setPrefs({ keys: event.target.checked })} />
          <span>{t.display.keys}</span>
        </label>
      </div>
    </>
  );
}
