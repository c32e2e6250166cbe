/** What takes a change of an alert back. Pure. */
import type { AlertChange, AlertCore } from '../api/types';

/** The change that makes an alert again what it is now, in what people decide. */
export function undoing(core: AlertCore): AlertChange {
  const owner = core.owner ?? '';
  return core.disposition === undefined ? { status: core.status, owner } : { disposition: core.disposition, owner };
}
