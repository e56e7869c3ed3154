// Released rows as a table, as bars, and as a map of provinces by tiles. Sizes are attributes, no styles.
const SPACE = 'http://www.w3.org/2000/svg';
const make = (name, attributes = {}, ...children) => {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
};
const number = (value) => (value === null ? 'withheld' : value.toLocaleString('en'));
const label = (row) => row.groups.map((group) => group.label).join(', ');

export function table(rows, items) {
  const called = (name) => `${items.find((item) => item.name === name)?.description ?? ''} (${name})`;
  const cell = (name, text, right) => {
    const made = Object.assign(document.createElement(name), { textContent: text });
    if (right) made.className = 'number';
    if (name === 'th') made.scope = right === undefined ? 'row' : 'col';
    return made;
  };
  const line = (cells) => {
    const made = document.createElement('tr');
    made.append(...cells);
    return made;
  };
  const head = document.createElement('thead');
  head.append(
    line([
      ...rows[0].groups.map(({ item }) => cell('th', called(item), false)),
      cell('th', 'People', true),
      ...rows[0].figures.map(({ item, of }) => cell('th', `${of.toLowerCase()}: ${called(item)}`, true)),
    ]),
  );
  const body = document.createElement('tbody');
  for (const row of rows) {
    body.append(
      line([
        ...row.groups.map((group) => cell('th', group.label)),
        cell('td', number(row.count), true),
        ...row.figures.map((figure) => cell('td', number(figure.value), true)),
      ]),
    );
  }
  const made = document.createElement('table');
  made.append(head, body);
  return made;
}

export function bars(rows) {
  const most = Math.max(...rows.map((row) => row.count));
  const longest = Math.max(...rows.map((row) => label(row).length));
  const [height, left, width] = [24, Math.min(360, 24 + longest * 11), 340];
  const drawn = make('svg', {
    role: 'img',
    'aria-label': 'People by group, as bars',
    viewBox: `0 0 ${left + width + 90} ${rows.length * height}`,
    width: left + width + 90,
  });
  rows.forEach((row, place) => {
    const y = place * height;
    const long = Math.max(1, (row.count / most) * width);
    drawn.append(
      make('text', { x: left - 8, y: y + 16, 'text-anchor': 'end' }, label(row)),
      make('rect', { class: 'bar', x: left, y: y + 3, width: long, height: height - 6 }),
      make('text', { x: left + long + 6, y: y + 16 }, number(row.count)),
    );
  });
  return drawn;
}

// Where the provinces lie: a tile for each, column and row, with a short name.
const TILES = {
  인천광역시: [0, 1, 'Incheon'], 서울특별시: [1, 1, 'Seoul'], 경기도: [2, 1, 'Gyeonggi'], 강원특별자치도: [3, 1, 'Gangwon'],
  충청남도: [0, 2, 'Chungnam'], 세종특별자치시: [1, 2, 'Sejong'], 충청북도: [2, 2, 'Chungbuk'], 경상북도: [3, 2, 'Gyeongbuk'],
  전북특별자치도: [0, 3, 'Jeonbuk'], 대전광역시: [1, 3, 'Daejeon'], 대구광역시: [2, 3, 'Daegu'], 울산광역시: [3, 3, 'Ulsan'],
  전라남도: [0, 4, 'Jeonnam'], 광주광역시: [1, 4, 'Gwangju'], 경상남도: [2, 4, 'Gyeongnam'], 부산광역시: [3, 4, 'Busan'],
  제주특별자치도: [0, 5, 'Jeju'],
};

export function map(rows, _items, place) {
  const totals = new Map();
  for (const row of rows) {
    const name = row.groups[place].label;
    totals.set(name, (totals.get(name) ?? 0) + row.count);
  }
  const most = Math.max(...totals.values());
  const size = 112;
  const drawn = make('svg', {
    role: 'img',
    'aria-label': 'People by province, as a map of tiles',
    viewBox: `0 ${size} ${4 * size} ${5 * size}`,
    width: 4 * size,
  });
  for (const [name, [column, line, short]] of Object.entries(TILES)) {
    const people = totals.get(name);
    const [x, y] = [column * size, line * size];
    const shade = people === undefined ? 0 : 0.15 + 0.85 * (people / most);
    const on = shade > 0.6 ? 'on' : '';
    const tile = { x: x + 2, y: y + 2, width: size - 4, height: size - 4, rx: 6 };
    drawn.append(
      make('rect', people === undefined ? { ...tile, class: 'empty' } : { ...tile, class: 'tile', 'fill-opacity': shade }),
      make('text', { x: x + size / 2, y: y + 50, 'text-anchor': 'middle', class: on }, short),
      make('text', { x: x + size / 2, y: y + 72, 'text-anchor': 'middle', class: on }, people === undefined ? '–' : number(people)),
    );
  }
  return drawn;
}
