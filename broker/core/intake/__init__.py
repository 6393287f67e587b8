"""What comes in, before it stands in a child's line: how it is delivered, whether it may be published, whom it is about.

The contract with connectors, the checks of an event before it is sent, and matching belong here. What an agency's word may do to
a child that is known is for `broker.core.agencies`.
"""
