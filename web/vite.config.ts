import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  base: '/graphiql/',
  plugins: [react()],
  resolve: {
    alias: [
      // All of Monaco is over 3 MB; ours imports the parts that a GraphQL and JSON editor uses.
      { find: /^monaco-editor\/esm\/vs\/editor\/edcore\.main\.js$/, replacement: here('./src/monaco.ts') },
      { find: /^prettier\/(plugins\/estree|parser-babel)$/, replacement: here('./src/json-format.ts') },
    ],
  },
  build: {
    outDir: here('../src/refundgql/web/static/graphiql'),
    emptyOutDir: true,
    sourcemap: false,
    target: 'es2022',
    // No data: addresses for our own files, so the policy needs `data:` for Monaco's drawings only.
    assetsInlineLimit: 0,
    // The polyfill is inline-free but useless: every browser in `target` preloads modules by itself.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2500,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      onwarn(warning, warn) {
        // React Compiler's "use no memo" marks are for its own compiler and mean nothing in a bundle.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
  worker: { format: 'es' },
});
