"""What is added up over the images of an epoch."""

from typing import Any, NamedTuple


class Totals(NamedTuple):
    """Sums over images; a prediction is above half if its probability is greater than 0.5."""

    loss: Any
    correct: Any
    above_half: Any
    above_half_correct: Any
    images: Any

    def add(self, other: "Totals") -> "Totals":
        """Add two totals."""
        return Totals(*(ours + theirs for ours, theirs in zip(self, other, strict=True)))

    def means(self, prefix: str = "") -> dict[str, float]:
        """Return mean loss, accuracy, and precision and recall, under names that begin with `prefix`.

        Precision and recall are those of Keras's metrics of these names, which count only predictions above
        half.
        """
        images, above_half_correct = float(self.images), float(self.above_half_correct)
        return {
            f"{prefix}loss": float(self.loss) / images,
            f"{prefix}accuracy": float(self.correct) / images,
            f"{prefix}above_half_precision": above_half_correct / max(float(self.above_half), 1.0),
            f"{prefix}above_half_recall": above_half_correct / images,
        }


NOTHING = Totals(0.0, 0.0, 0.0, 0.0, 0.0)
