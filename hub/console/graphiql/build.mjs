// Bundles the page into ../assets: self-contained files with hashed names, the page that names
// them, and the licences of every package that went in.
import { build } from 'esbuild';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(fileURLToPath(import.meta.url)));
const ASSETS = '../assets';
const SERVED = 'console/assets';

const common = {
  bundle: true,
  minify: true,
  metafile: true,
  outdir: ASSETS,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunk-[hash]',
  assetNames: '[name]-[hash]',
  charset: 'utf8',
  legalComments: 'none',
  target: 'es2022',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
};

const STAND_INS = {
  'monaco-editor/esm/vs/editor/edcore.main.js': './editor.js',
  'prettier/plugins/estree': './variables.js',
  'prettier/parser-babel': './variables.js',
  // The same plugin as an ES module; bundled, the CommonJS one loses its parser.
  'prettier/parser-graphql': 'prettier/plugins/graphql',
};

// Text beyond Latin, Korean included, takes the system's fonts with or without these faces.
const latinFacesOnly = {
  name: 'latin-faces-only',
  setup({ onLoad }) {
    onLoad({ filter: /graphiql\/dist\/style\.css$/ }, ({ path }) => ({
      loader: 'css',
      contents: readFileSync(path, 'utf8').replace(/@font-face\s*\{[^}]*\}/g, (face) =>
        /codicon/.test(face) || (/U\+0000-00FF/i.test(face) && !/italic/.test(face)) ? face : '',
      ),
    }));
  },
};

rmSync(ASSETS, { recursive: true, force: true });

const workers = await build({
  ...common,
  format: 'esm',
  splitting: true,
  // Formatting is done by GraphiQL on the page; the worker's own is never asked.
  alias: { 'prettier/standalone': './nothing.js', 'prettier/parser-graphql': './nothing.js' },
  entryPoints: {
    'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
    'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
    'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
  },
});
const style = await build({
  ...common,
  entryPoints: { console: 'console.css' },
  plugins: [latinFacesOnly],
});

const script = await build({
  ...common,
  format: 'esm',
  splitting: true,
  jsx: 'automatic',
  alias: STAND_INS,
  entryPoints: { console: 'console.jsx' },
  // graphiql/style.css, in console.css, holds the editor's styles already.
  loader: { '.css': 'empty' },
  define: {
    ...common.define,
    WORKERS: JSON.stringify({
      editor: served(workers, 'editor.worker'),
      json: served(workers, 'json.worker'),
      graphql: served(workers, 'graphql.worker'),
    }),
  },
});

function served({ metafile }, entry) {
  const output = Object.keys(metafile.outputs).find((name) => basename(name).startsWith(`${entry}-`));
  return `${SERVED}/${basename(output)}`;
}

const page = readFileSync('index.html', 'utf8')
  .replace('{{console.css}}', served(style, 'console'))
  .replace('{{console.js}}', served(script, 'console'));
writeFileSync(join(ASSETS, 'index.html'), page);
writeFileSync(join(ASSETS, 'THIRD_PARTY_LICENSES'), licences([workers, style, script]));
writeFileSync(join(ASSETS, 'BUILT_FROM'), `${inputsHash()}\n`);

// A test compares it, so that nobody commits a change of the page without its build.
function inputsHash() {
  const hash = createHash('sha256');
  const inputs = readdirSync('.', { withFileTypes: true }).filter(
    (entry) => entry.isFile() && !entry.name.startsWith('.'),
  );
  for (const { name } of inputs.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    hash.update(`${name}\0`).update(readFileSync(name)).update('\0');
  }
  return hash.digest('hex');
}

function licences(builds) {
  const inputs = builds.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const packages = new Set(
    inputs.map((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean),
  );
  const parts = [...packages].sort().map((directory) => {
    const { name, version, license } = JSON.parse(
      readFileSync(join(directory, 'package.json'), 'utf8'),
    );
    const texts = globSync(join(directory, '{LICENSE,LICENCE,license,ThirdPartyNotices}*'))
      .sort()
      .map((path) => readFileSync(path, 'utf8').trim());
    return [`${name} ${version} (${license})`, ...texts].join('\n\n');
  });
  return (
    'The files beside this one are built from hub/console/graphiql out of these packages.\n' +
    'graphiql embeds the fonts Roboto (Apache-2.0) and Fira Code (OFL-1.1); monaco-editor\n' +
    'embeds the codicon font (CC-BY-4.0).\n\n' +
    parts.map((part) => `${'='.repeat(79)}\n${part}\n`).join('\n')
  );
}
