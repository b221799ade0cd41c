"""The strict front before the emulated AWS: what IAM and STS check and the emulator does not.

Read in this order: server (one request from socket to answer), emulator (how ministack is embedded and what is
replaced in it), then the rules: web_identity, keys, trust_document, names, quotas, authorization, and the operations
that apply them: assume, roles, role_policies, providers, account. admin, calls, faults and consistency are the
sandbox's own levers under /_sandbox.
"""
