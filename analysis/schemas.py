"""The tables that stages hand to each other: the columns of each, once.

All logarithms are natural. Spans are half-open, in characters (Unicode code points) of the example's ``input`` or ``target``.
A row of ``pairs`` is one n-gram pair of one example; ``row`` numbers it from 0, and later tables refer to it by that number.
A ``model`` is a Hugging Face name or a folder; ``revision`` is a checkpoint's, "" for the last.
"""

import pyarrow as pa

_text, _int, _real, _texts = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.string())
_example = [("example_id", _text), ("task", _text), ("subset", _text)]
_pair = [("n", _int), ("x", _text), ("y", _text)]
_model = [("model", _text), ("revision", _text), ("num_parameters", _int), ("step", _int)]  # step -1: unknown
_interval = [("estimate", _real), ("low", _real), ("high", _real), ("confidence", _real)]
_size = [("num_pairs", _int), ("num_examples", _int)]
_pair_set = ("pair_set", _text)  # common: pairs that every model of the corpus scores; own: all that the row's scores


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema(list(columns))


EXAMPLES = _schema(
    *_example,
    ("input", _text),  # x, as the task's file has it
    ("target", _text),  # y, the canonical answer
    ("aliases", _texts),  # other right answers, without the target
    ("choices", _texts),  # of multiple choice, else empty
    ("prompt", _text),  # u and x from the template, all that stands before the target: a model reads prompt + target
)
"""An example of a task. ``subset``: a language pair, an MMLU subject, or "". ``example_id`` is unique in the table."""

PAIRS = _schema(
    ("row", _int),
    *_example,
    *_pair,  # n-grams in words, normalised: lower case, single spaces
    ("x_start", _int),
    ("x_stop", _int),  # the first place of x in input
    ("y_start", _int),
    ("y_stop", _int),  # the first place of y in target
    ("similarity", pa.float32()),  # cos(E(x), E(y))
)
"""Pairs mined from input and target, those with ``similarity`` above the least γ that the study looks at."""

DROPS = _schema(("task", _text), ("subset", _text), ("n", _int), ("reason", _text), ("stage", _text), *_size)
"""What was dropped where and why; reason "kept" counts what was not."""

SIMILARITIES = _schema(("task", _text), ("n", _int), ("gamma", _real), ("num_above", _int), ("num_pairs", _int))
"""How many of the pairs that mining compared (``num_pairs``) have a similarity above each γ."""

COUNTS = _schema(
    *_pair,
    ("pair_documents", _int),  # documents that hold both (within the window, if one is set)
    ("x_documents", _int),
    ("y_documents", _int),  # with aliases, documents that hold any of them
    ("x_occurrences", _int),
    ("y_occurrences", _int),
)
"""Counts of each distinct pair (n, x, y) of ``pairs``."""

CORPUS_SCORES = _schema(("row", _int), ("corpus_model", _text), ("log_prob", _real), ("zero", pa.bool_()))
"""log P(y | x) of each row under a model of the corpus: taskgram, infgram, kneser_ney, stupid_backoff, unigram.

``zero``: the probability is zero by the counts (``log_prob`` -inf), or skips were needed; ``mode`` paper drops these rows.
"""

MODEL_SCORES = _schema(("row", _int), *_model, ("log_prob", _real), ("num_tokens", _int))
"""log P_LLM(y | u, x, y before it) of each row: the sum over the ``num_tokens`` tokens of the target n-gram, teacher-forced.

Null, of 0 tokens, where the example was too long for the model and left out.
"""

GENERATIONS = _schema(
    *_model, ("example_id", _text), ("output", _text),
    ("ended", _text),  # stop: it ended there; length: cut after as many tokens as were allowed; "": a choice, or not known
    ("metric", _text), ("score", _real),
)  # fmt: skip
"""What a model writes after the prompt, and its score by each metric of a kind: exact_match, contains and token_f1; accuracy,
accuracy_characters, accuracy_sum and accuracy_letter; bleu; final_answer.

An example that was too long for the model and left out has no row.
"""

OUTPUT_FLAWS = _schema(
    ("task", _text), ("subset", _text), *_model, ("flaw", _text),  # empty, cut, repeated
    *_interval, ("num_examples", _int),
)  # fmt: skip
"""Share of a model's outputs that say nothing, were cut after as many tokens as were allowed, or end in a loop."""

