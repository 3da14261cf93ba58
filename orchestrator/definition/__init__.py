"""What a workflow is: the YAML language, its expressions, its graph. Pure, and ignorant that anything ever runs."""
