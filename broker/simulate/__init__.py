"""A synthetic area: native feeds with known truth; it imports neither deciding, policy, matching nor connectors."""
