"""Training: the libraries it uses report to their makers unless they are told not to before they are imported."""

import os

import cds_service.inference  # noqa: F401 -- tells ONNX Runtime

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
