"""Suffix arrays on a GPU, by torch: the same arrays as those of the CPU, byte for byte. Where there is none, the CPU's.

:func:`suffixindex.gpu_sort.device.sort_tokens` is the way in: it chooses a device and says who sorts. Nothing here imports
torch before a device was chosen. The same code runs on torch's CPU device, which is how it is tested without a GPU.

Prefix doubling (Manber and Myers, 1993) over tied suffixes only (Larsson and Sadakane, 2007), in four files:

1. ``keys``: the first tokens of each suffix packed into 64 bits, four of 16 bits or eight of 8, staying on a separator;
2. ``ranges``: the keys cut into ranges that hold at most a piece of the suffixes each, by histograms of their top bits;
3. ``pieces``: one range after the other is collected and sorted; whoever shares a key is tied;
4. ``doubling``: ties are told apart by the ranks of what follows 4, 8, 16, … tokens on, a piece at a time.

``sort`` calls them in turn and answers a lack of memory, ``plan`` says how large a piece may be, ``staging`` copies between
host and device.

**Memory** of the device, in bytes a token. What stays: the tokens (1, 2 or 4), the suffix array (4), the ranks (4), and for
each tied suffix its slot (4) and a flag (1). What a piece takes, for each of its suffixes: position 4, slot 4, flag 1, key 8,
and 40 that torch's stable sort adds to its input (sorted keys, two arrays of indices, and a buffer for keys and indices). So n
tokens of 16 bits take at most 15 n + 64 · piece. Pieces are 3/8 of a large text, 39 bytes a token, and less where less is free:
a text of 4 · 10⁹ tokens fits 80 GB in pieces of 2 · 10⁸.

**Time**, predicted for an H100 that copies 3.0 TB/s (bytes read and written), by bytes moved a token of 16 bits:

- keys: four passes (one to count, three pieces), each about 200 bytes of elementwise steps: 0.8 kB, 0.27 ns;
- first sort: eight passes of a radix sort that read and write 16 bytes, and a histogram: 0.27 kB, 0.09 ns at the speed of
  copying, 0.3 ns at the 3·10⁹ pairs a second that such sorts reach;
- ranks: one random write of 4 bytes (a sector of 32) and one gather by the sort's permutation, some 100 bytes in order: 0.5 ns;
- a round of doubling, for each suffix still tied: the sort's 0.3 ns, three random accesses (the rank h tokens on, the
  permutation, the new rank), some 200 bytes in order: 1 ns.

Natural text leaves about as many ties over all rounds as it has tokens, mosaics of repeated spans three to four times as many:
2 to 5 ns a token, or 2 to 5 s for 10⁹ tokens; copies of 2 bytes up and 4 down at 20 GB/s through pinned memory take 0.3 s.
"""
