import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';
import { fontFirst, licences } from './scripts/plugins.mjs';

/** Where `npm run dev` sends API calls: a running `tocsin run` or `npm run mock`. */
const API = process.env['TOCSIN_URL'] ?? 'http://127.0.0.1:7514';

export default defineConfig({
  plugins: [react(), licences(), fontFirst()],
  build: {
    target: 'es2022',
    // No data: URLs: the content security policy allows fonts and scripts from files only.
    assetsInlineLimit: 0,
    sourcemap: false,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': API, '/ingest': API } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
