/**
 * ATT&CK for the coverage matrix: tactics in order, and the techniques that logs can show. Names
 * and ids are MITRE's (attack.mitre.org); the choice is ours. Pure.
 */

export interface Technique {
  id: string;
  name: string;
}

const table = (text: string): Technique[] =>
  text.trim().split('\n').map((line) => {
    const [id = '', ...name] = line.trim().split(' ');
    return { id, name: name.join(' ') };
  });

export const TACTICS: readonly { slug: string; name: string; techniques: readonly Technique[] }[] = [
  { slug: 'reconnaissance', name: 'Reconnaissance', techniques: table(`
    T1595 Active Scanning
    T1592 Gather Victim Host Information
    T1589 Gather Victim Identity Information
    T1590 Gather Victim Network Information`) },
  { slug: 'initial-access', name: 'Initial Access', techniques: table(`
    T1190 Exploit Public-Facing Application
    T1133 External Remote Services
    T1566 Phishing
    T1199 Trusted Relationship
    T1078 Valid Accounts
    T1189 Drive-by Compromise`) },
  { slug: 'execution', name: 'Execution', techniques: table(`
    T1059 Command and Scripting Interpreter
    T1204 User Execution
    T1053 Scheduled Task/Job
    T1203 Exploitation for Client Execution
    T1609 Container Administration Command
    T1047 Windows Management Instrumentation`) },
  { slug: 'persistence', name: 'Persistence', techniques: table(`
    T1098 Account Manipulation
    T1136 Create Account
    T1543 Create or Modify System Process
    T1505 Server Software Component
    T1546 Event Triggered Execution
    T1556 Modify Authentication Process`) },
  { slug: 'privilege-escalation', name: 'Privilege Escalation', techniques: table(`
    T1548 Abuse Elevation Control Mechanism
    T1068 Exploitation for Privilege Escalation
    T1611 Escape to Host
    T1134 Access Token Manipulation`) },
  { slug: 'defense-evasion', name: 'Defense Evasion', techniques: table(`
    T1562 Impair Defenses
    T1070 Indicator Removal
    T1027 Obfuscated Files or Information
    T1036 Masquerading
    T1055 Process Injection
    T1218 System Binary Proxy Execution`) },
  { slug: 'credential-access', name: 'Credential Access', techniques: table(`
    T1110 Brute Force
    T1003 OS Credential Dumping
    T1552 Unsecured Credentials
    T1558 Steal or Forge Kerberos Tickets
    T1557 Adversary-in-the-Middle
    T1621 Multi-Factor Authentication Request Generation`) },
  { slug: 'discovery', name: 'Discovery', techniques: table(`
    T1046 Network Service Discovery
    T1083 File and Directory Discovery
    T1087 Account Discovery
    T1018 Remote System Discovery
    T1082 System Information Discovery
    T1069 Permission Groups Discovery`) },
  { slug: 'lateral-movement', name: 'Lateral Movement', techniques: table(`
    T1021 Remote Services
    T1210 Exploitation of Remote Services
    T1550 Use Alternate Authentication Material
    T1570 Lateral Tool Transfer`) },
  { slug: 'collection', name: 'Collection', techniques: table(`
    T1005 Data from Local System
    T1114 Email Collection
    T1530 Data from Cloud Storage
    T1213 Data from Information Repositories`) },
  { slug: 'command-and-control', name: 'Command and Control', techniques: table(`
    T1071 Application Layer Protocol
    T1105 Ingress Tool Transfer
    T1572 Protocol Tunneling
    T1090 Proxy
    T1219 Remote Access Tools`) },
  { slug: 'exfiltration', name: 'Exfiltration', techniques: table(`
    T1048 Exfiltration Over Alternative Protocol
    T1041 Exfiltration Over C2 Channel
    T1567 Exfiltration Over Web Service`) },
  { slug: 'impact', name: 'Impact', techniques: table(`
    T1498 Network Denial of Service
    T1499 Endpoint Denial of Service
    T1486 Data Encrypted for Impact
    T1485 Data Destruction
    T1490 Inhibit System Recovery
    T1496 Resource Hijacking`) },
];

export interface Covering {
  techniques: readonly string[];
  tactics: readonly string[];
  source_seen: boolean;
  enabled: boolean;
}

export type Coverage = 'covered' | 'blind' | 'none';

export interface Cell<R extends Covering> extends Technique {
  state: Coverage;
  rules: R[];
}

const parent = (id: string) => id.split('.')[0] ?? id;

/** Every tactic with its techniques and the rules for each; a sub-technique counts for its parent. */
export function matrix<R extends Covering>(rules: readonly R[]): { slug: string; name: string; cells: Cell<R>[] }[] {
  const on = rules.filter((rule) => rule.enabled);
  const listed = new Set(TACTICS.flatMap((tactic) => tactic.techniques.map((technique) => technique.id)));
  const cell = (technique: Technique): Cell<R> => {
    const found = on.filter((rule) => rule.techniques.some((id) => parent(id) === technique.id));
    const state = found.length === 0 ? 'none' : found.some((rule) => rule.source_seen) ? 'covered' : 'blind';
    return { ...technique, state, rules: found };
  };
  return TACTICS.map(({ slug, name, techniques }) => {
    const own = on
      .filter((rule) => rule.tactics.includes(slug))
      .flatMap((rule) => rule.techniques.map(parent))
      .filter((id) => !listed.has(id));
    const more = [...new Set(own)].toSorted().map((id) => ({ id, name: '' }));
    return { slug, name, cells: [...techniques, ...more].map(cell) };
  });
}
