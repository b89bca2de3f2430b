"""What becomes of links that alone hold a cluster together."""

from typing import Self

from pydantic import Field, model_validator

from unify.spec.base import Noun


class BridgeSpec(Noun):
    """Weak bridges: links whose removal splits a cluster of three records or more, and how doubtful they may be.

    cut     a bridge that is at least this doubtful, 0 to 1, is cut; by default none is
    review  a link that is at least this doubtful is queued for `unify review`; null: links are not weighed at all
    """

    cut: float | None = Field(default=None, gt=0, le=1)
    review: float | None = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _what_is_cut_is_shown(self) -> Self:
        if self.cut is not None and (self.review is None or self.review > self.cut):
            raise ValueError("`review` is at most `cut`: what is cut is listed for review as well")
        return self
