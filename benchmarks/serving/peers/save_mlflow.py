"""The fitted pipeline as an MLflow model. Usage: save_mlflow.py PIPELINE ROWS_JSON FOLDER"""

import json
import sys
from pathlib import Path

import joblib
import mlflow.sklearn
import pandas as pd
from mlflow.models import infer_signature

pipeline, rows, folder = sys.argv[1:]
frame = pd.DataFrame(json.loads(Path(rows).read_text()))
frame = frame.astype({name: "float64" for name in frame.columns if frame[name].dtype.kind in "if"})
mlflow.sklearn.save_model(
    joblib.load(pipeline),
    folder,
    signature=infer_signature(frame),
    serialization_format="cloudpickle",
    pyfunc_predict_fn="predict_proba",
)
