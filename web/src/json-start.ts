/** How the JSON language's worker starts, kept before another language overwrites it. */
import 'monaco-editor/esm/vs/language/json/json.worker.js';

export const startJson = globalThis.onmessage;
