"""Golden values of lib/data/splits.ts: nnU-Net's folds from scikit-learn and NumPy's legacy generator.

Made with scikit-learn 1.9 and numpy 2.4. Run by hand: python test/golden/splits.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import KFold

HERE = Path(__file__).parent
NAMES = {
    "plain": [f"case_{i:03d}" for i in range(23)],
    "unpadded": [f"BRATS_{i}" for i in range(1, 13)],
    "mixed": ["b", "a", "B", "A", "a_1", "a-1", "a.1", "é", "z", "\U0001f9e0", "\ufb01"],
    "five": list("edcba"),
    "many": [f"s{i}" for i in range(300)],
}


def kfold(names):
    ids = np.array(sorted(names))
    folds = KFold(n_splits=5, shuffle=True, random_state=12345).split(ids)
    return [{"train": ids[train].tolist(), "val": ids[val].tolist()} for train, val in folds]


def random_split(names, fold):
    """What nnU-Net draws for a fold that no split states."""
    keys = sorted(names)
    chosen = np.random.RandomState(seed=12345 + fold).choice(len(keys), int(len(keys) * 0.8), replace=False)
    return {
        "train": [key for i, key in enumerate(keys) if i in chosen],
        "val": [key for i, key in enumerate(keys) if i not in chosen],
    }


def main():
    words = np.random.RandomState(12345)._bit_generator.random_raw(1300)
    sets = []
    for name, ids in NAMES.items():
        folds = kfold(ids)
        entry = {"name": name, "ids": ids, "val": [fold["val"] for fold in folds]}
        assert all(sorted(fold["train"] + fold["val"]) == sorted(ids) for fold in folds)
        entry["random"] = {str(fold): random_split(ids, fold)["val"] for fold in (5, 6, 99)}
        sets.append(entry)
    golden = {"words": [int(words[i]) for i in (0, 1, 2, 622, 623, 624, 625, 1247, 1248, 1299)], "sets": sets}
    golden["at"] = [0, 1, 2, 622, 623, 624, 625, 1247, 1248, 1299]
    (HERE / "splits.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
