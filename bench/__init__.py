"""What the README's figures come from: each a ratio in one run, against a floor and a peer."""
