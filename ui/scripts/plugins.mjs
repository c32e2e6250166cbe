// Vite plugins. `licences` collects the licence text of every package whose code or font ends in the build
// into dist/licences.txt, as those licences ask.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const IN_PACKAGE = /^(.*\/node_modules\/((?:@[^/]+\/)?[^/]+))\//;

function textOf(folder) {
  const name = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  return name === undefined ? '' : readFileSync(join(folder, name), 'utf8').trim();
}

export function licences() {
  const folders = new Map();
  const note = (id) => {
    const found = IN_PACKAGE.exec(id);
    if (found && existsSync(join(found[1], 'package.json'))) folders.set(found[2], found[1]);
  };
  return {
    name: 'tocsin-licences',
    apply: 'build',
    generateBundle() {
      for (const id of this.getModuleIds()) note(id.replaceAll('\0', ''));
      note(join(process.cwd(), 'node_modules/@fontsource-variable/inter/package.json'));
      note(join(process.cwd(), 'node_modules/uplot/package.json'));
      const parts = [...folders].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, folder]) => {
        const meta = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
        return `${name} ${meta.version} (${meta.license})\n\n${textOf(folder)}\n`;
      });
      this.emitFile({
        type: 'asset',
        fileName: 'licences.txt',
        source: parts.join(`\n${'-'.repeat(80)}\n\n`),
      });
    },
  };
}

/** Lets the browser fetch the font beside the styles, not after them: no text changes its shape. */
export function fontFirst() {
  return {
    name: 'tocsin-font-first',
    apply: 'build',
    transformIndexHtml: {
      order: 'post',
      handler(_, { bundle }) {
        const fonts = Object.keys(bundle ?? {}).filter((name) => name.endsWith('.woff2'));
        return fonts.map((name) => ({
          tag: 'link',
          attrs: { rel: 'preload', as: 'font', type: 'font/woff2', crossorigin: true, href: `/${name}` },
          injectTo: 'head',
        }));
      },
    },
  };
}
