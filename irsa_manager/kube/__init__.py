"""I/O with Kubernetes; the only package that imports lightkube."""
