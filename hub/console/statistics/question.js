// What was chosen, as a GraphQL document. Values stand in it as literals: they name groups only.
const literal = (value, item) =>
  item.kind !== 'values' ? Number(value) : item.type === 'Boolean' ? value === 'true' : JSON.stringify(value ?? '');

function compared({ item, how, value }) {
  if (how === 'exists' || how === 'absent') return `{exists: ${how === 'exists'}}`;
  return `{${how}: ${literal(value, item)}}`;
}

// The columns of one list belong together: one row has to be as all of them say.
export function filterOf(filters, joined) {
  const parts = [];
  const lists = new Map();
  for (const filter of filters) {
    const { listed, field } = filter.item;
    if (!listed) parts.push(`{${field}: ${compared(filter)}}`);
    else lists.set(listed, [...(lists.get(listed) ?? []), `${field}: ${compared(filter)}`]);
  }
  for (const [listed, columns] of lists) parts.push(`{${listed}: {${columns.join(', ')}}}`);
  if (parts.length === 0) return null;
  return parts.length === 1 ? parts[0] : `{${joined}: [${parts.join(', ')}]}`;
}

export function documentOf({ where, asOf, dimensions, measure }) {
  const given = [where && `where: ${where}`, asOf && `asOf: "${asOf}"`].filter(Boolean);
  const measures = measure ? `, measures: [{item: ${measure.item}, of: ${measure.of}}]` : '';
  const by = dimensions.length
    ? `
    by(dimensions: [${dimensions.join(', ')}]${measures}) {
      rows { groups { item label known } count figures { item of value } }
    }`
    : '';
  return `{
  population${given.length ? `(${given.join(', ')})` : ''} {
    count${by}
    deliveries { source agency day }
    caveats
  }
}`;
}
