"""Split UTF-8 text into words and number them by first occurrence.

A word table is four arrays: ``slots`` (open addressing, a power of two, at most half of them taken; 0 is free, else the number of
a word, plus one, below the high half of its hash), and for each word its ``hashes`` entry and its bytes ``pool[starts[w] :
starts[w + 1]]``, the last of which is a newline, so that a pool is a text file of one word a line. Words are compared by bytes,
never by hash alone, and hashed, compared and copied by eight bytes at once.

In the loops over bytes, places are unsigned numbers: of an index that may be negative, the choice takes a sixth of the time.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel, prefetch, word_at
from suffixindex.kernels.text import SPARE

NEWLINE = 10
ASCII_LIMIT = 0x80
SPACE, CONTEXTUAL = 0xFFFFFFFF, 0xFFFFFFFE  # in the folding table: this stands between words, this is a sigma or a dotted I
CASED, IGNORED = 1, 2  # of characters next to a capital sigma: letters with case, and what is passed over to find one
DOTTED_I, SMALL_I, DOT, SIGMA, FINAL_SIGMA = 0x130, 0x69, 0x307, 0x3C3, 0x3C2
FOLDED_BYTES = 2  # of a pool for each of a text: lower case is at most half as long again (U+023A)
AHEAD = 16  # words whose slots are asked for before they are needed
EIGHT = np.uint64(8)
HASH_SEED = np.uint64(14695981039346656037)
HASH_FACTOR, LAST_FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC4CEB9FE1A85EC53)
HALF = np.uint64(32)
NUMBER = np.uint64(0xFFFFFFFF)  # the low half of a slot
LOW_BITS, HIGH_BITS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
FROM_A, BEYOND_Z, FROM_SMALL_A, BEYOND_SMALL_Z, FROM_0, BEYOND_9 = (
    np.uint64(ASCII_LIMIT - byte) * LOW_BITS for byte in (*b"A[a{0:",)
)
"""Added to a byte that is ASCII, they set its highest bit from that character on."""


@helper
def _eight(pool, start, stop):
    """The first eight bytes of ``pool[start:stop]``, or all of them, as a number."""
    word = word_at(pool, start)
    if stop - start < 8:
        word &= (np.uint64(1) << (EIGHT * np.uint64(stop - start))) - np.uint64(1)
    return word


@helper
def _write_eight(pool, at, word):
    for k in range(8):  # one store
        pool[np.uint64(at + k)] = np.uint8(word >> np.uint64(8 * k))


@helper
def _hash(pool, start, stop):
    """Of a word without its newline. Factors carry differences up and shifts down again, so that any byte may change the slot."""
    value = HASH_SEED
    while start < stop:
        value = (value ^ _eight(pool, start, stop)) * HASH_FACTOR
        value ^= value >> HALF
        start += 8
    value *= LAST_FACTOR
    return value ^ (value >> HALF)


@helper
def _same(pool, start, stop, other, other_start):
    while start < stop:
        if _eight(pool, start, stop) != _eight(other, other_start, other_start + stop - start):
            return False
        start += 8
        other_start += 8
    return True


@helper
def _find(word_hash, text, start, stop, slots, starts, pool):
    """Slot of the word ``text[start:stop]`` (newline included), or the free slot where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = word_hash & mask
    while slots[slot] != np.uint64(0):
        if slots[slot] >> HALF == word_hash >> HALF:
            word = (slots[slot] & NUMBER) - np.uint64(1)
            first = starts[word]
            length = starts[word + np.uint64(1)] - first
            if length == stop - start and _same(text, start, stop - 1, pool, first):
                break
        slot = (slot + np.uint64(1)) & mask
    return slot


@helper
def _entry(word, word_hash):
    """What stands in the slot of a word."""
    return (word_hash & ~NUMBER) | np.uint64(word + 1)


@kernel
def place_words(words, slots, hashes):
    """Fill fresh ``slots`` with ``words`` words; O(words), one cache miss each."""
    mask = np.uint64(len(slots) - 1)
    for word in range(words):
        if word + AHEAD < words:
            prefetch(slots, hashes[word + AHEAD] & mask)
        slot = hashes[word] & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = _entry(word, hashes[word])


@kernel
def hash_words(words, starts, pool, hashes):
    """Hashes of the words of a pool; O(bytes)."""
    for word in range(words):
        hashes[word] = _hash(pool, starts[word], starts[word + 1] - 1)


