"""The imperative shell: takes what happened, has the engine decide, writes it down, and does what is due."""
