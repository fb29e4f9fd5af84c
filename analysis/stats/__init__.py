"""Statistics that the study uses: correlations, resampling."""
