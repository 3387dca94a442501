"""A folder as one commit to a repository of the Hub: only on request, with HF_TOKEN or the login's token."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bench.core.errors import UsageError
from bench.core.missing_package import need
from bench.core.quoting import quoted

EXTRA = "hub"
CARD = "README.md"  # one that is there already is somebody's: it stays
Kind = Literal["dataset", "model"]


def require_name(repository: str) -> None:
    """Refuse a name that no repository of the Hub can have."""
    hub = need("huggingface_hub.utils", EXTRA)
    try:
        hub.validate_repo_id(repository)
    except hub.HFValidationError as error:
        raise UsageError(f"{quoted(repository)} is no repository: {str(error).splitlines()[0]}") from None
    if repository.count("/") != 1:
        raise UsageError(f"{quoted(repository)} is no repository; give OWNER/NAME")


def commit(folder: Path, repository: str, kind: Kind, message: str) -> str:
    """Send all files of `folder`; the address of the commit. A repository that is not there is made, private.

    Raises:
        UsageError: there is no token, the Hub refuses, or it cannot be reached.
    """
    hub = need("huggingface_hub", EXTRA)
    if hub.get_token() is None:
        raise UsageError("nothing was sent: there is no token; set HF_TOKEN, or log in with: hf auth login")
    api = hub.HfApi()
    try:
        api.create_repo(repository, repo_type=kind, private=True, exist_ok=True)
        keeps = [CARD] if api.file_exists(repository, CARD, repo_type=kind) else None
        sent = api.upload_folder(
            repo_id=repository, repo_type=kind, folder_path=folder, commit_message=message, ignore_patterns=keeps
        )
    except (OSError, hub.errors.HTTPError) as error:  # a refusal, no network, or offline mode
        raise UsageError(f"{repository} took nothing: {' '.join(str(error).split())}") from None
    return str(sent.commit_url)
