"""Publishes weights on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from kornia_srgan.errors import WeightsError
from kornia_srgan.explain import one_line
from kornia_srgan.network import hub_endpoint, reachable
from kornia_srgan.weights.card import count_parameters, model_card
from kornia_srgan.weights.files import load_weights
from kornia_srgan.weights.hub import FILE, PREFIX, HubFile, offline_error, raise_hub_error


def push_to_hub(
    path: str | Path,
    repo: str,
    *,
    private: bool = False,
    message: str = "Upload weights",
    token: str | None = None,
) -> str:
    """Publish a weight file with a model card generated from its header.

    The repository is created if needed. Its files `model.safetensors` and `README.md` are replaced in one
    commit.

    Args:
        path: A file written by `save_weights`; it is verified first.
        repo: `owner/name`.
        private: Whether a new repository is private.
        message: The commit message.
        token: By default that of `hf auth login` or `HF_TOKEN`.

    Returns:
        The address of the commit.

    Raises:
        WeightsError: If the file is damaged, or the Hub refuses it.
        OfflineError: If the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    spec, state = load_weights(path, kind=None)
    card = model_card(spec, source=f"{PREFIX}{repo}", parameters=count_parameters(state))
    target = HubFile(repo)
    if not reachable(hub_endpoint()):
        raise offline_error(str(target))
    api = HfApi(endpoint=hub_endpoint(), token=token)
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        commit = api.create_commit(
            repo,
            [CommitOperationAdd(FILE, str(path)), CommitOperationAdd("README.md", card.encode())],
            commit_message=message,
        )
        return commit.commit_url
    except LocalTokenNotFoundError:
        raise WeightsError(
            f"publishing to {repo} needs an account: run `hf auth login`, or set HF_TOKEN", where=repo
        ) from None
    except HFValidationError as error:
        raise WeightsError(f"'{repo}' is not a name on the Hub: {one_line(error)}", where=repo) from None
    except HfHubHTTPError as error:
        raise_hub_error(error, target)
