/** A copy of a rule's text that can be a rule of its own: another id, name and title. */

/** Only what stands at the margin of the first document is the rule's own. */
export function asCopy(text: string, titled: (title: string) => string, id: string = uuid()): string {
  const end = text.search(/^---\s*$/m);
  const first = end < 0 ? text : text.slice(0, end);
  const copied = first
    .replace(/^id:.*$/m, `id: ${id}`)
    .replace(/^name:[ \t]*([\w.-]+).*$/m, (_, name: string) => `name: ${name}_changed`)
    .replace(/^title:[ \t]*(.*?)[ \t]*$/m, (_, title: string) => `title: ${quoted(titled(bare(title)))}`);
  return copied + text.slice(first.length);
}

const bare = (text: string) => text.replace(/^(["'])(.*)\1$/, '$2');
const quoted = (text: string) => (/^[\w][^:#'"]*$/.test(text) ? text : `'${text.replaceAll("'", "''")}'`);

/** A random UUID, also where the page came over plain HTTP and `randomUUID` is missing. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
