"""What waits: for a person to answer, for a recipient to confirm, for a finding to be looked at again; until when, and what then.

Statutory clocks and their calendars, what a person is asked and by when, and what a bell says to whom belong here. Who is asked
is for `broker.core.agencies`.
"""
