"""Models: verified, loaded and asked. ONNX Runtime would report to its makers: it is told not to before it is there."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
