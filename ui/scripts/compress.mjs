// Writes a .gz and a .br beside every text file of dist/, so that the server never compresses at
// run time. Plain HTTP off loopback gets gzip only (browsers offer brotli over TLS), hence both.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const TEXT = /\.(js|css|html|svg|json|txt)$/;
const dist = new URL('../dist/', import.meta.url).pathname;

function* files(folder) {
  for (const name of readdirSync(folder).toSorted()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

let raw = 0;
let gz = 0;
for (const path of files(dist)) {
  const bytes = readFileSync(path);
  raw += bytes.length;
  if (!TEXT.test(path)) {
    if (!/\.(gz|br)$/.test(path)) gz += bytes.length;
    continue;
  }
  const gzip = gzipSync(bytes, { level: 9 });
  writeFileSync(`${path}.gz`, gzip);
  writeFileSync(
    `${path}.br`,
    brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
  );
  gz += gzip.length;
}
console.log(`dist: ${(raw / 1000).toFixed(1)} kB, ${(gz / 1000).toFixed(1)} kB compressed`);
