"""What users of topicflow depend on, recorded at commit 870f1c8 and held against the code of today.

`870f1c8.json` is that record and is never written again; `removed.toml` lists what may differ from it, and why.
"""
