/** An alert for unit tests. */
import type { Alert, AlertCore } from '../api/types';

export function alertOf(core: Partial<AlertCore> = {}, fields: Record<string, unknown> = {}): Alert {
  return {
    '@timestamp': '2026-11-21T11:58:00Z',
    rule: { id: 'r1', name: 'SSH brute force', ruleset: 'openssh' },
    message: '12 failed logins from 192.0.2.1',
    source: { ip: '192.0.2.1' },
    user: { name: ['root', 'admin'] },
    host: { name: 'vm' },
    ...fields,
    tocsin: {
      alert: {
        id: 'a1',
        severity: 'high',
        status: 'new',
        group: { 'source.ip': '192.0.2.1' },
        count: 12,
        findings: 8,
        reason: '12 failed logins from 192.0.2.1',
        first_seen: '2026-11-21T11:50:00Z',
        last_seen: '2026-11-21T11:58:00Z',
        historical: false,
        events: [],
        matches: [],
        version: 1,
        ...core,
      },
    },
  };
}
