"""What a workflow is: the YAML language, its expressions, its graph. Pure: knows nothing of running."""
