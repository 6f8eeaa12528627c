import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { precompress } from './precompress.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const built = here('../src/refundgql/web/static/graphiql');

export default defineConfig({
  // The page lies at …/graphql and its files below …/graphiql/, under whatever prefix a proxy puts before both.
  base: './graphiql/',
  experimental: {
    renderBuiltUrl: (name, { hostType }) => (hostType === 'html' ? `graphiql/${name}` : { relative: true }),
  },
  plugins: [react(), precompress(built)],
  resolve: {
    alias: [
      // All of Monaco is over 3 MB; ours imports the parts that a GraphQL and JSON editor uses.
      { find: /^monaco-editor\/esm\/vs\/editor\/edcore\.main\.js$/, replacement: here('./src/monaco.ts') },
      { find: /^.*\/(?:diffEditor\/diffEditorWidget|multiDiffEditor\/multiDiffEditorWidget|diff\/linesDiffComputers)\.js$/, replacement: here('./src/no-diff.ts') },
      { find: /^.*\/diffEditor\/diffEditor\.contribution\.js$/, replacement: here('./src/no-diff.ts') },
      // Prettier has it once for each of two module systems, and both would be in the page.
      { find: /^prettier\/parser-graphql$/, replacement: 'prettier/plugins/graphql' },
      { find: /^framer-motion$/, replacement: here('./src/reorder.tsx') },
      { find: /^prettier\/(plugins\/estree|parser-babel)$/, replacement: here('./src/json-format.ts') },
    ],
  },
  build: {
    outDir: built,
    emptyOutDir: true,
    sourcemap: false,
    target: 'es2022',
    // No data: addresses for our own files, so the policy needs `data:` for Monaco's drawings only.
    assetsInlineLimit: 0,
    // The polyfill is inline-free but useless: every browser in `target` preloads modules by itself.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4500,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      // One file: a part that is asked for while the server restarts fails, and neither GraphiQL nor Monaco ask again.
      output: { codeSplitting: false },
      onwarn(warning, warn) {
        // React Compiler's "use no memo" marks are for its own compiler and mean nothing in a bundle.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  worker: { format: 'es' },
});
