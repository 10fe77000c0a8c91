"""The five stages and their parts. Importing them prepares the process before TensorFlow is imported."""

from stages.running import process as process
