"""What was made becomes what is seen, heard and kept."""
