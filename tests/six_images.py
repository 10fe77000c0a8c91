"""Six images of three classes and what a model says of them, for results worked by hand."""

import numpy as np

ACTUAL = np.array([0, 1, 1, 2, 2, 2])
PROBABILITIES = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.5, 0.3, 0.2],
        [0.2, 0.7, 0.1],
        [0.1, 0.3, 0.6],
        [0.1, 0.6, 0.3],
        [0.9, 0.1, 0.0],
    ],
    np.float32,
)
