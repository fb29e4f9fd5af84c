"""The settings of what a study does only if its TOML file asks: a table each."""

from dataclasses import dataclass

from analysis.settings import setting


@dataclass(frozen=True, kw_only=True)
class Prior:
    """Log-probabilities after a prompt that does not say x too. Left out of the file, it is left out of the study."""

    prompt: str = setting('The neutral prompt; "" for each example\'s own without its input.', "")
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())


@dataclass(frozen=True, kw_only=True)
class Learning:
    """Models' next tokens against the n-gram distributions of index.texts. Left out of the file, it is left out of the study."""

    ns: tuple[int, ...] = setting("Tokens of an n-gram, the next one included.", (1, 2, 3, 4, 5))
    documents: int = setting("Documents to draw.", 200)
    positions: int = setting("Positions to draw in each.", 5)
    length: int = setting("Tokens of a document that are read.", 128)
    models: tuple[str, ...] = setting("Which models; none for all.", ())


@dataclass(frozen=True, kw_only=True)
class Influence:
    """Gradients of documents against gradients of examples. Left out of the file, it is left out of the study."""

    documents: int = setting("Documents of each of the two groups, drawn for each pair.", 50)
    pairs: int = setting("Pairs of each task and subset to draw; 0 for all.", 0)
    max_length: int = setting("Tokens of a document up to the end of the pair.", 512)
    parameters: str = setting("Which gradients: all, or a regular expression of parameters' names.", "all")
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())
    models: tuple[str, ...] = setting("Which models; none for all.", ())


@dataclass(frozen=True, kw_only=True)
class Prompts:
    """Prompts rewritten to raise or lower pair counts. Left out of the file, it is left out of the study."""

    proposer: str = setting("What rewrites: edits (of words, no model), or an instruction model's folder or name.", "edits")
    endpoint: str = setting("URL of an OpenAI-compatible service that has it, as http://localhost:8000/v1; none if empty.", "")
    api_key_env: str = setting("Environment variable that holds that service's key.", "")
    start: str = setting("The prompt to begin with.", "Answer the following question as briefly as you can.")
    iterations: int = setting("Proposals for each goal.", 100)
    n: int = setting("Length of n-grams.", 3)
    fluency: float = setting(
        "Nats a word by which a prompt may be less fluent than the first, by Kneser–Ney on the corpus, so that no word salad wins; "
        "below 0: no bound.",
        1.0,
    )
    examples: int = setting("Examples that the models answer under the prompts that were found; 0 for all.", 0)
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())


@dataclass(frozen=True, kw_only=True)
class Dose:
    """Facts that were planted at known frequencies. Left out of the file, it is left out of the study."""

    planted: str = setting("The file of planted facts that the lab writes.")
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Models with and without each planted fact. Left out of the file, it is left out of the study."""

    halves: str = setting("The file of models trained on halves of the facts that the lab writes.")
    tasks: tuple[str, ...] = setting("Which tasks; none for all.", ())
