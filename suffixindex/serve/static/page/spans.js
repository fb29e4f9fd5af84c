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
 * Where each piece begins in the text as it was pasted; one more for the end.
 * A tokenizer may have changed capitals or dropped white space: what cannot be placed begins where the next one does.
 */
export function align(text, pieces) {
  const lower = text.toLowerCase();
  const same = lower.length === text.length ? lower : text; // some letters grow when they are made small
  const places = [];
  let at = 0;
  for (const piece of pieces) {
    const wanted = (same === lower ? piece.toLowerCase() : piece).trim();
    const found = wanted ? same.indexOf(wanted, at) : -1;
    const between = found < 0 ? "" : text.slice(at, found);
    const leading = piece.length - piece.trimStart().length;
    if (found < 0 || (between.length > 12 && /\w{12}/.test(between))) {
      places.push(null);
      continue;
    }
    places.push(Math.max(at, found - leading));
    at = found + wanted.length;
  }
  places.push(text.length);
  for (let place = places.length - 2; place >= 0; place--) places[place] ??= places[place + 1];
  return places;
}

/** The text cut where the owner changes: `{text, owner}`; white space at the ends of a span stands outside it. */
export function segments(text, places, owners) {
  const parts = [];
  const put = (piece, owner) => {
    if (!piece) return;
    if (parts.length && parts.at(-1).owner === owner) parts.at(-1).text += piece;
    else parts.push({ text: piece, owner });
  };
  put(text.slice(0, places[0]), -1);
  for (let first = 0; first < owners.length;) {
    let last = first + 1;
    while (last < owners.length && owners[last] === owners[first]) last += 1;
    const whole = text.slice(places[first], places[last]);
    const [, before, inner, after] = /^(\s*)([^]*?)(\s*)$/.exec(whole);
    put(before, -1);
    put(inner, owners[first]);
    put(after, -1);
    first = last;
  }
  return parts;
}
