"""Indexes that other engines built, asked as they lie on disk: infini-gram's and tokengrams'."""
