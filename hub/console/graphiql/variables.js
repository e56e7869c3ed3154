// Formats the variables' JSON. It stands in for prettier's JavaScript parser and printer, half a
// megabyte that GraphiQL would bring for this alone.
import { applyEdits, format } from 'jsonc-parser';

export const parsers = {
  jsonc: {
    astFormat: 'formatted',
    parse: (text) => ({
      formatted: applyEdits(text, format(text, undefined, { insertSpaces: true, tabSize: 2 })),
    }),
    locStart: () => 0,
    locEnd: ({ formatted }) => formatted.length,
  },
};
export const printers = { formatted: { print: (path) => path.node.formatted } };
