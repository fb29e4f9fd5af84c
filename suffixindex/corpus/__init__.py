"""Where documents come from: the files that a user names, and what their bytes say."""