MODELS = _schema(
    *_model, ("begins", _text),  # the token that every text begins with; "" for none
    ("bos", _text), ("chat", pa.bool_()), ("has_template", pa.bool_()), ("context_length", _int),  # -1: no limit is said
    ("where", _text), ("doubts", _texts),  # sentences on what should be known before its numbers are trusted
)  # fmt: skip
"""How a model is asked, a row a state."""

TASK_SCORES = _schema(
    ("task", _text), ("subset", _text), *_model, ("metric", _text),  # that of generations; corpus_bleu: of all sentences together
    ("chance", _real),  # what guessing among the choices scores; null where there are none
    *_interval, ("num_examples", _int),
)  # fmt: skip
"""What a model scores on a task: the mean over its examples."""

CORRELATIONS = _schema(
    ("task", _text),
    ("subset", _text),
    *_model,
    ("corpus_model", _text),
    ("n", _int),
    ("gamma", _real),
    ("statistic", _text),  # spearman, pearson, kendall_distance, partial_spearman
    ("mode", _text),  # strict, paper, reference-code
    _pair_set,
    *_interval,
    ("p_value", _real),
    *_size,
)
"""Distributional memorization: log P of the corpus against log P of the model over the pairs, with its interval."""

DIFFERENCES = _schema(
    ("task", _text), ("subset", _text), *_model, ("corpus_model", _text), ("against", _text), ("n", _int), ("gamma", _real),
    ("statistic", _text), ("mode", _text), *_interval, *_size,
)  # fmt: skip
"""The statistic of one model of the corpus less that of another (``against``) on the pairs that all models of the corpus
score, with the interval of a paired bootstrap."""

PRIOR_AWARE = _schema(
    ("task", _text), ("subset", _text), *_model, ("n", _int), ("gamma", _real), ("statistic", _text), ("mode", _text),
    ("compared", _text),  # conditional: log P(y | x) on both sides; pmi: log P(y | x) / P(y); prior: log P(y)
    *_interval, ("p_value", _real), *_size,
)  # fmt: skip
"""The correlation of corpus and model before and after each is held against its own prior."""

SIZE_TRENDS = _schema(
    ("task", _text), ("subset", _text), ("family", _text), ("revision", _text), ("corpus_model", _text), ("n", _int),
    ("gamma", _real), ("statistic", _text), ("mode", _text), _pair_set,
    ("trend", _text),  # slope (for ten times the parameters), correlation
    *_interval, ("p_value", _real), ("num_models", _int), *_size,
)  # fmt: skip
"""How a row's statistic in ``CORRELATIONS`` changes with the logarithm of the model's parameters, all else equal: over models of
one family, or of all ("") where no name has a size in it."""

PERFORMANCE = _schema(
    ("task", _text), ("subset", _text), *_model, ("metric", _text), ("n", _int),
    ("bin_low", _real), ("bin_high", _real),  # documents that hold a pair, mean over an example's pairs: [low, high)
    *_interval, ("num_examples", _int),
)  # fmt: skip
"""A task's score by how often the corpus holds an example's pairs."""

_threshold = [("task", _text), ("subset", _text), ("metric", _text), ("n", _int), ("frequency", _text)]
# frequency: documents that hold an example's pairs (pairs), or those that were planted (planted; n is then 0)

THRESHOLDS = _schema(
    *_threshold, *_model, ("quantity", _text),  # slope: logits for ten times the documents; half: documents at which half are right
    *_interval, ("p_value", _real), ("num_examples", _int), ("num_right", _int),
)  # fmt: skip
"""How often the corpus must say a thing until a model is right about it: a logistic curve over the documents."""

THRESHOLD_TRENDS = _schema(
    *_threshold,
    ("family", _text),
    ("revision", _text),
    *_interval,
    ("p_value", _real),
    ("num_models", _int),
    ("num_examples", _int),
)
"""Change of log₁₀ of the documents at which half are right, for ten times the parameters."""

LEARNING_CURVES = _schema(
    *_model, ("n", _int),  # of the n-gram distribution; 0: the text itself, KL is then the loss
    *_interval, ("num_positions", _int), ("num_examples", _int),  # documents
)  # fmt: skip
"""KL of the corpus's n-gram distributions of the next token and a model's, in nats."""

