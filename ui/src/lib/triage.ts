/** What takes a change of an alert back. Pure. */
import type { AlertChange, AlertCore } from '../api/types';

/** The change that makes an alert again what it is now, in what people decide and `wanted` changes. */
export function undoing(core: AlertCore, wanted: AlertChange = {}): AlertChange {
  const owner = core.owner ?? '';
  const had = new Set(core.tags);
  const tags = {
    ...(wanted.add_tags && { remove_tags: wanted.add_tags.filter((tag) => !had.has(tag)) }),
    ...(wanted.remove_tags && { add_tags: wanted.remove_tags.filter((tag) => had.has(tag)) }),
  };
  return core.disposition === undefined ? { status: core.status, owner, ...tags } : { disposition: core.disposition, owner, ...tags };
}

/** Tags as they are typed: words between commas, each once. */
export const typedTags = (text: string): string[] => [...new Set(text.split(',').map((tag) => tag.trim()).filter((tag) => tag !== ''))];

/** What makes `now` of the tags that there are; nothing where they are the same. */
export function retagged(had: readonly string[], now: readonly string[]): AlertChange {
  const add = now.filter((tag) => !had.includes(tag));
  const gone = had.filter((tag) => !now.includes(tag));
  return { ...(add.length > 0 && { add_tags: add }), ...(gone.length > 0 && { remove_tags: gone }) };
}
