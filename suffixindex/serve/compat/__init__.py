"""The HTTP APIs that clients exist for: infini-gram's ``POST /`` and the attribution of AI2's infinigram-api.

Answers are theirs field by field; where theirs are wrong or sampled, ours are exact.
"""
