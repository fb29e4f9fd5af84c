"""Write the corpus of an index without what it repeats: passages that occurred before, or documents that equal an earlier one.

Passages go in rounds. In each, every window of so many tokens that occurs earlier in the corpus is cut out, but for what lies in
its first occurrence. A cut brings text together that was apart, and that may repeat something too: so what a round cut is looked
at in the next, until one finds nothing. A window that spans no cut need not be looked at again: had it occurred twice, one of them
would have been cut. What is left is a corpus in which no window occurs twice, so an index of the output, with the same tokenizer,
repeats nothing either.
"""

from suffixindex.deduplicating.output import Deduplicated, deduplicate

__all__ = ["Deduplicated", "deduplicate"]
