"""The strict front before the emulated AWS: what IAM and STS check and the emulator does not."""
