"""Deciding one event: from the rules to an answer for each recipient, with its reasons, and to the view that it is shown.

A new condition, a change of what a rule can say or of what a cut takes out belongs here. It reads facts and changes none; what
follows from a verdict on the child's line is for `broker.core.line`.
"""
