"""irsa-manager: one custom resource in, working AWS credentials in the pod out."""

__version__ = "0.1.0"
