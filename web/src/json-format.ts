/**
 * A Prettier plugin that lays out JSON with comments by way of jsonc-parser, which the page carries anyway.
 *
 * Stands in for Prettier's Babel parser and its printer: half a megabyte for indenting the variables.
 */
import { applyEdits, format } from 'jsonc-parser';

type Root = { type: 'root'; text: string };

export const parsers = {
  jsonc: {
    astFormat: 'jsonc-text',
    parse: (text: string): Root => ({ type: 'root', text }),
    locStart: () => 0,
    locEnd: (node: Root) => node.text.length,
  },
};

export const printers = {
  'jsonc-text': {
    print: (path: { node: Root }) => {
      const { text } = path.node;
      return applyEdits(text, format(text, undefined, { insertSpaces: true, tabSize: 2 })).trim();
    },
  },
};
