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

/** A text as its UTF-8 bytes, each a character below 256, so that `indexOf` finds parts of characters. */
const bytesOf = (text) => Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");

/** For each byte of a text, and one more, the character that it belongs to. */
function charactersOf(text) {
  const places = [];
  let place = 0;
  for (const character of text) {
    for (let left = new TextEncoder().encode(character).length; left > 0; left--) places.push(place);
    place += character.length;
  }
  return [...places, place];
}

const unescaped = (piece) => bytesOf(piece).replace(/\\x([0-9a-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));

/**
 * Where each piece stands in the text as it was pasted: `starts` and `ends`.
 * A piece may be part of a character (`\xe2`); a tokenizer may have changed capitals or dropped white space. What cannot be
 * placed stands between its neighbours.
 */
export function align(text, pieces) {
  const lower = text.toLowerCase();
  const folded = lower.length === text.length ? lower : text; // some letters grow when they are made small
  const bytes = bytesOf(folded);
  const characters = charactersOf(folded);
  const starts = [];
  const ends = [];
  let at = 0;
  for (const piece of pieces) {
    const literal = bytesOf(folded === lower ? piece.toLowerCase() : piece).trim();
    const wanted = [literal, unescaped(piece)].find((one) => one && bytes.startsWith(one, at + /^\s*/.exec(bytes.slice(at, at + 99))[0].length)) ?? literal;
    const found = wanted ? bytes.indexOf(wanted, at) : -1;
    const placed = found >= 0 && !/\w{12}/.test(bytes.slice(at, found)); // a match beyond a long word is another one
    if (placed) at = found + wanted.length;
    starts.push(placed ? characters[found] : null);
    ends.push(placed ? characters[at - 1] + String.fromCodePoint(folded.codePointAt(characters[at - 1])).length : null);
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
