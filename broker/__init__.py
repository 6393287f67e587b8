"""An information-sharing broker for children's safeguarding: who needs to know, what least, on which basis."""

__version__ = "0.1.0"
