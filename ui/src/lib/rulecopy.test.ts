import { expect, test } from 'vitest';
import { asCopy } from './rulecopy';

const copied = (text: string) => asCopy(text, (title) => `${title} (changed)`, 'new-id');

test('a copy is a rule of its own', () => {
  expect(copied('title: One\nid: old\nname: one\ndetection:\n  id: 4\n')).toBe('title: One (changed)\nid: new-id\nname: one_changed\ndetection:\n  id: 4\n');
  expect(copied("title: 'A: b'\nid: x\n")).toBe("title: 'A: b (changed)'\nid: new-id\n");
});

test('other documents stay as they are', () => {
  expect(copied('title: a\nid: 1\n---\ntitle: b\nid: 2\n')).toBe('title: a (changed)\nid: new-id\n---\ntitle: b\nid: 2\n');
});
