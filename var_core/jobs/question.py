"""What can be asked about a picture: a job with one answer and no steps."""

from typing import Protocol, TypeVar

from var_core.pipeline import VARPipeline

Answer = TypeVar("Answer", covariant=True)


class Question(Protocol[Answer]):
    """A frozen, checked dataclass that a pipeline can answer; it and its answer can be pickled."""

    @property
    def job(self) -> str:
        """Name in metrics and logs."""
        ...

    @property
    def precision(self) -> str:
        """One of PRECISIONS."""
        ...

    def answer(self, pipeline: VARPipeline) -> Answer:
        """Find the answer; tensors of it are in main memory.

        Raises:
            ValueError: if the question does not fit the model.
        """
        ...
