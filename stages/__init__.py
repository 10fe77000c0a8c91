"""The five stages and their parts. Importing them switches oneDNN on before TensorFlow is imported."""

from stages.running import onednn as onednn
