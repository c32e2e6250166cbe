// Makes src/screens/overview/countries.json: each country's outline as an SVG path, by its ISO
// 3166 code, from Natural Earth's 1:110m map (public domain). Needed only to make it anew:
//   npm install --no-save world-atlas@2.0.2 topojson-client@3.1.0 && node scripts/map.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const { feature } = require('topojson-client');
const atlas = JSON.parse(readFileSync(require.resolve('world-atlas/countries-110m.json'), 'utf8'));

const WIDTH = 720;
/** Poles show nothing but ice. */
const NORTH = 84;
const SOUTH = -58;

const x = (longitude) => ((longitude + 180) / 360) * WIDTH;
const y = (latitude) => ((NORTH - Math.max(SOUTH, Math.min(NORTH, latitude))) / 360) * WIDTH;
const one = (value) => Number(value.toFixed(1));

/** `840` is `US`; areas without a number of their own stay nameless. */
const alpha2 = (id) => (id === undefined ? undefined : Intl.getCanonicalLocales(`und-${id}`)[0].slice(4));

/** Points that go on beyond the date line instead of jumping across the map. */
function unrolled(ring) {
  let turn = 0;
  return ring.map(([longitude, latitude], at) => {
    const before = at > 0 ? ring[at - 1][0] : longitude;
    if (longitude - before > 180) turn -= 360;
    if (before - longitude > 180) turn += 360;
    return [longitude + turn, latitude];
  });
}

function outline(ring, shift) {
  const points = [];
  for (const [longitude, latitude] of ring) {
    const point = `${one(x(longitude + shift))},${one(y(latitude))}`;
    if (points.at(-1) !== point) points.push(point);
  }
  return points.length > 3 ? `M${points.slice(0, -1).join('L')}Z` : '';
}

/** What lies beyond one edge comes in at the other; the picture cuts the rest off. */
function path(rings) {
  return rings
    .map((ring) => {
      const points = unrolled(ring);
      const longitudes = points.map(([longitude]) => longitude);
      const shifts = [0, ...(Math.max(...longitudes) > 180 ? [-360] : []), ...(Math.min(...longitudes) < -180 ? [360] : [])];
      return shifts.map((shift) => outline(points, shift)).join('');
    })
    .join('');
}

const countries = {};
let nameless = 0;
for (const { id, geometry } of feature(atlas, atlas.objects.countries).features) {
  const code = alpha2(id);
  if (code === 'AQ') continue;
  const rings = geometry.type === 'Polygon' ? geometry.coordinates : geometry.coordinates.flat();
  const drawn = path(rings);
  if (drawn === '') continue;
  nameless += code === undefined ? 1 : 0;
  countries[code ?? `-${nameless}`] = drawn;
}
const file = fileURLToPath(new URL('../src/screens/overview/countries.json', import.meta.url));
writeFileSync(file, `${JSON.stringify({ width: WIDTH, height: Math.ceil(y(SOUTH)), countries })}\n`);
console.log(`${Object.keys(countries).length} countries`);
