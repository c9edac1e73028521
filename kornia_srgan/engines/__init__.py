"""Runs generators in other engines: ONNX Runtime and OpenVINO."""
