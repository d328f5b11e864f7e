"""Model folders on the Hugging Face hub: pushed when asked to, never fetched."""

from pathlib import Path

from huggingface_hub import HfApi

from var_core.checkpoints import refuse_pickles

MESSAGE = "Upload model"


def push_folder(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool | None = None,
    token: str | None = None,
    commit_message: str = MESSAGE,
) -> str:
    """Upload a model folder as one commit; returns the address of its page.

    Args:
        folder: folder to upload; its README.md is the model card.
        repo_id: name of the repository, as "me/my-model"; made if it is new.
        private: whether a new repository is private; None takes what the account is set to.
        token: access token that may write; None takes that of `hf auth login` or HF_TOKEN.
        commit_message: first line of the commit.

    Raises:
        CheckpointError: if the folder is missing or holds a pickle.
        ValueError: if the hub is not there or refuses.
    """
    refuse_pickles(Path(folder))
    api = HfApi(token=token)
    try:
        repository = api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repository.repo_id, folder_path=folder, commit_message=commit_message
        )
    except Exception as error:  # the hub's client raises errors of many types
        raise ValueError(
            f"{repo_id} cannot be pushed to {api.endpoint} ({type(error).__name__}): {error}"
        ) from error
    return str(repository)
