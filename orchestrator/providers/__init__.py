"""One codec per provider: what its operations take, how its requests look, what its answers mean. Pure."""
