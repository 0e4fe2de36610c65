"""Put the facial expression of one person on another, by arithmetic in the latent space of a Glow.

What five lines need is here, and loaded when it is first used: `glownb/__init__.pyi` lists it.
"""

__version__ = "0.1.0"

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
