import os, sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, numpy as np
from pathlib import Path

sys.path.insert(0, "/work/main")
from stages.inputs import tfrecord

data = Path(f"/tmp/w/s3/{sys.argv[1]}/records/val")
man = tfrecord.read_manifest(data)
X, Y = [], []
for x, y, _ in tfrecord.batches(tfrecord.dataset(data, man, 500), data):
    X.append(x.numpy())
    Y.append(y.numpy())
X = np.concatenate(X)
Y = np.concatenate(Y)


def shift(x, dy, dx):
    p = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    h, w = x.shape[1:3]
    return p[:, 1 + dy : 1 + dy + h, 1 + dx : 1 + dx + w]


for r in sys.argv[2:]:
    m = keras.models.load_model(f"/tmp/w/s3/runs/{r}/model/model.keras")
    P = lambda x: np.log(np.maximum(m.predict(x, batch_size=500, verbose=0), 1e-9))
    a = P(X)
    s = P(shift(X, 1, 1)) + P(shift(X, -1, -1))
    acc = lambda l: f"{(l.argmax(1) == Y).mean():.4f}"
    print(r, len(Y), "2 views", acc(a), "6 views", acc(a + 0.5 * s), flush=True)
