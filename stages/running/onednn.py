"""Switch oneDNN on, for everything that imports TensorFlow after this module.

TensorFlow leaves oneDNN off on x86 processors without AVX-512; training is about twice as fast with it.
If the user has set TF_ENABLE_ONEDNN_OPTS, its value stays.
"""

import os
import platform

if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
