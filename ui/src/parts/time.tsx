/** Points in time, in the zone the person chose, always with the whole time at hand. */
import { useMinute, useNow } from '../lib/now';
import { usePrefs } from '../lib/prefs';
import { age, fullTime, millis, shortTime } from '../lib/time';
import { t } from '../strings';

/** `12 s ago`; draws itself anew each second. */
export function Ago({ time }: { time: string }) {
  const now = useNow();
  const { zone } = usePrefs();
  const at = millis(time);
  return <time dateTime={time} title={fullTime(at, zone)}>{t.ago(age(now - at))}</time>;
}

/** `14:03:35`, or with the date when it was not today. */
export function Clock({ time }: { time: string }) {
  const now = useMinute();
  const { zone } = usePrefs();
  const at = millis(time);
  return <time dateTime={time} title={fullTime(at, zone)}>{shortTime(at, now, zone)}</time>;
}

export function FullTime({ time }: { time: string }) {
  const { zone } = usePrefs();
  return <time dateTime={time}>{fullTime(millis(time), zone)}</time>;
}
