"""What is done to the data of a server from outside of it: back up, restore, migrate, prune, verify."""
