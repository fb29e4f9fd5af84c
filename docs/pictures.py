"""The drawn pictures of the explanations: ``python docs/pictures.py`` writes ``docs/images/*.svg``.

What a picture shows of an algorithm, it computes: suffixes are sorted here, intervals bisected, in plain Python.
"""

from collections.abc import Callable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
WIDTH = 560
END = "∎"
"""How a separator is drawn: it sorts after every word, since it is the largest id."""
DOCUMENTS = ("the cat sat on the mat the cat slept", "the dog sat on the mat the cat did not")
INK, FAINT, ACCENT, LIGHT, WARM = "#1f2933", "#7b8794", "#00695c", "#d5efeb", "#fde9c8"


class Picture:
    """An SVG of :data:`WIDTH` units, drawn from above."""

    def __init__(self, title: str, height: int) -> None:
        self.height = height
        self.parts = [f"<title>{escape(title)}</title>", f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fcfdfd"/>']

    def text(
        self, x: float, y: float, words: str, *, ink: str = INK, anchor: str = "start", size: int = 15, bold: bool = False
    ) -> None:
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x}" y="{y}" fill="{ink}" text-anchor="{anchor}" font-size="{size}"{weight}>{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, fill: str = "#ffffff", line: str = FAINT) -> None:
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3" fill="{fill}" stroke="{line}"/>')

    def labelled(self, x: float, y: float, width: float, height: float, words: Sequence[str], fill: str = "#ffffff") -> None:
        """A box with lines of text in its middle."""
        self.box(x, y, width, height, fill)
        top = y + height / 2 - 9 * (len(words) - 1) + 5
        for number, line in enumerate(words):
            self.text(x + width / 2, top + 18 * number, line, anchor="middle", size=14, bold=number == 0 and len(words) > 1)

    def arrow(self, x: float, y: float, to_x: float, to_y: float, ink: str = FAINT) -> None:
        self.parts.append(
            f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{ink}" stroke-width="1.5" marker-end="url(#tip)"/>'
        )

    def line(self, x: float, y: float, to_x: float, to_y: float, ink: str = FAINT) -> None:
        self.parts.append(f'<line x1="{x}" y1="{y}" x2="{to_x}" y2="{to_y}" stroke="{ink}"/>')

    def svg(self) -> str:
        tip = (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0 8 4 0 8z" fill="{FAINT}"/></marker></defs>'
        )
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" font-family="system-ui, sans-serif">'
        return "\n".join([head, tip, *self.parts, "</svg>"]) + "\n"


# ---- what is drawn, computed -----------------------------------------------------------------------------------------


def tokens_of(documents: Sequence[str]) -> list[str]:
    return [token for document in documents for token in [*document.split(), END]]


def suffix_array(tokens: Sequence[str]) -> list[int]:
    """Positions in the order of their suffixes; ids are numbered by first occurrence, the separator is the largest."""
    ids = {word: number for number, word in enumerate(dict.fromkeys(" ".join(DOCUMENTS).split()))}

    def suffix(position: int) -> tuple[list[int], int]:
        stop = tokens.index(END, position)
        return [ids[token] for token in tokens[position:stop]] + [len(ids)], position

    return sorted(range(len(tokens)), key=suffix)


def interval(tokens: Sequence[str], order: Sequence[int], ngram: Sequence[str]) -> tuple[int, int]:
    """Half-open ranks of the suffixes that begin with an n-gram."""
    ranks = [rank for rank, position in enumerate(order) if list(tokens[position : position + len(ngram)]) == list(ngram)]
    return ranks[0], ranks[-1] + 1


# ---- the pictures ----------------------------------------------------------------------------------------------------


def draw_tokens(picture: Picture, tokens: Sequence[str], y: float, start: int = 0) -> None:
    """A row of tokens with their positions below."""
    step = (WIDTH - 32) / len(tokens)
    for number, token in enumerate(tokens):
        x = 16 + step * number
        picture.box(x, y, step - 3, 28, LIGHT if token != END else WARM)
        picture.text(x + (step - 3) / 2, y + 19, token, anchor="middle", size=14)
        picture.text(x + (step - 3) / 2, y + 43, str(start + number), anchor="middle", size=12, ink=FAINT)


def draw_suffix_array() -> Picture:
    """The suffixes of one document in order, and the interval of an n-gram."""
    tokens = tokens_of(DOCUMENTS[:1])
    order = suffix_array(tokens)
    low, high = interval(tokens, order, ["the", "cat"])
    picture = Picture("The suffixes of a document in the order of their tokens", 128 + 26 * len(order))
    picture.text(16, 24, "The tokens, each at its position", ink=FAINT, size=13)
    draw_tokens(picture, tokens, 32)
    top = 112
    for x, words in ((16, "rank"), (64, "position"), (136, "the suffix that begins there")):
        picture.text(x, top - 8, words, ink=FAINT, size=13)
    picture.box(10, top + 26 * low, WIDTH - 20, 26 * (high - low), LIGHT, ACCENT)
    for rank, position in enumerate(order):
        y = top + 26 * rank + 18
        picture.text(34, y, str(rank), anchor="middle", ink=FAINT)
        picture.text(90, y, str(position), anchor="middle", ink=ACCENT, bold=True)
        picture.text(136, y, " ".join(tokens[position:]))
    middle = top + 26 * (low + high) / 2
    picture.text(WIDTH - 18, middle - 4, "“the cat”", anchor="end", ink=ACCENT, bold=True)
    picture.text(WIDTH - 18, middle + 14, f"ranks [{low}, {high}): count {high - low}", anchor="end", ink=ACCENT, size=13)
    return picture


def draw_shards() -> Picture:
    """Two documents in two shards, and how a count is their sum."""
    picture = Picture("Documents, separators and shards", 330)
    for number, document in enumerate(DOCUMENTS):
        y, tokens = 16 + 134 * number, tokens_of([document])
        order = suffix_array(tokens)
        low, high = interval(tokens, order, ["the", "cat"])
        picture.text(16, y + 8, f"shard {number}: document {number}, its separator {END}, its own suffix array", size=13, ink=FAINT)
        draw_tokens(picture, tokens, y + 16)
        step = (WIDTH - 32) / len(order)
        for rank, position in enumerate(order):
            x = 16 + step * rank
            inside = low <= rank < high
            picture.box(x, y + 72, step - 3, 24, LIGHT if inside else "#ffffff", ACCENT if inside else FAINT)
            picture.text(x + (step - 3) / 2, y + 89, str(position), anchor="middle", size=13, ink=ACCENT if inside else INK)
        picture.text(WIDTH - 16, y + 112, f"“the cat”: {high - low}", anchor="end", size=14, ink=ACCENT, bold=True)
    total = sum(" ".join(document.split()).count("the cat") for document in DOCUMENTS)
    picture.line(WIDTH - 130, 272, WIDTH - 16, 272)
    picture.text(WIDTH - 16, 294, f"count(“the cat”) = {total}", anchor="end", ink=ACCENT, bold=True)
    picture.text(16, 294, "An n-gram never crosses a separator,", size=13)
    picture.text(16, 312, "so no occurrence lies in two shards: counts add up.", size=13)
    return picture


def draw_next_tokens() -> Picture:
    """The interval of a context, in which equal next tokens lie together."""
    tokens = tokens_of(DOCUMENTS)
    order = suffix_array(tokens)
    low, high = interval(tokens, order, ["the"])
    following = [tokens[order[rank] + 1] for rank in range(low, high)]
    picture = Picture("What follows a context, by bisection of its interval", 124 + 30 * (high - low))
    for x, words in ((16, "rank"), (66, "the suffixes that begin with “the”"), (392, "next token"), (488, "count")):
        picture.text(x, 24, words, ink=FAINT, size=13)
    y = 36.0
    rank = low
    for token, run in groupby(following):
        size = len(list(run))
        picture.box(10, y, WIDTH - 20, 30 * size - 3, LIGHT if size > 1 else "#ffffff", ACCENT)
        for number in range(size):
            position, line = order[rank], y + 30 * number + 19
            picture.text(34, line, str(rank), anchor="middle", ink=FAINT)
            picture.text(66, line, "the", ink=FAINT)
            picture.text(94, line, token, bold=True, ink=ACCENT)
            stop = tokens.index(END, position)
            picture.text(
                134, line, " ".join(tokens[position + 2 : min(position + 6, stop)]) + (" …" if position + 6 < stop else f" {END}")
            )
            rank += 1
        middle = y + 15 * size + 4
        picture.text(392, middle, token, bold=True, ink=ACCENT)
        picture.text(500, middle, str(size), bold=True, ink=ACCENT)
        y += 30 * size
    picture.text(16, y + 26, "Suffixes are sorted, so equal next tokens lie side by side: a run.", size=14)
    picture.text(16, y + 48, "A stretch whose first and last suffix have one next token is one run,", size=14)
    picture.text(16, y + 70, "without a look between. Another is halved.", size=14)
    return picture


def draw_cooccurrence() -> Picture:
    """How the documents that hold two n-grams are found, by what costs less."""
    picture = Picture("How a co-occurrence is planned", 356)
    picture.labelled(150, 14, 260, 50, ["cooccurrence(a, b)", "count both: microseconds"], LIGHT)
    picture.arrow(280, 64, 280, 90)
    picture.labelled(130, 92, 300, 50, ["the rarer one first", "list the documents of its occurrences"])
    picture.arrow(230, 142, 150, 178)
    picture.arrow(330, 142, 410, 178)
    picture.text(96, 166, "b costs less to stamp", anchor="middle", size=13, ink=FAINT)
    picture.text(WIDTH - 12, 166, "a's documents cost less", anchor="end", size=13, ink=FAINT)
    picture.labelled(20, 182, 250, 68, ["stamp", "mark the document of every", "occurrence of b: 2.5 ns each"], WARM)
    picture.labelled(290, 182, 250, 68, ["read", "search b in the tokens", "of a's documents: 1 ns each"], WARM)
    picture.arrow(150, 250, 230, 284)
    picture.arrow(410, 250, 330, 284)
    picture.labelled(130, 288, 300, 50, ["documents of both, exactly", "never a sample"], LIGHT)
    return picture


def draw_build() -> Picture:
    """The steps of a build, what each leaves on disk, and where a killed one goes on."""
    steps = (
        ("encode", "tokens.u16 grows, checkpoint every 20 s", "goes on from the last checkpoint"),
        ("sort shard 0", "suffix_array.u32, then shard.json", "sorts this shard again, no other"),
        ("sort shard 1", "suffix_array.u32, then shard.json", "sorts this shard again, no other"),
        ("publish", "manifest.json, by rename", "writes the manifest"),
        ("an index", "manifest.json is there: it opens", "nothing is left to do"),
    )
    picture = Picture("How a build survives being killed", 40 + 64 * len(steps))
    for x, words in ((16, "step"), (150, "what it leaves on disk"), (WIDTH - 16, "killed here, the same command …")):
        picture.text(x, 24, words, ink=FAINT, size=13, anchor="end" if x > WIDTH / 2 else "start")
    for number, (step, left, then) in enumerate(steps):
        y = 38 + 64 * number
        picture.labelled(16, y, 120, 40, [step], LIGHT if number == len(steps) - 1 else WARM)
        picture.text(150, y + 17, left, size=14)
        picture.text(WIDTH - 16, y + 37, f"⟲ {then}", size=14, anchor="end", ink=ACCENT)
        if number + 1 < len(steps):
            picture.arrow(76, y + 40, 76, y + 62)
    return picture


PICTURES: dict[str, Callable[[], Picture]] = {
    "suffix-array": draw_suffix_array,
    "shards": draw_shards,
    "next-tokens": draw_next_tokens,
    "cooccurrence": draw_cooccurrence,
    "build": draw_build,
}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        (IMAGES / f"{name}.svg").write_text(draw().svg(), encoding="utf-8")
