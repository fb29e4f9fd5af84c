"""What the own API is asked, typed: each model is the body of one question, its fields those of the Python method of that name."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from suffixindex.patterns import Pattern, from_json
from suffixindex.queries.variants import DEFAULT_KINDS

Scalar = StrictStr | StrictBool | StrictInt | StrictFloat | None
Count = Annotated[StrictInt, Field(ge=0, le=2**53)]
Positive = Annotated[StrictInt, Field(ge=1, le=2**53)]
Page = Annotated[StrictInt, Field(ge=0, le=1000)]
"""Records of one answer; cursors lead to the next ones."""


class Model(BaseModel):
    """A misspelt field is refused, with its name."""

    model_config = ConfigDict(extra="forbid")


class Hole(Model):
    """From so many to so many tokens, whatever they are; `[1, 1]` is any one."""

    gap: tuple[StrictInt, StrictInt]


Ngram = StrictStr | list[StrictInt]
"""Text, which the index's tokenizer encodes, or token ids."""


class Holed(Model):
    """A pattern: n-grams, holes, and lists of n-grams of which any may stand there, one after the other."""

    pattern: list[StrictStr | StrictInt | Hole | list[StrictInt] | list[StrictStr | list[StrictInt]]]


def _as_pattern(given: Holed) -> Any:
    found: Pattern = from_json({"pattern": [{"gap": [*one.gap]} if isinstance(one, Hole) else one for one in given.pattern]})
    return found


if TYPE_CHECKING:
    AsPattern = Pattern  # what a validated body holds
else:
    AsPattern = Annotated[Holed, AfterValidator(_as_pattern)]
Query = Ngram | AsPattern
"""An n-gram or a pattern."""
Clause = StrictStr | list[StrictInt] | AsPattern | list[StrictStr | list[StrictInt] | AsPattern]
"""An n-gram or a pattern, or several of which any counts."""


class Interval(Model):
    """Integers from ``from`` on, below ``below``, in steps."""

    start: StrictInt = Field(alias="from")
    below: StrictInt
    step: Annotated[StrictInt, Field(ge=1)] = 1


class Where(Model):
    """The documents that a question is about: those for which everything given here holds."""

    fields: dict[str, Scalar | Interval | list[Scalar | Interval]] = Field(
        {}, description="For each field of the metadata a value, an interval of integers, or a list of which any holds."
    )
    holding: list[Clause] = Field([], description="N-grams that the documents hold, each a clause.")
    window: Count | None = Field(None, description="Some occurrences of all of `holding` start within so many tokens.")
    mask: str | None = Field(
        None, description="A bit for each document, packed (big-endian in each byte), deflated by zlib, in base64."
    )


class Filtered(Model):
    where: Where | None = None


class OneNgram(Filtered):
    ngram: Query


class ManyNgrams(Filtered):
    ngrams: list[Query]


class OneContext(Filtered):
    context: Query
    top: Count | None = Field(None, description="Only the k most frequent continuations, with what each stands for.")


class ManyContexts(Filtered):
    contexts: list[Query]


class Paged(Model):
    limit: Page = 10
    offset: Count = 0
    cursor: str | None = Field(None, description="`next_cursor` of the page before this one, instead of `offset`.")


class AskConcordance(OneNgram, Paged):
    width: Count = 8
    metadata: bool = Field(False, description="Whether each line says where its document came from.")


class AskDocuments(OneNgram, Paged):
    snippet: Count | None = Field(None, description="Tokens to show around the first occurrence in each document.")
    max_offsets: Count | None = Field(None, description="Offsets to list of each document; all unless given.")


class AskSample(OneNgram):
    k: Count
    seed: Count
    snippet: Count | None = None
    max_offsets: Count | None = None


class AskDocument(Model):
    document_id: StrictInt
    start: Count = 0
    stop: Count | None = Field(None, description="Tokens `[start, stop)` of the document; all that one answer holds unless given.")
    highlight: list[Ngram] = Field([], description="N-grams to mark in the text.")


class AskClauses(Filtered):
    clauses: list[Clause]
    window: Count | None = None


class AskDocumentIds(AskClauses):
    limit: Annotated[StrictInt, Field(ge=0, le=2_000_000)] = 1000
    offset: Count = 0
    cursor: str | None = None


class AskCooccurrences(Filtered):
    questions: list[list[Clause]] | None = Field(None, description="Pairs, or longer lists, of clauses.")
    pairs: list[tuple[Count, Count]] | None = Field(None, description="Pairs of numbers of `ngrams`.")
    ngrams: list[Query] | None = None
    window: Count | None = None


class AskMatrix(Filtered):
    rows: list[Query]
    columns: list[Query]


class AskGroups(Model):
    field: str


class AskCountsBy(OneNgram):
    field: str
    unit: str = Field("occurrences", json_schema_extra={"enum": ["occurrences", "documents"]})


class AskMask(Model):
    where: Where


class AskInfgram(Model):
    context: Ngram
    token: StrictInt


class AskContext(Model):
    context: Ngram


class AskText(Model):
    text: Ngram


class AskTexts(Model):
    texts: list[Ngram]


class AskSpans(AskText):
    min_length: StrictInt = 1
    limit: Page = Field(10, description="Documents to list of each span.")
    snippet: Count | None = None
    max_offsets: Count | None = None


class AskNovelty(AskText):
    max_n: StrictInt


class AskVariants(Model):
    text: StrictStr
    kinds: list[str] = list(DEFAULT_KINDS)


class AskCountVariants(AskVariants, Filtered):
    pass


class AskString(Model):
    text: StrictStr


class AskIds(Model):
    token_ids: list[StrictInt]


class AskTop(Model):
    n: StrictInt
    k: StrictInt


class AskStatistics(Model):
    max_n: StrictInt
    max_count: StrictInt = 1


class AskDuplicates(Model):
    min_length: StrictInt
    limit: Count | None = 20
    order: str = Field("saved", json_schema_extra={"enum": ["saved", "length"]})
    max_documents: Count | None = 10
