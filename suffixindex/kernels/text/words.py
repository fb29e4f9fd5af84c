"""Split UTF-8 text into words and number them by first occurrence.

A word table is five arrays: ``slots`` (open addressing, a power of two; 0 is free, else word + 1), and for each word its
``hashes`` entry and its bytes ``pool[starts[w] : starts[w + 1]]``, the last byte of which is a newline, so that a pool
is a text file of one word a line. Words are compared by bytes, never by hash alone.

In the loops over bytes, places are unsigned numbers: of an index that may be negative, the choice takes a sixth of the time.
"""

import numpy as np

from suffixindex.kernels.jit import helper, kernel

NEWLINE = 10
ASCII_LIMIT = 0x80
SPACE = 0xFFFFFFFF  # in the folding table: this character stands between words
FOLDED_BYTES, SPARE = 2, 8  # of a pool: lower case is at most half as long again (U+023A), and a newline
HASH_SEED = np.uint64(14695981039346656037)
HASH_PRIME = np.uint64(1099511628211)


@helper
def _mixed(value, byte):
    """FNV-1a."""
    return (value ^ np.uint64(byte)) * HASH_PRIME


@helper
def _hashed(value):
    """The high bits mixed into the low ones, which pick the slot."""
    return value ^ (value >> np.uint64(29))


@helper
def _hash(pool, start, stop):
    value = HASH_SEED
    for i in range(start, stop):
        value = _mixed(value, pool[i])
    return _hashed(value)


@helper
def _same(pool, start, other, other_start, length):
    for i in range(length):
        if pool[np.uint64(start + i)] != other[np.uint64(other_start + i)]:
            return False
    return True


@helper
def _find(word_hash, text, start, stop, slots, hashes, starts, pool):
    """Slot of the word ``text[start:stop]`` (newline included), or the free slot where it belongs."""
    mask = np.uint64(len(slots) - 1)
    slot = word_hash & mask
    while True:
        word = np.uint64(slots[slot])
        if word == np.uint64(0):
            return slot
        word -= np.uint64(1)
        if hashes[word] == word_hash:
            first = starts[word]
            length = starts[word + np.uint64(1)] - first
            if length == stop - start and _same(text, start, pool, first, length):
                return slot
        slot = (slot + np.uint64(1)) & mask


@helper
def _place(words, slots, hashes):
    """Enter the first ``words`` words into empty slots."""
    mask = np.uint64(len(slots) - 1)
    for word in range(words):
        slot = hashes[word] & mask
        while slots[slot] != 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word + 1


@kernel
def place_words(words, slots, hashes):
    """Fill fresh ``slots`` with ``words`` words; O(words), one cache miss each."""
    _place(words, slots, hashes)


@kernel
def hash_words(words, starts, pool, hashes):
    """Hashes of the words of a pool; O(bytes)."""
    for word in range(words):
        hashes[word] = _hash(pool, starts[word], starts[word + 1])


@kernel
def intern_words(count, new_starts, new_hashes, new_pool, words, slots, hashes, starts, pool, ids):
    """Enter ``count`` distinct words into a table of ``words`` words; ``ids[i]`` becomes the number of the i-th.

    The table's arrays have room for all of them. Returns the table's new number of words. O(bytes), one to two cache
    misses a word.
    """
    for i in range(count):
        start, stop = new_starts[i], new_starts[i + 1]
        slot = _find(new_hashes[i], new_pool, start, stop, slots, hashes, starts, pool)
        if slots[slot] == 0:
            slots[slot] = words + 1
            hashes[words] = new_hashes[i]
            at = starts[words]
            for k in range(stop - start):
                pool[at + k] = new_pool[start + k]
            starts[words + 1] = at + stop - start
            words += 1
        ids[i] = slots[slot] - 1
    return words


@helper
def _decode(text, i):
    """(code point, bytes) of the valid UTF-8 sequence at ``i``."""
    byte = np.uint32(text[i])
    if byte < 0x80:
        return byte, 1
    if byte < 0xE0:
        return ((byte & np.uint32(0x1F)) << np.uint32(6)) | np.uint32(text[i + 1] & 0x3F), 2
    if byte < 0xF0:
        high = ((byte & np.uint32(0x0F)) << np.uint32(12)) | (np.uint32(text[i + 1] & 0x3F) << np.uint32(6))
        return high | np.uint32(text[i + 2] & 0x3F), 3
    high = ((byte & np.uint32(0x07)) << np.uint32(18)) | (np.uint32(text[i + 1] & 0x3F) << np.uint32(12))
    return high | (np.uint32(text[i + 2] & 0x3F) << np.uint32(6)) | np.uint32(text[i + 3] & 0x3F), 4


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


@kernel
def split_words(text, document_offsets, folding, state, slots, hashes, starts, pool, ids, ends):
    """Number the words of documents ``text[document_offsets[d] : document_offsets[d + 1]]``, valid UTF-8, by first occurrence.

    ``folding`` maps a code point to its lower case, or to ``SPACE``; code points beyond it stand for themselves. Fills a word
    table, ``ids`` (room for a word every second byte) and ``ends`` (words up to the end of each document). ``state`` is (document,
    byte, tokens, words), at first zeros. Returns whether all is done; if not, the table needs room to go on: for a word, and in its
    pool ``FOLDED_BYTES`` for each byte of the rest of the document and ``SPARE``. O(bytes).

    It takes no arrays but its arguments: those that it made would have their references counted, an atomic operation a word each.
    """
    document, i, tokens, words = state
    limit = len(hashes)
    while document < len(document_offsets) - 1:
        end = document_offsets[document + 1]
        while i < end:
            # the word is written where it will stay if it is new
            at = starts[words]
            if words == limit or at + FOLDED_BYTES * (end - i) + SPARE > len(pool):
                state[0], state[1], state[2], state[3] = document, i, tokens, words
                return False
            stop = at
            value = HASH_SEED
            while i < end:
                code = np.uint32(text[np.uint64(i)])
                if code < ASCII_LIMIT:
                    i += 1
                    code = folding[code]
                    if code == SPACE:
                        break
                    pool[np.uint64(stop)] = code
                    stop += 1
                    value = _mixed(value, code)
                    continue
                code, size = _decode(text, i)
                i += size
                if code < len(folding):
                    code = folding[code]
                    if code == SPACE:
                        break
                written = stop
                stop = append_character(pool, stop, code)
                for k in range(written, stop):
                    value = _mixed(value, pool[k])
            if stop == at:
                continue
            pool[stop] = NEWLINE
            stop += 1
            word_hash = _hashed(_mixed(value, NEWLINE))
            slot = _find(word_hash, pool, at, stop, slots, hashes, starts, pool)
            if slots[slot] == 0:
                slots[slot] = words + 1
                hashes[words] = word_hash
                words += 1
                starts[words] = stop
            ids[tokens] = slots[slot] - 1
            tokens += 1
        ends[document] = tokens
        document += 1
    state[0], state[1], state[2], state[3] = document, i, tokens, words
    return True


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
