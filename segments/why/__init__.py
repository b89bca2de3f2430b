"""Why is a customer in a segment, or why not, and what is the nearest change?

Lowered ──plan──▶ Formula over numbered leaves          other segments opened up, each once
        ──seen──▶ truth of every leaf, values, rows     SQL for one customer, the very SQL of a run
        ──flips─▶ smallest set of leaves to turn round
        ──say───▶ SegmentExplanation
"""

from segments.why.explain import why
from segments.why.plan import Known

__all__ = ["Known", "why"]