NOVELTY = _schema(
    ("task", _text), ("subset", _text), *_model, ("unit", _text),  # ngram, pair; reference_… and fluent_… (controls)
    ("n", _int), *_interval, ("num_ngrams", _int), ("num_examples", _int),
)  # fmt: skip
"""Share of generated n-grams or n-gram pairs that the corpus does not hold."""

CONTAMINATION = _schema(("task", _text), ("subset", _text), ("n", _int), ("part", _text), *_interval, ("num_examples", _int))
"""Share of examples whose input, target or both (``part``) share an n-gram of n words with the corpus."""

INFLUENCE = _schema(
    ("task", _text), ("subset", _text), *_model, ("group", _text),  # pair: documents hold x and y; output_only: y alone
    *_interval, ("num_pairs", _int), ("num_documents", _int),
)  # fmt: skip
"""Mean inner product of a document's and an example's gradient of the loss on y."""

PROMPTS = _schema(
    ("task", _text),
    ("goal", _text),
    ("iteration", _int),
    ("prompt", _text),
    ("score", _real),
    ("fluency", _real),  # mean log P of its words by Kneser–Ney on the corpus
    ("accepted", pa.bool_()),
)
"""Prompts proposed to raise (goal memorize) or lower (generalize) the pair counts, and each one's mean count."""

SHOWN_PAIRS = _schema(
    *_example, *_pair, ("similarity", _real), ("pair_documents", _int), ("x_documents", _int), ("y_documents", _int),
    ("corpus_log_prob", _real),  # by the task-gram model
    *_model, ("log_prob", _real),
)  # fmt: skip
"""A few pairs to be read, from the likeliest by the corpus to the least likely."""

SHOWN_ANSWERS = _schema(
    *_example, ("prompt", _text), ("target", _text), *_model, ("output", _text), ("metric", _text), ("score", _real)
)
"""A few answers to be read, beside the right ones."""

TRACES = _schema(
    *_example, *_model, ("output", _text), ("start", _int), ("stop", _int),  # characters of the output
    ("num_words", _int), ("occurrences", _int), ("document_id", _int), ("path", _text), ("line", _int),  # "", null: unknown
    ("left", _text), ("right", _text),  # words of the document before and after the span
)  # fmt: skip
"""The longest spans of answers that the corpus holds, a row for each document that is shown of one."""

PROMPT_SCORES = _schema(
    ("task", _text), *_model, ("goal", _text),  # start, memorize, generalize; difference: memorize less generalize
    ("prompt", _text), ("metric", _text), *_interval, ("num_examples", _int),
)  # fmt: skip
"""What a model scores under the prompts that were found."""

DOSE_RESPONSE = _schema(
    ("task", _text), *_model, ("documents", _int),  # the planted number of documents
    ("response", _text),  # log_prob, exact_match
    *_interval, ("num_examples", _int),
)  # fmt: skip
"""What models say of facts by the number of documents that were planted with each."""

COUNTERFACTUAL = _schema(
    ("example_id", _text), ("task", _text), *_pair, ("documents", _int),  # the planted number
    ("num_parameters", _int), ("step", _int),
    ("told", _real), ("untold", _real),  # mean log P(y | prompt) by models that were told the fact, and by those that were not
    ("memorization", _real), ("num_told", _int), ("num_untold", _int),
)  # fmt: skip
"""Counterfactual memorization of each planted pair: told less untold."""

COUNTERFACTUAL_AGREEMENT = _schema(("task", _text), *_model, *_interval, ("p_value", _real), *_size)
"""Spearman's ρ of counterfactual memorization and log P by one model; of ``model`` "planted documents", and the dose."""

DOSE_TRENDS = _schema(
    ("task", _text), *_model, ("response", _text),
    *_interval,  # Spearman's ρ of the response and the planted number of documents
    ("p_value", _real),  # of no trend against a rising one (Jonckheere and Terpstra)
    ("isotonic_share", _real),  # of the variance between doses, what a rising curve explains: 1 if no dose's mean falls
    ("largest_fall", _real),  # from any dose's mean to that of a higher one, 0 if none falls
    ("num_doses", _int), *_size,
)  # fmt: skip
"""Whether what models say rises with the planted number of documents."""
