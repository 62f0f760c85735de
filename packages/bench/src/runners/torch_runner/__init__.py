"""PyTorch on the workloads of spec.ts: the parts of the runner that pytorch.py serves."""
