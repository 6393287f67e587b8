"""Giving account: what stands in messages and in the log, in plain words and in numbers that add up.

Whatever a person reads of an alert, a decision or an audit entry is worded here, and the reconciler's sum is here. What is said
comes from the values alone: nothing here decides anything.
"""
