"""What SuffixIndex answers, a file for each thing that is asked about; each class adds its questions to the one before."""
