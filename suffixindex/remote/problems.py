"""What goes wrong with URLs: what another try may mend, and what a sentence says of the rest."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from suffixindex.errors import CorpusError, MissingDependencyError, SuffixIndexError
from suffixindex.remote.urls import HTTP, scheme_of, visible, without_secrets

log = logging.getLogger(__name__)

TRIES = 8
"""In a row that bring nothing."""
FIRST_TRIES = 3
"""Before anything of a URL was seen: it may be a wrong one."""
FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0

PACKAGES = {
    **dict.fromkeys(("http", "https"), "aiohttp"),
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl", "wasb", "wasbs"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "smb": "smbprotocol",
    "hf": "huggingface-hub",
    "oci": "ocifs",
    "oss": "ossfs",
    "hdfs": "pyarrow",
    "webdav": "webdav4",
    "gdrive": "gdrive-fsspec",
    "github": "requests",
    "box": "boxfs",
    "dropbox": "dropboxdrivefs",
}
_ACCESS = {
    **dict.fromkeys(
        ("s3", "s3a"), "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or FSSPEC_S3_ANON=true for a public bucket"
    ),
    **dict.fromkeys(("gs", "gcs"), "set GOOGLE_APPLICATION_CREDENTIALS, or FSSPEC_GS_TOKEN=anon for a public bucket"),
    **dict.fromkeys(
        ("abfs", "abfss", "az"), "set AZURE_STORAGE_CONNECTION_STRING, or FSSPEC_ABFS_ANON=true for a public container"
    ),
    "hf": "run hf auth login, or set HF_TOKEN",
    **dict.fromkeys(HTTP, "check the password in it; one that is signed ends some time, sign it anew"),
}
_CERTIFICATES = "ClientConnectorCertificateError", "SSLCertVerificationError"
_NO_ARCHIVE = "BadZipFile", "TarError"
_NO_CREDENTIALS = "NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "LocalTokenNotFoundError"
_NOT_THERE = FileNotFoundError, IsADirectoryError, NotADirectoryError
_OURS_OR_THEIRS = TypeError, ValueError, NotImplementedError, AttributeError, KeyError
"""A URL that a library does not take, or a mistake: tried again they are the same."""
_PASSING = 408, 421, 425, 429

T = TypeVar("T")


def final(url: str, error: BaseException) -> SuffixIndexError | None:
    """The sentence of what no other try mends; None of what one may."""
    if isinstance(error, SuffixIndexError):
        return error
    if isinstance(error, ImportError) or "Protocol not known" in str(error):
        return missing_package(url)
    shown, status, names, what = visible(url), _status(error), _names(error), told(url, error)
    sentence = None
    if status in (404, 410) or (status is None and isinstance(error, _NOT_THERE)):
        sentence = f"{shown} does not exist, or this machine may not see it"
    elif status in (401, 403) or isinstance(error, PermissionError) or names.intersection(_NO_CREDENTIALS):
        sentence = f"{shown} may not be read ({what}): {_ACCESS.get(scheme_of(url), 'set what gives access to it')}"
    elif status is not None:
        sentence = f"{shown} cannot be read: {what}" if 400 <= status < 500 and status not in _PASSING else None
    elif names.intersection(_CERTIFICATES + _NO_ARCHIVE) or (isinstance(error, _OURS_OR_THEIRS) and not isinstance(error, OSError)):
        sentence = f"{shown} cannot be read: {what}"
    return None if sentence is None else CorpusError(sentence)


def missing_package(url: str) -> MissingDependencyError:
    """The sentence of a scheme that needs a package, or that nothing reads."""
    scheme = scheme_of(url)
    package = PACKAGES.get(scheme)
    if package is None:
        return MissingDependencyError(
            f"{visible(url)}: no package that is installed reads {scheme}://; fetch the files by other means"
        )
    extras = "remote,hf" if scheme == "hf" else "remote"
    beside = "" if package in ("aiohttp", "huggingface-hub") else f" {package}"
    return MissingDependencyError(f"reading {scheme}:// needs {package}: pip install 'suffixindex[{extras}]'{beside}")


def told(url: str, error: BaseException) -> str:
    """What a library says of a URL, in a line and without what gives access to it."""
    if "ClientPayloadError" in _names(error):
        return "the connection ended"
    text = " ".join(without_secrets(str(error), url).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def wait_seconds(tries: int) -> float:
    """How long to wait after so many tries in a row that failed."""
    return float(min(MOST_SECONDS, FIRST_SECONDS * 2 ** (tries - 1)))


def first_contact(url: str, call: Callable[[], T], wait: Callable[[float], Any]) -> T:
    """Do something with a URL of which nothing is known yet, up to three times.

    Raises
    ------
    CorpusError, MissingDependencyError
    """
    for tries in range(1, FIRST_TRIES + 1):
        try:
            return call()
        except Exception as error:
            problem = final(url, error)
            if problem is None and tries == FIRST_TRIES:
                problem = CorpusError(
                    f"{visible(url)} cannot be reached ({told(url, error)}): check the address and the connection, then run the "
                    "same command"
                )
            if problem is not None:
                raise problem from None  # what a library says may quote the URL with its password
            log.warning("%s: %s; trying again", visible(url), told(url, error))
        wait(wait_seconds(tries))
    raise AssertionError


def _status(error: BaseException | None) -> int | None:
    """The status of the answer that an error is of, whatever library raised it."""
    depth = 0
    if "ClientPayloadError" in _names(error):  # which aiohttp gives the status of a bad request
        return None
    while error is not None and depth < 4:
        answer = getattr(error, "response", None)
        found = getattr(error, "status", None) or getattr(error, "code", None) or getattr(answer, "status_code", None)
        if isinstance(answer, dict):
            found = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if isinstance(found, int) and 100 <= found < 600:
            return found
        error, depth = error.__cause__, depth + 1
    return None


def _names(error: BaseException | None) -> set[str]:
    """Names of the classes of an error and of its causes."""
    names: set[str] = set()
    while error is not None and len(names) < 32:
        names.update(kind.__name__ for kind in type(error).__mro__)
        error = error.__cause__
    return names
