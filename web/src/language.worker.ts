/**
 * Monaco's helper for every language: one file, told by its name which of the two languages it speaks.
 *
 * Apart, three workers carry the same editor code three times. The editor's own questions need no language.
 */
import { startJson } from './json-start';
import 'monaco-graphql/esm/graphql.worker.js';

// Each of the two says in `onmessage` how it starts, and the one loaded last has the word.
if (self.name === 'json') globalThis.onmessage = startJson;