@kernel
def intern_words(count, new_starts, new_hashes, new_pool, words, slots, hashes, starts, pool, ids):
    """Enter ``count`` distinct words into a table of ``words`` words; ``ids[i]`` becomes the number of the i-th.

    The table's arrays have room for all of them, and its pool for ``SPARE`` bytes more. Returns the table's new number of words.
    O(bytes); one cache miss a new word, two more one that is known.
    """
    mask = np.uint64(len(slots) - 1)
    for i in range(count):
        if i + AHEAD < count:
            prefetch(slots, new_hashes[i + AHEAD] & mask)
        start, stop = new_starts[i], new_starts[i + 1]
        slot = _find(new_hashes[i], new_pool, start, stop, slots, starts, pool)
        if slots[slot] == 0:
            slots[slot] = _entry(words, new_hashes[i])
            hashes[words] = new_hashes[i]
            at = starts[words]
            while start < stop:
                _write_eight(pool, at, word_at(new_pool, start))
                start += 8
                at += 8
            words += 1
            starts[words] = at + stop - start
        ids[i] = (slots[slot] & NUMBER) - np.uint64(1)
    return words


@helper
def _decode(word):
    """(code point, bytes) of the valid UTF-8 sequence with which eight bytes begin."""
    byte = np.int64(word & np.uint64(0xFF))
    second = np.int64((word >> np.uint64(8)) & np.uint64(0x3F))
    if byte < 0x80:
        return byte, 1
    if byte < 0xE0:
        return ((byte & 0x1F) << 6) | second, 2
    third = np.int64((word >> np.uint64(16)) & np.uint64(0x3F))
    if byte < 0xF0:
        return ((byte & 0x0F) << 12) | (second << 6) | third, 3
    return ((byte & 0x07) << 18) | (second << 12) | (third << 6) | np.int64((word >> np.uint64(24)) & np.uint64(0x3F)), 4


@helper
def append_character(pool, at, code):
    """Write a code point as UTF-8; returns the position after it."""
    if code < 0x80:
        pool[at] = code
        return at + 1
    if code < 0x800:
        pool[at] = np.uint32(0xC0) | (code >> np.uint32(6))
    else:
        if code < 0x10000:
            pool[at] = np.uint32(0xE0) | (code >> np.uint32(12))
        else:
            pool[at] = np.uint32(0xF0) | (code >> np.uint32(18))
            at += 1
            pool[at] = np.uint32(0x80) | ((code >> np.uint32(12)) & np.uint32(0x3F))
        at += 1
        pool[at] = np.uint32(0x80) | ((code >> np.uint32(6)) & np.uint32(0x3F))
    at += 1
    pool[at] = np.uint32(0x80) | (code & np.uint32(0x3F))
    return at + 1


@helper
def _lower(word):
    """Eight bytes with the letters of ASCII in lower case, and the highest bit of each that is no letter or digit of ASCII."""
    low = word & ~HIGH_BITS
    capitals = (low + FROM_A) & ~(low + BEYOND_Z) & ~word & HIGH_BITS
    low |= capitals >> np.uint64(2)
    letters = (low + FROM_SMALL_A) & ~(low + BEYOND_SMALL_Z)
    digits = (low + FROM_0) & ~(low + BEYOND_9)
    return word | (capitals >> np.uint64(2)), (~(letters | digits) | word) & HIGH_BITS


@helper
def _bytes_before(mark):
    """How many of eight bytes are below the lowest one whose highest bit is set; all are without one."""
    if mark == np.uint64(0):
        return 8
    below = (mark & (~mark + np.uint64(1))) - np.uint64(1)
    return np.int64(((below & LOW_BITS) * LOW_BITS) >> np.uint64(56)) - 1


@helper
def _is_final(text, i, end, pool, at, stop, casing):
    """Whether a capital sigma is final, whose word is ``pool[at:stop]`` before it and goes on with ``text[i:end]``.

    It is after a cased letter, if none follows it; between them there may be what is ignored (Unicode's Final_Sigma).
    """
    kind = IGNORED
    while kind == IGNORED and stop > at:
        stop -= 1
        while pool[stop] & 0xC0 == 0x80:
            stop -= 1
        code, _ = _decode(word_at(pool, stop))
        kind = casing[code] if code < len(casing) else 0
    if kind != CASED:
        return False
    kind = IGNORED
    while kind == IGNORED and i < end:
        code, size = _decode(word_at(text, i))
        kind = casing[code] if code < len(casing) else 0
        i += size
    return kind != CASED


