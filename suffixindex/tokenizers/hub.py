"""The Hugging Face hub: a name -> its tokenizer.json."""

import re
from pathlib import Path

from suffixindex.errors import MissingDependencyError, TokenizerError

TOKENIZER_FILE = "tokenizer.json"


def download(name: str, revision: str | None) -> Path:
    """The tokenizer.json of a hub name, from the cache or the network."""
    if not re.fullmatch(r"[\w-][\w.-]*(?:/[\w-][\w.-]*)?", name) or name.endswith(".json"):
        raise TokenizerError(
            f"there is no file or folder {name}, and it is no hub name: give a {TOKENIZER_FILE}, a folder that has one, or "
            "a name like EleutherAI/pythia-70m"
        )
    try:
        from huggingface_hub import errors, hf_hub_download
    except ImportError as error:
        raise missing_extra() from error
    where = f"{name} at revision {revision}" if revision else name
    try:
        return Path(hf_hub_download(name, TOKENIZER_FILE, revision=revision))
    except (OSError, ValueError, errors.HfHubHTTPError, errors.EntryNotFoundError) as error:
        match error:  # from the narrow to the wide: these classes derive from one another
            case errors.GatedRepoError():
                problem = "is gated: ask for access on huggingface.co, then run hf auth login"
            case errors.RepositoryNotFoundError():
                problem = "is neither a file or folder here nor public on the hub: check the name, or run hf auth login"
            case errors.RevisionNotFoundError():
                problem = "does not exist on the hub: check the revision"
            case errors.LocalEntryNotFoundError():
                problem = (
                    "is neither a file or folder here nor in the hub's cache, and the hub cannot be reached: connect "
                    f"once, or give the path of a {TOKENIZER_FILE}"
                )
            case errors.EntryNotFoundError():
                problem = f"has no {TOKENIZER_FILE} on the hub: name a model with a fast tokenizer"
            case _:
                problem = f"could not be loaded from the hub: {error}"
        raise TokenizerError(f"the tokenizer {where} {problem}") from error


def missing_extra() -> MissingDependencyError:
    return MissingDependencyError("a Hugging Face tokenizer needs more packages: pip install 'suffixindex[hf]'")
