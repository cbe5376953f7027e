"""Clinical decision support that learns: vital signs in, stored and explained prediction cards out."""

__version__ = "0.1.0"