@kernel
def split_words(text, document_offsets, folding, casing, state, slots, hashes, starts, pool, ids, ends):
    """Number the words of documents ``text[document_offsets[d] : document_offsets[d + 1]]``, valid UTF-8, by first occurrence.

    ``SPARE`` bytes follow the last document. ``folding`` maps a code point to its lower case, ``SPACE`` or ``CONTEXTUAL``, and
    ``casing`` to what it is to a sigma; code points beyond them stand for themselves. Fills a word table, ``ids`` (room for a word
    every second byte) and ``ends`` (words up to the end of each document). ``state`` is (document, byte, tokens, words), at first
    those before the first document. Returns whether all is done; if not, the table needs room to go
    on: for a word, and in its pool ``FOLDED_BYTES`` for each byte of the rest of the document and ``SPARE``. O(bytes).

    It takes no arrays but its arguments: those that it made would have their references counted, an atomic operation a word each.
    """
    document, i, tokens, words = state
    limit = min(len(hashes), len(slots) >> 1)
    while document < len(document_offsets) - 1:
        end = document_offsets[document + 1]
        while i < end:
            byte = text[np.uint64(i)]
            if byte < ASCII_LIMIT and folding[byte] == SPACE:
                i += 1
                continue
            # the word is written where it will stay if it is new
            at = starts[words]
            if words == limit or at + FOLDED_BYTES * (end - i) + SPARE > len(pool):
                state[0], state[1], state[2], state[3] = document, i, tokens, words
                return False
            stop = at
            while i < end:
                word = word_at(text, i)
                if word & np.uint64(0x80) == np.uint64(0):
                    lower, others = _lower(word)
                    _write_eight(pool, stop, lower)
                    plain = min(_bytes_before(others), end - i)
                    i += plain
                    stop += plain
                    if plain == 8 or i == end:
                        continue
                    byte = text[np.uint64(i)]
                    if byte < ASCII_LIMIT:
                        i += 1
                        if folding[byte] == SPACE:
                            break
                        pool[np.uint64(stop)] = byte
                        stop += 1
                        continue
                    word = word_at(text, i)
                code, size = _decode(word)
                folded = folding[np.uint64(code)] if code < len(folding) else np.uint32(code)
                i += size
                if folded == SPACE:
                    break
                if folded == code:
                    _write_eight(pool, stop, word)
                    stop += size
                elif folded != CONTEXTUAL:
                    stop = append_character(pool, stop, folded)
                elif code == DOTTED_I:
                    pool[stop] = SMALL_I
                    stop = append_character(pool, stop + 1, np.uint32(DOT))
                else:
                    final = _is_final(text, i, end, pool, at, stop, casing)
                    stop = append_character(pool, stop, np.uint32(FINAL_SIGMA if final else SIGMA))
            if stop == at:
                continue
            word_hash = _hash(pool, at, stop)
            pool[stop] = NEWLINE
            stop += 1
            slot = _find(word_hash, pool, at, stop, slots, starts, pool)
            if slots[slot] == 0:
                slots[slot] = _entry(words, word_hash)
                hashes[words] = word_hash
                words += 1
                starts[words] = stop
            ids[tokens] = (slots[slot] & NUMBER) - np.uint64(1)
            tokens += 1
        ends[document] = tokens
        document += 1
    state[0], state[1], state[2], state[3] = document, i, tokens, words
    return True


@kernel
def next_word(text, i, end, folding):
    """The first place from ``i`` on, the first byte of a character, that follows one which stands between words; or ``end``."""
    while i < end:
        code, size = _decode(word_at(text, i))
        i += size
        if code < len(folding) and folding[code] == SPACE:
            return i
    return end


@kernel
def find_words(text, offsets, order, starts, pool, ids):
    """Ids of the words of a pool in a vocabulary, 0 for those that it does not hold.

    Word ``w`` of the vocabulary is ``text[offsets[w] : offsets[w + 1]]``, its newline included; ``order`` lists the words by
    their bytes without it. O(words · log vocabulary) page reads.
    """
    for query in range(len(ids)):
        start = starts[query]
        length = starts[query + 1] - start - 1
        ids[query] = 0
        low, high = 0, len(order)
        while low < high:
            middle = (low + high) // 2
            word = np.int64(order[middle])
            begin = np.int64(offsets[word])
            size = np.int64(offsets[word + 1]) - begin - 1
            common = min(size, length)
            i = 0
            while i < common and text[begin + i] == pool[start + i]:
                i += 1
            if i == size == length:
                ids[query] = word
                break
            if text[begin + i] < pool[start + i] if i < common else size < length:
                low = middle + 1
            else:
                high = middle


@kernel
def renumber(ids, numbers):
    """Replace each id by ``numbers[id]``, in place. O(tokens)."""
    for i in range(len(ids)):
        ids[i] = numbers[np.int64(ids[i])]
