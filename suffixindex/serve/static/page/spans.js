/* Spans of a pasted text: which of them are shown, how strongly, and where they stand in the text. */

/** Spans of at least `min` tokens that occur at most `max` times (0: however often). */
export const kept = (spans, min, max) => spans.filter((span) => span.stop - span.start >= min && (!max || span.count <= max));

/** For each token the longest span it lies in, -1 if in none. */
export function longest(spans, size) {
  const owners = new Array(size).fill(-1);
  const length = (place) => spans[place].stop - spans[place].start;
  spans.forEach((span, place) => {
    for (let token = span.start; token < span.stop; token++) {
      if (owners[token] < 0 || length(place) > length(owners[token])) owners[token] = place;
    }
  });
  return owners;
}

/** How strongly each span is shaded, 1 to 5: longer ones more, or rarer ones more, on a logarithmic scale. */
export function levels(spans, shade) {
  const size = shade === "length" ? (span) => Math.log(span.stop - span.start) : (span) => -Math.log(span.count);
  const sizes = spans.map(size);
  const least = Math.min(...sizes);
  const range = Math.max(...sizes) - least;
  return sizes.map((one) => (range ? 1 + Math.round(((one - least) / range) * 4) : 3));
}

/**
 * Where each piece stands in the text as it was pasted: `starts` and `ends`.
 * A tokenizer may have changed capitals or dropped white space; what cannot be placed stands between its neighbours.
 */
export function align(text, pieces) {
  const lower = text.toLowerCase();
  const folded = lower.length === text.length; // some letters grow when they are made small
  const same = folded ? lower : text;
  const starts = [];
  const ends = [];
  let at = 0;
  for (const piece of pieces) {
    const wanted = (folded ? piece.toLowerCase() : piece).trim();
    const found = wanted ? same.indexOf(wanted, at) : -1;
    const placed = found >= 0 && !/\w{12}/.test(text.slice(at, found)); // a match beyond a long word is another one
    starts.push(placed ? found : null);
    ends.push(placed ? found + wanted.length : null);
    if (placed) at = found + wanted.length;
  }
  for (let place = pieces.length - 1; place >= 0; place--) {
    ends[place] ??= starts[place + 1] ?? text.length;
    starts[place] ??= starts[place + 1] ?? text.length;
  }
  return { starts, ends };
}

/** The text cut where the owner changes: `{text, owner}`; white space at the ends of a span stands outside it. */
export function segments(text, { starts, ends }, owners) {
  const parts = [];
  let at = 0;
  const put = (to, owner) => {
    if (to <= at) return;
    parts.push({ text: text.slice(at, to), owner });
    at = to;
  };
  for (let first = 0; first < owners.length;) {
    let last = first + 1;
    while (last < owners.length && owners[last] === owners[first]) last += 1;
    if (owners[first] >= 0) {
      put(starts[first], -1);
      const end = Math.max(at, ends[last - 1]);
      const inner = text.slice(at, end);
      put(at + inner.trimEnd().length, owners[first]);
    }
    first = last;
  }
  put(text.length, -1);
  return parts;
}
