"""I/O with AWS; the only package that imports botocore."""
